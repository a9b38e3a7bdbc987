#include "files/tree.h"

#include "base/fail.h"
#include "base/memory.h"
#include "files/path.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { MODE_BITS = 07777, PIECE = 1 << 20, WHY_MAX = 1024 };

static enum castell_status fail_at(const char *what, const char *path)
{
    return cst_fail(CASTELL_ERR_SYSTEM, "cannot %s %s: %s", what, path,
                    strerrordesc_np(errno));
}

/* A walk over all of it: each directory before and after what is in it. */
static FTS *walk(const char *path)
{
    char *const paths[] = {(char *)(uintptr_t)path, NULL};

    return fts_open(paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
}

/* ---- Copying -------------------------------------------------------------- */

/* For file systems, and pairs of them, that cannot do it themselves. */
static bool copy_by_hand(int from, int to)
{
    char *piece = cst_alloc(PIECE);
    ssize_t got = -1;

    if (!piece) {
        errno = ENOMEM;
        return false;
    }
    while ((got = read(from, piece, PIECE)) > 0) {
        ssize_t put = 0;

        while (put < got) {
            ssize_t more = write(to, piece + put, (size_t)(got - put));

            if (more < 0) {
                cst_free(piece);
                return false;
            }
            put += more;
        }
    }
    cst_free(piece);
    return got == 0;
}

static bool copy_bytes(int from, int to)
{
    ssize_t copied;
    bool any = false;

    if (ioctl(to, FICLONE, from) == 0)
        return true;
    while ((copied = copy_file_range(from, NULL, to, NULL, SSIZE_MAX, 0)) > 0)
        any = true;
    if (copied < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO))
        return false;
    /* Some files say that they are empty and are not: read what is left. */
    return (copied == 0 && any) || copy_by_hand(from, to);
}

static enum castell_status copy_file(const char *from, const char *to,
                                     mode_t mode)
{
    int source = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int made;
    bool good;

    if (source < 0)
        return fail_at("read", from);
    made = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (made < 0) {
        int why = errno;

        (void)close(source);
        errno = why;
        return fail_at("write", to);
    }
    good = copy_bytes(source, made) && fchmod(made, mode & MODE_BITS) == 0;
    if (!good) {
        enum castell_status status = fail_at("write", to);

        (void)close(source);
        (void)close(made);
        return status;
    }
    (void)close(source);
    return close(made) == 0 ? CASTELL_OK : fail_at("write", to);
}

char *cst_tree_link(const char *path)
{
    char *target = cst_alloc(CST_PATH_MAX);
    ssize_t size = target ? readlink(path, target, CST_PATH_MAX - 1) : -1;

    if (size >= 0) {
        target[size] = '\0';
        return target;
    }
    errno = target ? errno : ENOMEM;
    cst_free(target);
    return NULL;
}

static enum castell_status copy_link(const char *from, const char *inside,
                                     const char *to)
{
    char *target = cst_tree_link(from);
    enum castell_status status = CASTELL_OK;

    if (!target)
        return fail_at("read", from);
    if (cst_path_escapes(inside, target))
        status =
            cst_fail(CASTELL_ERR_SYSTEM,
                     "link %s leads out of its directory, to %s", from, target);
    else if (symlink(target, to) != 0)
        status = fail_at("make", to);
    cst_free(target);
    return status;
}

static enum castell_status copy_entry(const FTSENT *entry, const char *inside,
                                      const char *to)
{
    errno = entry->fts_errno;
    switch (entry->fts_info) {
    case FTS_D: /* writable while it is filled */
        return mkdir(to, 0700) == 0 ? CASTELL_OK : fail_at("make", to);
    case FTS_DP:
        return chmod(to, entry->fts_statp->st_mode & MODE_BITS) == 0
                   ? CASTELL_OK
                   : fail_at("make", to);
    case FTS_F:
        return copy_file(entry->fts_path, to, entry->fts_statp->st_mode);
    case FTS_SL:
    case FTS_SLNONE:
        return copy_link(entry->fts_path, inside, to);
    case FTS_DEFAULT:
        return cst_fail(CASTELL_ERR_SYSTEM,
                        "%s is neither a file nor a directory",
                        entry->fts_path);
    default:
        return fail_at("read", entry->fts_path);
    }
}

enum castell_status cst_tree_copy(const char *from, const char *to)
{
    FTS *fts = walk(from);
    size_t skip = strlen(from);
    enum castell_status status = CASTELL_OK;
    const FTSENT *entry;

    if (!fts)
        return fail_at("read", from);
    while (status == CASTELL_OK && (entry = fts_read(fts))) {
        const char *inside = entry->fts_path + skip;
        char *into = cst_format("%s%s", to, inside);

        while (*inside == '/')
            inside++;
        status = into ? copy_entry(entry, inside, into)
                      : cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to copy");
        cst_free(into);
    }
    (void)fts_close(fts);
    if (status != CASTELL_OK) {
        char why[WHY_MAX];

        (void)snprintf(why, sizeof(why), "%s", castell_error_text());
        cst_tree_remove(to);
        return cst_fail(status, "%s", why);
    }
    return status;
}

/* ---- All below -------------------------------------------------------------- */

void cst_tree_remove(const char *path)
{
    const FTSENT *entry;
    FTS *fts;

    if (unlink(path) == 0 || errno == ENOENT)
        return;
    fts = walk(path);
    while (fts && (entry = fts_read(fts))) {
        if (entry->fts_info == FTS_D) /* it may not let us list or change it */
            (void)chmod(entry->fts_path, 0700);
        else if (entry->fts_info == FTS_DP)
            (void)rmdir(entry->fts_path);
        else
            (void)unlink(entry->fts_path);
    }
    if (fts)
        (void)fts_close(fts);
}

uint64_t cst_tree_bytes(const char *path)
{
    FTS *fts = walk(path);
    uint64_t bytes = 0;
    const FTSENT *entry;

    while (fts && (entry = fts_read(fts)))
        if (entry->fts_info == FTS_F)
            bytes += (uint64_t)entry->fts_statp->st_size;
    if (fts)
        (void)fts_close(fts);
    return bytes;
}

static enum castell_status sync_one(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    int result;

    if (file < 0) /* write-only files cannot be synchronised by name */
        return errno == EACCES ? CASTELL_OK : fail_at("read", path);
    result = fsync(file);
    if (result != 0 && errno != EINVAL && errno != ENOTSUP) {
        (void)close(file);
        return fail_at("write", path);
    }
    (void)close(file);
    return CASTELL_OK;
}

enum castell_status cst_tree_sync(const char *path)
{
    FTS *fts = walk(path);
    enum castell_status status = CASTELL_OK;
    const FTSENT *entry;

    while (fts && status == CASTELL_OK && (entry = fts_read(fts)))
        if (entry->fts_info == FTS_F || entry->fts_info == FTS_DP)
            status = sync_one(entry->fts_path);
    if (fts)
        (void)fts_close(fts);
    return status;
}
