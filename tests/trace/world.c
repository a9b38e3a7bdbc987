#include "trace/world.h"

#include "harness/tap.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BUFFERS = 4, ARGUMENTS_MAX = 15, EXIT_NOT_FOUND = 127 };

void world_open(char directory[WORLD_PATH_SIZE])
{
    (void)snprintf(directory, WORLD_PATH_SIZE, "/tmp/castell-test-XXXXXX");
    if (!mkdtemp(directory))
        tap_bail("no directory in /tmp");
}

const char *world_path(const char *directory, const char *name)
{
    static char buffers[BUFFERS][WORLD_PATH_SIZE];
    static int next;
    char *path = buffers[next++ % BUFFERS];

    (void)snprintf(path, WORLD_PATH_SIZE, "%s/%s", directory, name);
    return path;
}

const char *world_find(const char *directory, const char *start)
{
    DIR *files = opendir(directory);
    const char *found = NULL;
    const struct dirent *entry;

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): our own stream */
    while (files && !found && (entry = readdir(files)))
        if (strncmp(entry->d_name, start, strlen(start)) == 0)
            found = world_path(directory, entry->d_name);
    if (files)
        (void)closedir(files);
    return found;
}

void world_close(const char *directory)
{
    const char *path;

    while ((path = world_find(directory, "events-")) ||
           (path = world_find(directory, "trace.json")) ||
           (path = world_find(directory, "graph")))
        if (unlink(path) != 0)
            tap_bail("a file cannot be removed");
    (void)rmdir(directory);
}

int world_run(const char *const *arguments)
{
    int status = 0;
    pid_t child;

    (void)fflush(stdout);
    child = fork();
    if (child == 0) {
        char *argv[ARGUMENTS_MAX + 1] = {NULL};

        for (int i = 0; i < ARGUMENTS_MAX && arguments[i]; i++)
            memcpy(&argv[i], &arguments[i], sizeof(argv[i]));
        if (argv[0])
            (void)execvp(argv[0], argv);
        _exit(EXIT_NOT_FOUND);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        tap_bail("no child");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

char *world_said_by(const char *directory, int (*child_main)(void))
{
    const char *said = world_path(directory, "graph.said");
    size_t size;
    int status = 0;
    pid_t child;

    (void)fflush(stdout);
    child = fork();
    if (child == 0) {
        if (!freopen(said, "w", stderr))
            _exit(EXIT_FAILURE);
        status = child_main();
        (void)fflush(stderr);
        _exit(status);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        tap_bail("no child");
    return status == 0 ? world_read(said, &size) : NULL;
}

int world_lines(const char *text)
{
    int count = 0;

    for (; *text; text++)
        count += *text == '\n';
    return count;
}

bool world_limit_files(size_t size)
{
    struct rlimit limit = {size, size};

    return signal(SIGXFSZ, SIG_IGN) != SIG_ERR &&
           setrlimit(RLIMIT_FSIZE, &limit) == 0;
}

char *world_read(const char *path, size_t *ret_size)
{
    FILE *file = fopen(path, "re");
    char *bytes = NULL;
    long size = -1;

    if (file && fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    if (size >= 0)
        bytes = malloc((size_t)size + 1);
    if (!bytes || fseek(file, 0, SEEK_SET) != 0 ||
        fread(bytes, 1, (size_t)size, file) != (size_t)size)
        tap_bail(path);
    (void)fclose(file);
    bytes[size] = '\0';
    *ret_size = (size_t)size;
    return bytes;
}

void world_write(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "we");

    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0)
        tap_bail(path);
}
