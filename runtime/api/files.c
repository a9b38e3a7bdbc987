/*
 * Names of files. A file is tracked by one byte of memory that stands for it:
 * the first of the runtime's own copy of its path, one for each file.
 */
#include "api/api.h"
#include "base/lock.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 1024 };

struct file_name {
    struct file_name *next;
    char path[];
};

static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;
static struct file_name *names[BUCKETS]; /* Guarded by names_lock */

static uint64_t hash(const char *text)
{
    uint64_t value = UINT64_C(14695981039346656037); /* FNV-1a */

    for (; *text; text++)
        value = (value ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return value;
}

/* The directory of a path made absolute, so that ./a and a are one file. The
   file itself need not exist, and may be a link that a task replaces. */
static bool make_canonical(const char *path, char out[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    char directory[PATH_MAX];
    char real[PATH_MAX];
    size_t length = slash ? (size_t)(slash - path) + 1 : 0;

    if (length >= sizeof(directory))
        return false;
    memcpy(directory, path, length);
    directory[length] = '\0';
    if (!realpath(slash ? directory : ".", real))
        return false;
    return snprintf(out, PATH_MAX, "%s/%s", real, slash ? slash + 1 : path) <
           PATH_MAX;
}

const char *cst_file_name(const char *path)
{
    struct file_name **bucket;
    struct file_name *name;
    char real[PATH_MAX];

    if (!make_canonical(path, real))
        (void)snprintf(real, sizeof(real), "%s", path);
    bucket = &names[hash(real) % BUCKETS];
    (void)pthread_mutex_lock(&names_lock);
    name = *bucket;
    while (name && strcmp(name->path, real) != 0)
        name = name->next;
    if (!name) {
        name = malloc(sizeof(*name) + strlen(real) + 1);
        if (name) {
            (void)strcpy(name->path, real); /* NOLINT: it was measured */
            name->next = *bucket;
            *bucket = name;
        }
    }
    (void)pthread_mutex_unlock(&names_lock);
    return name ? name->path : NULL;
}

void cst_file_names_release(void)
{
    for (int i = 0; i < BUCKETS; i++)
        while (names[i]) {
            struct file_name *name = names[i];

            names[i] = name->next;
            free(name);
        }
}
