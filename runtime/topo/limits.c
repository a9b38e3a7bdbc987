/*
 * limits.c - what the cgroups of this process leave it.
 *
 * /proc/self/cgroup says, for version 2 ("0::/path") and for each controller
 * of version 1 ("4:memory:/path"), where the process is in the tree of
 * cgroups; /proc/self/mountinfo where that tree, or the part of it that a
 * container sees, is mounted. A limit holds for everything below it, so the
 * path is walked up to the mount point.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "topo/topo_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A tree of cgroups, as seen by this process. */
struct tree {
    const char *root;       /* what to read /proc and the mounts under */
    const char *controller; /* of version 1; "" for version 2 */
    char *mount;            /* where it is mounted; NULL when nowhere */
    char *mount_root;       /* and which cgroup is seen there */
    char *path;             /* our own cgroup */
    bool no_memory;         /* there was none to read it */
    struct cst_topo_limits *limits;
};

/* Keep what was allocated, or note that there was no memory for it. */
static char *keep(struct tree *tree, char *text)
{
    tree->no_memory = tree->no_memory || !text;
    return text;
}

/* NULL where there is no such file. */
static FILE *open_file(struct tree *tree, const char *directory,
                       const char *name)
{
    char *path = keep(tree, cst_format("%s%s/%s", tree->root, directory, name));
    FILE *file = path ? fopen(path, "re") : NULL;

    cst_free(path);
    return file;
}

/* Is word one of the list's, which are separated by commas? */
static bool listed(const char *list, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = list; (at = strstr(at, word)); at += length) {
        bool starts = at == list || at[-1] == ',';

        if (starts && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return false;
}

/* A line of /proc/self/cgroup: "number:controllers:path". */
static void read_own_path(char *line, struct tree *tree)
{
    char *controllers = strchr(line, ':');
    char *path = controllers ? strchr(controllers + 1, ':') : NULL;
    bool ours;

    if (!path)
        return;
    controllers++;
    *path++ = '\0';
    path[strcspn(path, "\n")] = '\0';
    ours = *tree->controller ? listed(controllers, tree->controller)
                             : !*controllers;
    if (ours && !tree->path)
        tree->path = keep(tree, cst_strdup(path));
}

/*
 * A line of /proc/self/mountinfo: "36 35 98:0 ROOT MOUNT options ... - TYPE
 * source OPTIONS". Of several mounts the first is taken.
 */
static void read_mount(char *line, struct tree *tree)
{
    char *fields[6] = {NULL};
    char *separator = strstr(line, " - ");
    char *rest = NULL;
    char *type;
    char *options;
    int count = 0;

    if (tree->mount || !separator)
        return;
    *separator = '\0';
    for (char *field = strtok_r(line, " ", &rest); field && count < 6;
         field = strtok_r(NULL, " ", &rest))
        fields[count++] = field;
    type = strtok_r(separator + 3, " \n", &rest);
    (void)strtok_r(NULL, " \n", &rest);
    options = strtok_r(NULL, " \n", &rest);
    if (count < 5 || !type || !options)
        return;
    if (*tree->controller
            ? strcmp(type, "cgroup") == 0 && listed(options, tree->controller)
            : strcmp(type, "cgroup2") == 0) {
        tree->mount_root = keep(tree, cst_strdup(fields[3]));
        tree->mount = keep(tree, cst_strdup(fields[4]));
    }
}

static void read_lines(struct tree *tree, const char *name,
                       void (*read)(char *line, struct tree *tree))
{
    FILE *file = open_file(tree, "/proc/self", name);
    char *line = NULL;
    size_t size = 0;

    if (!file)
        return;
    while (getline(&line, &size, file) >= 0)
        read(line, tree);
    free(line);
    (void)fclose(file);
}

/* Read one or two numbers of a file; "max" is UINT64_MAX. Returns how many. */
static int read_numbers(struct tree *tree, const char *directory,
                        const char *name, uint64_t numbers[2])
{
    FILE *file = open_file(tree, directory, name);
    char words[2][32];
    int count;

    if (!file)
        return 0;
    count = fscanf(file, "%31s %31s", words[0], words[1]);
    (void)fclose(file);
    for (int i = 0; i < count; i++) {
        char *end;

        numbers[i] = strtoull(words[i], &end, 10);
        if (*end != '\0' || words[i][0] == '-') /* "max", or -1 for none */
            numbers[i] = UINT64_MAX;
    }
    return count < 0 ? 0 : count;
}

static void lower(uint64_t *limit, uint64_t value)
{
    if (value < *limit)
        *limit = value;
}

static void lower_to_quota(struct cst_topo_limits *limits, uint64_t quota,
                           uint64_t period)
{
    if (quota != UINT64_MAX && quota > 0 && period > 0 && period != UINT64_MAX)
        lower(&limits->cpus, (quota - 1) / period + 1);
}

/* The limits that one cgroup sets; files that it has not got set none. */
static void read_one(struct tree *tree, const char *directory)
{
    struct cst_topo_limits *limits = tree->limits;
    bool is_second = !*tree->controller;
    uint64_t numbers[2];
    uint64_t period[2];

    if (read_numbers(tree, directory,
                     is_second ? "memory.max" : "memory.limit_in_bytes",
                     numbers) > 0)
        lower(&limits->memory, numbers[0]);
    if (is_second && read_numbers(tree, directory, "cpu.max", numbers) == 2)
        lower_to_quota(limits, numbers[0], numbers[1]);
    if (!is_second &&
        read_numbers(tree, directory, "cpu.cfs_quota_us", numbers) > 0 &&
        read_numbers(tree, directory, "cpu.cfs_period_us", period) > 0)
        lower_to_quota(limits, numbers[0], period[0]);
}

/* The part of our path that is to be found below the mount point. */
static const char *path_below(const struct tree *tree)
{
    const char *below = tree->path;
    size_t seen = strlen(tree->mount_root);

    if (strcmp(tree->mount_root, "/") == 0)
        seen = 0;
    /* In a container the mount may show a part of the tree, from mount_root
       on; a path that is not in that part is our cgroup seen from outside. */
    if (strncmp(below, tree->mount_root, seen) != 0)
        return "";
    below += seen;
    return *below == '/' && !strstr(below, "/..") ? below : "";
}

static void walk_up(struct tree *tree)
{
    size_t mount_length = strlen(tree->mount);
    char *directory =
        keep(tree, cst_format("%s%s", tree->mount, path_below(tree)));

    while (directory) {
        char *slash = strrchr(directory, '/');

        read_one(tree, directory);
        if (!slash || (size_t)(slash - directory) < mount_length)
            break;
        *slash = '\0';
    }
    cst_free(directory);
}

/* Lower the limits to those of one tree; false: no memory. */
static bool read_tree(const char *root, const char *controller,
                      struct cst_topo_limits *limits)
{
    struct tree tree = {
        .root = root, .controller = controller, .limits = limits};

    read_lines(&tree, "cgroup", read_own_path);
    read_lines(&tree, "mountinfo", read_mount);
    if (tree.mount && tree.mount_root && tree.path)
        walk_up(&tree);
    cst_free(tree.mount);
    cst_free(tree.mount_root);
    cst_free(tree.path);
    return !tree.no_memory;
}

enum castell_status cst_topo_read_limits(const char *root,
                                         struct cst_topo_limits *ret_limits)
{
    struct cst_topo_limits limits = {UINT64_MAX, UINT64_MAX};

    if (!read_tree(root, "", &limits) || !read_tree(root, "memory", &limits) ||
        !read_tree(root, "cpu", &limits))
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to read cgroups");
    *ret_limits = limits;
    return CASTELL_OK;
}
