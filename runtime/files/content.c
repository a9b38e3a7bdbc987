#include "files/content.h"

#include "base/fail.h"
#include "base/memory.h"
#include "files/path.h"
#include "files/place.h"
#include "files/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MODE_BITS = 07777 };

struct cst_content {
    _Atomic(uint32_t) refs;
    bool is_directory;
    bool is_private; /* Guarded by mutex, as path */
    char *path;      /* NULL: nothing */
    char *why;       /* it is broken; or NULL */
    uint64_t inode;  /* in place: 0 for any */
    uint64_t scratch_bytes;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static enum castell_status fail_at(const char *what, const char *path)
{
    return cst_fail(CASTELL_ERR_SYSTEM, "cannot %s %s: %s", what, path,
                    strerrordesc_np(errno));
}

/* ---- Life ------------------------------------------------------------------ */

struct cst_content *cst_content_nothing(void)
{
    struct cst_content *content = cst_zalloc(sizeof(*content));

    if (content)
        atomic_store(&content->refs, 1);
    return content;
}

struct cst_content *cst_content_in_place(const char *path, uint64_t inode)
{
    struct cst_content *content = cst_content_nothing();

    if (!content)
        return NULL;
    content->path = cst_strdup(path);
    content->inode = inode;
    if (content->path)
        return content;
    cst_free(content);
    return NULL;
}

struct cst_content *cst_content_private(char *name, bool is_directory,
                                        uint64_t scratch_bytes)
{
    struct cst_content *content = cst_content_nothing();

    if (!content)
        return NULL;
    content->path = name;
    content->is_directory = is_directory;
    content->is_private = true;
    content->scratch_bytes = scratch_bytes;
    return content;
}

struct cst_content *cst_content_broken(const char *why)
{
    struct cst_content *content = cst_content_nothing();

    if (!content)
        return NULL;
    content->why = cst_strdup(why);
    if (content->why)
        return content;
    cst_free(content);
    return NULL;
}

struct cst_content *cst_content_ref(struct cst_content *content)
{
    atomic_fetch_add(&content->refs, 1);
    return content;
}

void cst_content_unref(struct cst_content *content)
{
    if (!content || atomic_fetch_sub(&content->refs, 1) > 1)
        return;
    if (content->is_private) {
        cst_tree_remove(content->path);
        cst_scratch_give(content->scratch_bytes);
    }
    cst_free(content->path);
    cst_free(content->why);
    cst_free(content);
}

/* ---- Where it is ------------------------------------------------------------- */

bool cst_content_look(const char *path, struct cst_content_mark *ret_mark,
                      bool *ret_is_directory)
{
    struct stat status;

    if (stat(path, &status) != 0 ||
        (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)))
        return false;
    *ret_is_directory = S_ISDIR(status.st_mode);
    *ret_mark = (struct cst_content_mark){
        .inode = status.st_ino,
        .size = (uint64_t)status.st_size,
        .changed_ns = (uint64_t)status.st_mtim.tv_sec * 1000000000u +
                      (uint64_t)status.st_mtim.tv_nsec};
    return true;
}

/* Where something that was replaced by a new version is kept. */
static char *kept_name(const char *path, uint64_t inode)
{
    return cst_format("%.*s" CST_PATH_PLACE "%016" PRIx64 "/old-%" PRIu64,
                      (int)(cst_path_name(path) - path), path, cst_places_run(),
                      inode);
}

static bool has_inode(const char *path, uint64_t inode)
{
    struct stat status;

    return stat(path, &status) == 0 && status.st_ino == inode;
}

bool cst_content_is_private(struct cst_content *content)
{
    bool is_private;

    (void)pthread_mutex_lock(&mutex);
    is_private = content->is_private;
    (void)pthread_mutex_unlock(&mutex);
    return is_private;
}

enum castell_status cst_content_find(struct cst_content *content,
                                     char **ret_path)
{
    char *path;
    char *kept;

    if (content->why)
        return cst_fail(CASTELL_ERR_SYSTEM, "%s", content->why);
    *ret_path = NULL;
    (void)pthread_mutex_lock(&mutex);
    path = content->path ? cst_strdup(content->path) : NULL;
    (void)pthread_mutex_unlock(&mutex);
    if (!path)
        return content->path ? cst_fail(CASTELL_ERR_NO_MEMORY,
                                        "no memory for a file's name")
                             : CASTELL_OK;
    if (content->inode && !has_inode(path, content->inode)) {
        kept = kept_name(path, content->inode);
        if (!kept || !has_inode(kept, content->inode)) {
            enum castell_status status = cst_fail(
                CASTELL_ERR_SYSTEM, "file %s was replaced while in use", path);

            cst_free(kept);
            cst_free(path);
            return status;
        }
        cst_free(path);
        path = kept;
    }
    *ret_path = path;
    return CASTELL_OK;
}

/* The same under another name: a link where that can be. */
static enum castell_status duplicate(const char *from, const char *to,
                                     bool is_directory)
{
    if (!is_directory && link(from, to) == 0)
        return CASTELL_OK;
    return cst_tree_copy(from, to);
}

enum castell_status cst_content_keep(struct cst_content *content)
{
    struct cst_content_mark mark;
    enum castell_status status;
    bool is_directory, scratch;
    char *name = NULL;

    if (!content->path || cst_content_is_private(content) ||
        !cst_content_look(content->path, &mark, &is_directory))
        return CASTELL_OK;
    status = cst_place_name(content->path, &name, &scratch);
    if (status == CASTELL_OK)
        status = duplicate(content->path, name, is_directory);
    if (status != CASTELL_OK) {
        cst_free(name);
        return status;
    }
    (void)pthread_mutex_lock(&mutex);
    cst_free(content->path);
    content->path = name;
    content->is_private = true;
    content->is_directory = is_directory;
    (void)pthread_mutex_unlock(&mutex);
    return status;
}

/* ---- Publication -------------------------------------------------------------- */

/* Put a directory where one is: at once if the file system can. */
static bool swap_directories(const char *name, const char *target)
{
    char *aside;
    bool good;

    if (renameat2(AT_FDCWD, name, AT_FDCWD, target, RENAME_EXCHANGE) == 0) {
        cst_tree_remove(name);
        return true;
    }
    aside = cst_format("%s.old", name);
    good = aside && rename(target, aside) == 0;
    if (good && rename(name, target) != 0) {
        int why = errno;

        (void)!rename(aside, target);
        errno = why;
        good = false;
    }
    if (good)
        cst_tree_remove(aside);
    cst_free(aside);
    return good;
}

static bool replace(const char *name, const char *target, bool is_directory)
{
    if (rename(name, target) == 0)
        return true;
    return is_directory && (errno == ENOTEMPTY || errno == EEXIST) &&
           swap_directories(name, target);
}

/* The directory's entry is on disk too; where that cannot be said, so be it. */
static void sync_directory(const char *target)
{
    char *path =
        cst_format("%.*s", (int)(cst_path_name(target) - target), target);
    int directory = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (directory >= 0) {
        (void)fsync(directory);
        (void)close(directory);
    }
    cst_free(path);
}

/* What is there now may be replaced, and passes on its permissions. */
static enum castell_status prepare(const struct cst_content *content,
                                   const char *target, bool several)
{
    struct stat status;

    if (lstat(target, &status) != 0)
        return errno == ENOENT ? CASTELL_OK : fail_at("write", target);
    if (S_ISDIR(status.st_mode) != content->is_directory)
        return cst_fail(CASTELL_ERR_SYSTEM, "cannot write %s: it is %s", target,
                        content->is_directory ? "no directory" : "a directory");
    (void)chmod(content->path, status.st_mode & MODE_BITS);
    if (several && S_ISREG(status.st_mode)) {
        char *kept = kept_name(target, status.st_ino);

        if (kept)
            (void)!link(target, kept);
        cst_free(kept);
    }
    return CASTELL_OK;
}

/* Others use it as well: they keep it, and the target is another. */
static enum castell_status publish_copy(struct cst_content *content,
                                        const char *target)
{
    enum castell_status status;
    char *name = NULL;
    bool scratch;

    status = cst_place_name(target, &name, &scratch);
    if (status == CASTELL_OK)
        status = duplicate(content->path, name, content->is_directory);
    if (status == CASTELL_OK && !replace(name, target, content->is_directory)) {
        status = fail_at("write", target);
        cst_tree_remove(name);
    }
    cst_free(name);
    return status;
}

static enum castell_status publish(struct cst_content *content,
                                   const char *target)
{
    char *path;

    if (atomic_load(&content->refs) > 2) /* the edition, and who calls */
        return publish_copy(content, target);
    path = cst_strdup(target);
    if (!path)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a file's name");
    if (!replace(content->path, target, content->is_directory)) {
        bool elsewhere = errno == EXDEV;
        enum castell_status status = fail_at("write", target);

        cst_free(path);
        return elsewhere ? publish_copy(content, target) : status;
    }
    cst_free(content->path);
    content->path = path;
    content->is_private = false;
    return CASTELL_OK;
}

enum castell_status cst_content_publish(struct cst_content *content,
                                        const char *target, bool several)
{
    enum castell_status status;

    if (content->why)
        return cst_fail(CASTELL_ERR_SYSTEM, "%s", content->why);
    if (!content->path || !cst_content_is_private(content))
        return CASTELL_OK;
    status = cst_tree_sync(content->path);
    if (status == CASTELL_OK)
        status = prepare(content, target, several);
    if (status != CASTELL_OK)
        return status;
    (void)pthread_mutex_lock(&mutex);
    status = publish(content, target);
    (void)pthread_mutex_unlock(&mutex);
    if (status == CASTELL_OK)
        sync_directory(target);
    return status;
}
