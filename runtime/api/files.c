/*
 * Names of files. A file is tracked by one byte of memory that stands for it:
 * the first of the runtime's own copy of its path, one for each file. All copies
 * are in one range of addresses, so that they can be told from other memory.
 */
#include "api/api.h"
#include "base/lock.h"
#include "base/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { BUCKETS = 1024 };

static const size_t range_size = (size_t)1 << 32; /* of addresses */

struct file_name {
    struct file_name *next;
    char path[];
};

static char *range; /* made with the first name; set once */
static size_t range_used;

static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;
static struct file_name *names[BUCKETS]; /* Guarded by names_lock */

static uint64_t hash(const char *text)
{
    uint64_t value = UINT64_C(14695981039346656037); /* FNV-1a */

    for (; *text; text++)
        value = (value ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return value;
}

/*
 * The directory of a path made absolute, so that ./a and a are one file. The
 * file itself need not exist, and may be a link that a task replaces. Returns
 * what cst_free() takes, or NULL without memory.
 */
static char *canonical(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *directory = slash ? cst_format("%.*s", (int)(slash - path) + 1, path)
                            : cst_strdup(".");
    char *real;
    char *whole;

    if (!directory)
        return NULL;
    real = realpath(directory, NULL);
    if (real)
        whole = cst_format("%s/%s", real, slash ? slash + 1 : path);
    else
        whole = cst_strdup(path); /* whoever opens it will say why */
    free(real);
    cst_free(directory);
    return whole;
}

/* Memory for a name, for ever. */
static struct file_name *take(size_t size)
{
    size_t unit = _Alignof(struct file_name);
    char *here;

    size = (size + unit - 1) / unit * unit;
    if (cst_alloc_refused(size))
        return NULL;
    if (!range) {
        here = mmap(NULL, range_size, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (here == MAP_FAILED)
            return NULL;
        __atomic_store_n(&range, here, __ATOMIC_RELEASE);
    }
    if (range_size - range_used < size)
        return NULL;
    here = range + range_used;
    range_used += size;
    return (struct file_name *)(void *)here;
}

bool cst_file_is_name(const void *base)
{
    uintptr_t first = (uintptr_t)__atomic_load_n(&range, __ATOMIC_ACQUIRE);

    return first != 0 && (uintptr_t)base - first < range_size;
}

static struct file_name *find_or_add(char *path)
{
    struct file_name **bucket = &names[hash(path) % BUCKETS];
    struct file_name *name = *bucket;

    while (name && strcmp(name->path, path) != 0)
        name = name->next;
    if (name)
        return name;
    name = take(sizeof(*name) + strlen(path) + 1);
    if (!name)
        return NULL;
    memcpy(name->path, path, strlen(path) + 1);
    name->next = *bucket;
    *bucket = name;
    return name;
}

const char *cst_file_name(const char *path)
{
    char *whole = canonical(path);
    struct file_name *name;

    if (!whole)
        return NULL;
    (void)pthread_mutex_lock(&names_lock);
    name = find_or_add(whole);
    (void)pthread_mutex_unlock(&names_lock);
    cst_free(whole);
    return name ? name->path : NULL;
}

void cst_file_names_release(void)
{
    memset(names, 0, sizeof(names));
    if (range)
        (void)munmap(range, range_size);
    __atomic_store_n(&range, NULL, __ATOMIC_RELEASE);
    range_used = 0;
}
