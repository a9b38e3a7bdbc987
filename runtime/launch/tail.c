/*
 * What workers print that no pipe leads here from: those that came by a job of
 * their own write files into the run's directory, and the launcher passes on
 * what is new in them.
 */
#include "base/memory.h"
#include "launch/launch_internal.h"
#include "slurm/slurm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct file {
    char name[32];
    off_t done;
};

static struct {
    struct file *list;
    size_t count;
    size_t capacity;
} files;

/* Its entry, a new one if need be; NULL when there is no memory, or its name is
   not one of ours. */
static struct file *find_file(const char *name)
{
    size_t capacity = files.capacity ? 2 * files.capacity : 16;
    size_t size = strlen(name) + 1;
    struct file *list;

    if (size > sizeof(list->name))
        return NULL;
    for (size_t i = 0; i < files.count; i++)
        if (strcmp(files.list[i].name, name) == 0)
            return &files.list[i];
    if (files.count == files.capacity) {
        list = cst_realloc(files.list, capacity * sizeof(*list));
        if (!list)
            return NULL;
        files.list = list;
        files.capacity = capacity;
    }
    files.list[files.count] = (struct file){0};
    memcpy(files.list[files.count].name, name, size);
    return &files.list[files.count++];
}

static bool write_all(int to, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t written = write(to, text, size);

        if (written < 0 && errno != EINTR && errno != EAGAIN)
            return false;
        if (written > 0) {
            text += written;
            size -= (size_t)written;
        }
    }
    return true;
}

/* Whole lines only, so that those of several workers do not mix; all of it at
   the end of the run. It is opened afresh, for file systems that remember. */
static void pass_on(const char *path, struct file *file, int to, bool all)
{
    static char text[64 << 10]; /* large */
    int from = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t size;

    while (from >= 0 &&
           (size = pread(from, text, sizeof(text), file->done)) > 0) {
        const char *end = memrchr(text, '\n', (size_t)size);
        size_t whole = end ? (size_t)(end - text) + 1 : 0;

        if (all || (whole == 0 && size == (ssize_t)sizeof(text)))
            whole = (size_t)size;
        if (whole == 0 || !write_all(to, text, whole))
            break;
        file->done += (off_t)whole;
    }
    if (from >= 0)
        (void)close(from);
}

static bool is_of(const char *name, const char *kind)
{
    return strncmp(name, kind, strlen(kind)) == 0;
}

void cst_tail_pass_on(const char *run_dir, bool all)
{
    DIR *directory = opendir(run_dir);
    const struct dirent *entry;
    char path[CST_PATH_SIZE + sizeof(entry->d_name)];

    if (!directory)
        return;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    while ((entry = readdir(directory)) != NULL) {
        bool errors = is_of(entry->d_name, CST_SLURM_ERRORS);
        struct file *file;

        if (!errors && !is_of(entry->d_name, CST_SLURM_OUTPUT))
            continue;
        file = find_file(entry->d_name);
        (void)snprintf(path, sizeof(path), "%s/%s", run_dir, entry->d_name);
        if (file)
            pass_on(path, file, errors ? STDERR_FILENO : STDOUT_FILENO, all);
    }
    (void)closedir(directory);
}
