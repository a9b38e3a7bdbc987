/*
 * Which names are one file, its editions, and when they are published. What
 * stands for editions is in one range of addresses, to be told from other
 * memory.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "files/files_internal.h"
#include "files/path.h"
#include "files/place.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { BUCKETS = 1024 };

static const size_t range_size = (size_t)1 << 32; /* of addresses */

static char *range; /* made with the first name; set once */

/* All guarded by mutex. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static size_t range_used;
static struct cst_file *files[BUCKETS];
static struct cst_file *absorbed;
static struct cst_file *dirty;
static struct cst_edition *free_editions;

/* ---- Memory ----------------------------------------------------------------- */

static uint64_t hash(const char *text)
{
    uint64_t value = UINT64_C(14695981039346656037); /* FNV-1a */

    for (; *text; text++)
        value = (value ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return value;
}

static struct cst_edition *take_edition(void)
{
    struct cst_edition *edition = free_editions;
    char *here;

    if (edition) {
        free_editions = edition->next;
        return edition;
    }
    if (cst_alloc_refused(sizeof(*edition)))
        return NULL;
    if (!range) {
        here = mmap(NULL, range_size, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (here == MAP_FAILED)
            return NULL;
        __atomic_store_n(&range, here, __ATOMIC_RELEASE);
    }
    if (range_size - range_used < sizeof(*edition))
        return NULL;
    edition = (struct cst_edition *)(void *)(range + range_used);
    range_used += sizeof(*edition);
    return edition;
}

static struct cst_edition *edition_new(struct cst_file *file)
{
    struct cst_edition *edition = take_edition();

    if (edition)
        *edition = (struct cst_edition){.file = file};
    return edition;
}

bool cst_file_is_byte(const void *base)
{
    uintptr_t first = (uintptr_t)__atomic_load_n(&range, __ATOMIC_ACQUIRE);

    return first != 0 && (uintptr_t)base - first < range_size;
}

void *cst_edition_byte(struct cst_edition *edition)
{
    return &edition->byte;
}

struct cst_edition *cst_edition_of(const void *byte)
{
    return (struct cst_edition *)((uintptr_t)byte -
                                  offsetof(struct cst_edition, byte));
}

struct cst_file *cst_edition_file(struct cst_edition *edition)
{
    return edition->file;
}

const char *cst_file_path(const struct cst_file *file)
{
    return file->path;
}

bool cst_file_is_directory(const struct cst_file *file)
{
    return file->is_directory;
}

uint64_t cst_file_submitted(struct cst_file *file)
{
    return atomic_load(&file->submitted);
}

_Atomic(uint64_t) *cst_file_finished(struct cst_file *file)
{
    return &file->finished;
}

static void free_list(struct cst_file *file)
{
    while (file) {
        struct cst_file *next = file->next;

        cst_content_unref(file->edition->content);
        cst_free(file);
        file = next;
    }
}

void cst_files_release(void)
{
    for (size_t i = 0; i < BUCKETS; i++)
        free_list(files[i]);
    free_list(absorbed);
    memset(files, 0, sizeof(files));
    absorbed = dirty = NULL;
    free_editions = NULL;
    if (range)
        (void)munmap(range, range_size);
    __atomic_store_n(&range, NULL, __ATOMIC_RELEASE);
    range_used = 0;
}

/* ---- Names -------------------------------------------------------------------- */

/* Move the last part of the text before `rest`, which is freed; NULL: there is
   none, or no memory, as errno says. */
static char *move_part(char *text, char *rest)
{
    size_t end = strlen(text);
    char *longer = NULL;
    char *slash;

    while (end > 1 && text[end - 1] == '/')
        text[--end] = '\0';
    slash = strrchr(text, '/');
    if (*text)
        longer =
            cst_format("%s%s%s", cst_path_name(text), *rest ? "/" : "", rest);
    errno = *text ? ENOMEM : ENOENT;
    cst_free(rest);
    if (longer)
        text[slash ? (size_t)(slash - text) + (slash == text) : 0] = '\0';
    return longer;
}

/* The real path of what exists of it, in `text`, and the rest as it is. */
static char *canonical_of(char *text)
{
    char *rest = cst_strdup("");
    char *real = NULL;
    char *whole = NULL;

    while (rest && !(real = realpath(*text ? text : ".", NULL)) &&
           errno == ENOENT)
        rest = move_part(text, rest);
    if (rest && real) {
        whole = cst_format("%s%s%s", real, *rest ? "/" : "", rest);
        errno = ENOMEM;
    }
    free(real);
    cst_free(rest);
    return whole;
}

/*
 * The path made absolute, so that ./a and a and a link to it are one file. What
 * of it does not exist yet is taken as it is written. NULL, with errno.
 */
static char *canonical(const char *path)
{
    char *text = cst_strdup(path);
    char *whole = NULL;

    errno = ENOMEM;
    if (text)
        whole = canonical_of(text);
    if (whole)
        cst_path_clean(whole);
    cst_free(text);
    return whole;
}

static struct cst_file *find(const char *path)
{
    struct cst_file *file = files[hash(path) % BUCKETS];

    while (file && strcmp(file->path, path) != 0)
        file = file->next;
    return file;
}

static struct cst_file *add(const char *path, bool is_directory)
{
    struct cst_file **bucket = &files[hash(path) % BUCKETS];
    size_t size = strlen(path) + 1;
    struct cst_file *file = cst_zalloc(sizeof(*file) + size);

    if (!file)
        return NULL;
    memcpy(file->path, path, size);
    file->is_directory = is_directory;
    file->edition = edition_new(file);
    if (!file->edition) {
        cst_free(file);
        return NULL;
    }
    file->next = *bucket;
    *bucket = file;
    return file;
}

/* The directory that tasks name as a whole and that this is in; the path is
   changed meanwhile. */
static struct cst_file *find_around(char *path)
{
    struct cst_file *file = NULL;

    for (char *slash = strrchr(path, '/'); slash && slash > path && !file;) {
        char *before;

        *slash = '\0';
        file = find(path);
        if (file && !file->is_directory)
            file = NULL;
        before = strrchr(path, '/');
        *slash = '/';
        slash = before;
    }
    return file;
}

/* A file that tasks use by itself and that is in the directory. */
static struct cst_file *find_inside(const char *directory)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct cst_file *file = files[i]; file; file = file->next)
            if (cst_path_is_in(file->path, directory, NULL) &&
                strcmp(file->path, directory) != 0)
                return file;
    return NULL;
}

static void absorb(struct cst_file *file)
{
    struct cst_file **link = &files[hash(file->path) % BUCKETS];

    if (file->absorbed)
        return;
    while (*link != file)
        link = &(*link)->next;
    *link = file->next;
    file->next = absorbed;
    file->absorbed = true;
    absorbed = file;
}

void cst_file_absorb(struct cst_file *file)
{
    (void)pthread_mutex_lock(&mutex);
    absorb(file);
    (void)pthread_mutex_unlock(&mutex);
}

static bool is_idle(struct cst_file *file)
{
    return !file->dirty &&
           atomic_load(&file->submitted) == atomic_load(&file->finished);
}

/* ---- Which edition -------------------------------------------------------------- */

static enum castell_status no_memory(void)
{
    return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a file's name");
}

/* It was named otherwise before. */
static enum castell_status change_kind(struct cst_file *file, bool is_directory)
{
    if (file->is_directory == is_directory)
        return CASTELL_OK;
    if (!is_idle(file) || file->is_directory)
        return cst_fail(CASTELL_ERR_INVALID,
                        "%s is named as a file, and as a directory",
                        file->path);
    file->is_directory = true;
    return CASTELL_OK;
}

static enum castell_status choose(struct cst_file *file,
                                  const struct cst_file_request *request,
                                  struct cst_edition **ret_edition)
{
    struct cst_edition *edition = file->edition;

    if (request->renames && request->writes && !request->reads &&
        edition->users > 0) {
        edition = edition_new(file);
        if (!edition)
            return no_memory();
        file->edition = edition;
    }
    *ret_edition = edition;
    return CASTELL_OK;
}

static enum castell_status resolve(char *path,
                                   const struct cst_file_request *request,
                                   struct cst_edition **ret_edition,
                                   char **ret_below,
                                   struct cst_file **ret_inside)
{
    struct cst_file *file = find_around(path);
    struct cst_file *inside = NULL;
    const char *rest;
    enum castell_status status;

    if (file) {
        (void)cst_path_is_in(path, file->path, &rest);
        *ret_below = cst_strdup(rest);
        *ret_edition = file->edition;
        return *ret_below ? CASTELL_OK : no_memory();
    }
    while (request->is_directory && (inside = find_inside(path)) &&
           is_idle(inside))
        absorb(inside);
    if (inside) {
        *ret_inside = inside;
        return CASTELL_OK;
    }
    file = find(path);
    if (!file)
        file = add(path, request->is_directory);
    if (!file)
        return no_memory();
    status = change_kind(file, request->is_directory);
    return status == CASTELL_OK ? choose(file, request, ret_edition) : status;
}

enum castell_status cst_file_resolve(const struct cst_file_request *request,
                                     struct cst_edition **ret_edition,
                                     char **ret_below,
                                     struct cst_file **ret_inside)
{
    char *path = canonical(request->path);
    enum castell_status status;

    *ret_below = NULL;
    *ret_inside = NULL;
    if (!path && errno == ENOMEM)
        return no_memory();
    if (!path || strlen(path) >= CST_PATH_MAX ||
        strlen(cst_path_name(path)) > CST_PATH_NAME_MAX) {
        status =
            cst_fail(CASTELL_ERR_INVALID, "file %.200s%s: %s", request->path,
                     strlen(request->path) > 200 ? "..." : "",
                     strerrordesc_np(path ? ENAMETOOLONG : errno));
        cst_free(path);
        return status;
    }
    (void)pthread_mutex_lock(&mutex);
    status = resolve(path, request, ret_edition, ret_below, ret_inside);
    (void)pthread_mutex_unlock(&mutex);
    cst_free(path);
    return status;
}

void cst_edition_enter(struct cst_edition *edition, bool writes)
{
    struct cst_file *file = edition->file;

    (void)pthread_mutex_lock(&mutex);
    edition->users++;
    if (writes && !file->dirty) {
        file->dirty = true;
        file->next_dirty = dirty;
        dirty = file;
    }
    (void)pthread_mutex_unlock(&mutex);
    atomic_fetch_add(&file->submitted, 1);
}

void cst_edition_leave(struct cst_edition *edition)
{
    struct cst_file *file = edition->file;
    struct cst_content *content = NULL;

    (void)pthread_mutex_lock(&mutex);
    edition->users--;
    if (edition->users == 0 && file->edition != edition) {
        content = edition->content;
        edition->content = NULL;
        edition->next = free_editions;
        free_editions = edition;
    }
    (void)pthread_mutex_unlock(&mutex);
    cst_content_unref(content);
    atomic_fetch_add(&file->finished, 1);
}

/* ---- Versions -------------------------------------------------------------------- */

struct cst_content *cst_edition_content(struct cst_edition *edition)
{
    struct cst_content *content = NULL;

    (void)pthread_mutex_lock(&mutex);
    if (edition->content)
        content = cst_content_ref(edition->content);
    (void)pthread_mutex_unlock(&mutex);
    return content ? content : cst_content_in_place(edition->file->path, 0);
}

void cst_edition_set(struct cst_edition *edition, struct cst_content *content)
{
    struct cst_content *before;

    (void)pthread_mutex_lock(&mutex);
    before = edition->content;
    edition->content = content;
    (void)pthread_mutex_unlock(&mutex);
    cst_content_unref(before);
}

/* The next that is to be published, or that file if it is. */
static struct cst_file *take_dirty(struct cst_file *only)
{
    struct cst_file **link = &dirty;
    struct cst_file *file;

    (void)pthread_mutex_lock(&mutex);
    while (*link && only && *link != only)
        link = &(*link)->next_dirty;
    file = *link;
    if (file) {
        *link = file->next_dirty;
        file->dirty = false;
    }
    (void)pthread_mutex_unlock(&mutex);
    return file;
}

/* The lock is not held while the disk works; it is main's file meanwhile. */
static enum castell_status publish_one(struct cst_file *file, bool several)
{
    struct cst_content *content;
    enum castell_status status;

    (void)pthread_mutex_lock(&mutex);
    content = file->edition->content;
    if (content)
        (void)cst_content_ref(content);
    (void)pthread_mutex_unlock(&mutex);
    if (!content)
        return CASTELL_OK;
    status = cst_content_publish(content, file->path, several);
    if (status == CASTELL_OK)
        cst_edition_set(file->edition, NULL);
    cst_content_unref(content);
    return status;
}

enum castell_status cst_files_publish(struct cst_file *file, bool several)
{
    enum castell_status status = CASTELL_OK;
    struct cst_file *one;

    while ((one = take_dirty(file))) {
        enum castell_status one_status = publish_one(one, several);

        if (one_status != CASTELL_OK)
            status = one_status; /* the last one's text */
        if (file)
            break;
    }
    return status;
}
