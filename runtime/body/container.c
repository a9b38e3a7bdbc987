/*
 * Programs in containers: the command line of whatever runs containers here.
 * A container is given what a process here has: user, network, limits, working
 * directory, and under their own names the directories of its files.
 */
#include "body/container.h"

#include "base/fail.h"
#include "base/memory.h"
#include "base/parse.h"
#include "base/thread.h"
#include "body/execute.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOT_STARTED = 127 };

/* A command line that is being made; bad when there was no memory. */
struct command {
    char **words;
    size_t count;
    size_t max;
    bool bad;
};

/* What the container is for. */
struct wish {
    const char *image;
    const char *const *argv;
    bool has_input;
    char **directories; /* that it must see, each once; absolute */
    size_t directories_count;
    const char *here; /* the working directory */
};

static void add_taken(struct command *command, char *word)
{
    if (word && command->count + 1 >= command->max) {
        size_t max = command->max ? 2 * command->max : 32;
        char **words = cst_realloc(command->words, max * sizeof(*words));

        if (words) {
            command->words = words;
            command->max = max;
        } else {
            cst_free(word);
            word = NULL;
        }
    }
    if (!word) {
        command->bad = true;
        return;
    }
    command->words[command->count++] = word;
    command->words[command->count] = NULL;
}

static void add(struct command *command, const char *word)
{
    add_taken(command, cst_strdup(word));
}

static void release(char **words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cst_free(words[i]);
    cst_free(words);
}

/* ---- The engines -------------------------------------------------------- */

/* apptainer, which was singularity: images are files, or come from registries
   by docker:// and others. Its containers have our user and network anyway. */
static void add_apptainer(struct command *command, const struct wish *wish)
{
    bool is_place =
        strstr(wish->image, "://") || access(wish->image, F_OK) == 0;

    add(command, "exec");
    add(command, "--pwd");
    add(command, wish->here);
    for (size_t i = 0; i < wish->directories_count; i++) {
        add(command, "--bind");
        add(command, wish->directories[i]);
    }
    add_taken(command,
              cst_format("%s%s", is_place ? "" : "docker://", wish->image));
}

static void add_limit(struct command *command, const char *name, int resource)
{
    struct rlimit limit;

    if (getrlimit((__rlimit_resource_t)resource, &limit) != 0)
        return;
    add(command, "--ulimit");
    add_taken(
        command,
        cst_format(
            "%s=%lld:%lld", name,
            limit.rlim_cur == RLIM_INFINITY ? -1 : (long long)limit.rlim_cur,
            limit.rlim_max == RLIM_INFINITY ? -1 : (long long)limit.rlim_max));
}

static void add_docker_like(struct command *command, const struct wish *wish)
{
    static const char scheme[] = "docker://";
    const char *image = wish->image;

    if (strncmp(image, scheme, sizeof(scheme) - 1) == 0)
        image += sizeof(scheme) - 1;
    add(command, "--rm");
    add(command, "--network=host");
    add(command, "--security-opt=label=disable");
    if (wish->has_input)
        add(command, "--interactive");
    for (size_t i = 0; i < wish->directories_count; i++)
        add_taken(command, cst_format("--volume=%s:%s", wish->directories[i],
                                      wish->directories[i]));
    add_taken(command, cst_format("--workdir=%s", wish->here));
    add(command, image);
}

static void add_podman(struct command *command, const struct wish *wish)
{
    add(command, "run");
    /* More than we have ourselves we may not give. */
    add_limit(command, "nofile", RLIMIT_NOFILE);
    add_limit(command, "nproc", RLIMIT_NPROC);
    if (geteuid() != 0)
        add(command, "--userns=keep-id");
    add_taken(command, cst_format("--user=%lu:%lu", (unsigned long)geteuid(),
                                  (unsigned long)getegid()));
    add_docker_like(command, wish);
}

static void add_docker(struct command *command, const struct wish *wish)
{
    add(command, "run");
    add_taken(command, cst_format("--user=%lu:%lu", (unsigned long)geteuid(),
                                  (unsigned long)getegid()));
    add_docker_like(command, wish);
}

/* In the order in which they are looked for. */
static const struct {
    const char *name;
    void (*add)(struct command *command, const struct wish *wish);
} engines[] = {
    {"apptainer", add_apptainer},
    {"singularity", add_apptainer},
    {"podman", add_podman},
    {"docker", add_docker},
};

enum { ENGINES = sizeof(engines) / sizeof(engines[0]) };

static bool is_on_path(const char *name)
{
    const char *path = cst_parse_environment("PATH");
    bool found = false;

    while (path && *path && !found) {
        size_t size = strcspn(path, ":");
        char *file = cst_format("%.*s/%s", (int)size, path, name);
        struct stat status;

        found = file && stat(file, &status) == 0 && S_ISREG(status.st_mode) &&
                access(file, X_OK) == 0;
        cst_free(file);
        path += size + (path[size] == ':');
    }
    return found;
}

/* Is this path the program of that name? */
static bool is_called(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');

    return strcmp(slash ? slash + 1 : path, name) == 0;
}

/* Which engine is here, and how is it called? */
static enum castell_status find_engine(size_t *ret_engine,
                                       const char **ret_program)
{
    const char *wanted = cst_parse_environment("CASTELL_CONTAINER");

    for (size_t i = 0; i < ENGINES; i++) {
        if (wanted ? !is_called(wanted, engines[i].name)
                   : !is_on_path(engines[i].name))
            continue;
        *ret_engine = i;
        *ret_program = wanted ? wanted : engines[i].name;
        return CASTELL_OK;
    }
    if (wanted)
        return cst_fail(CASTELL_ERR_INVALID,
                        "CASTELL_CONTAINER is \"%s\": apptainer, singularity, "
                        "podman and docker are known",
                        wanted);
    return cst_fail(CASTELL_ERR_SYSTEM,
                    "there is nothing on this node to run a container with: "
                    "install apptainer, podman or docker, put its directory "
                    "in PATH, or name the program in CASTELL_CONTAINER");
}

/* ---- What it must see --------------------------------------------------- */

/* The directory of a file, as the program will name it; to be freed. */
static enum castell_status directory_of(const char *path, char **ret_directory)
{
    const char *slash = strrchr(path, '/');
    size_t size = slash ? (size_t)(slash - path) : 0;
    char *directory = slash ? cst_format("%.*s", size ? (int)size : 1, path)
                            : cst_strdup(".");
    char *real;

    if (!directory)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a command");
    if (directory[0] != '/') {
        real = realpath(directory, NULL);
        cst_free(directory);
        directory = real ? cst_strdup(real) : NULL;
        free(real); /* NOLINT: of the C library */
    }
    if (!directory || access(directory, F_OK) != 0) {
        cst_free(directory);
        return cst_fail(CASTELL_ERR_SYSTEM,
                        "the directory of \"%s\" is not there: %s", path,
                        cst_reason(errno));
    }
    if (strchr(directory, ':') || strcmp(directory, "/") == 0) {
        enum castell_status status = cst_fail(
            CASTELL_ERR_INVALID,
            "a container cannot be shown the directory \"%s\"", directory);

        cst_free(directory);
        return status;
    }
    *ret_directory = directory;
    return CASTELL_OK;
}

static bool is_within(const char *path, const char *directory)
{
    size_t size = strlen(directory);

    return strncmp(path, directory, size) == 0 &&
           (path[size] == '/' || path[size] == '\0');
}

/* Takes `directory`. There is room. */
static void see(struct wish *wish, char *directory)
{
    for (size_t i = 0; i < wish->directories_count; i++) {
        if (!is_within(directory, wish->directories[i]))
            continue;
        cst_free(directory);
        return;
    }
    wish->directories[wish->directories_count++] = directory;
}

static enum castell_status see_all(struct wish *wish, const char *const *paths)
{
    size_t count = 0;
    char *directory;

    while (paths && paths[count])
        count++;
    wish->directories = cst_zalloc((count + 1) * sizeof(char *));
    if (!wish->directories)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a command");
    if (strcmp(wish->here, "/") != 0) {
        enum castell_status status = directory_of("x", &directory);

        if (status != CASTELL_OK)
            return status;
        see(wish, directory);
    }
    for (size_t i = 0; i < count; i++) {
        enum castell_status status = directory_of(paths[i], &directory);

        if (status != CASTELL_OK)
            return status;
        see(wish, directory);
    }
    return CASTELL_OK;
}

/* ---- Running it --------------------------------------------------------- */

/* The error text is set. */
static int not_started(void)
{
    (void)fprintf(stderr, "castell: %s\n", castell_error_text());
    return NOT_STARTED;
}

static enum castell_status make_command(struct wish *wish,
                                        const char *const *paths,
                                        struct command *command)
{
    const char *program = NULL;
    size_t engine = 0;
    enum castell_status status = find_engine(&engine, &program);

    if (status != CASTELL_OK)
        return status;
    status = see_all(wish, paths);
    if (status != CASTELL_OK)
        return status;
    add(command, program);
    engines[engine].add(command, wish);
    for (size_t i = 0; wish->argv[i]; i++)
        add(command, wish->argv[i]);
    return command->bad
               ? cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a command")
               : CASTELL_OK;
}

int cst_execute_in(const char *image, const char *const *argv,
                   const char *const *paths, const char *in_path,
                   const char *out_path, const char *err_path)
{
    char *here = getcwd(NULL, 0);
    struct wish wish = {
        .image = image, .argv = argv, .has_input = in_path, .here = here};
    struct command command = {0};
    enum castell_status status = CASTELL_OK;
    int result;

    if (!image || !*image || image[0] == '-' || !argv || !argv[0])
        status = cst_fail(CASTELL_ERR_INVALID,
                          "castell_execute_in() got no image or no program");
    else if (!here)
        status = cst_fail(CASTELL_ERR_SYSTEM,
                          "the working directory has no name: %s",
                          cst_reason(errno));
    else
        status = make_command(&wish, paths, &command);
    result = status == CASTELL_OK
                 ? cst_execute((const char *const *)command.words, in_path,
                               out_path, err_path)
                 : not_started();
    release(command.words, command.count);
    release(wish.directories, wish.directories_count);
    free(here); /* NOLINT: of the C library */
    return result;
}
