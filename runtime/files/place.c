#include "files/place.h"

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/parse.h"
#include "files/path.h"
#include "files/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* A place that nobody has locked is left alone when it is younger: it may be
   somebody's who has not locked it yet. By the file system's own clock. */
enum { YOUNG_S = 60 };

enum { MARK_MAX = 32 };

static const char scratch_prefix[] = "castell-scratch-";

struct place {
    struct place *next;
    int lock;
    char path[];
};

static struct {
    pthread_mutex_t mutex;
    struct place *places;  /* Guarded by mutex: those that we made */
    struct place *scratch; /* ... one of them, or NULL */
    pid_t owner;           /* 0: nobody */
    uint64_t run;
    uint32_t self; /* unlike those of other nodes */
    bool is_main;
    bool shared;
    uint64_t storage;
    _Atomic(uint64_t) used;
    _Atomic(uint64_t) names;
} here = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* ---- Locks ----------------------------------------------------------------- */

/* Lock a file of the place, with further flags of open(); or -1 with errno. */
static int lock_file(const char *place, const char *name, int flags)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char *path = cst_format("%s/%s", place, name);
    int file =
        path ? open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600) : -1;
    int why;

    cst_free(path);
    if (file < 0 || fcntl(file, F_OFD_SETLK, &lock) == 0)
        return file;
    why = errno;
    (void)close(file);
    errno = why;
    return -1;
}

static int lock_place(const char *place)
{
    return lock_file(place, "lock", O_CREAT);
}

/* Of a place that we make: nobody sees a lock that is not held. */
static int make_lock(const char *place)
{
    int file = lock_file(place, "new", O_CREAT | O_EXCL);
    char *from = cst_format("%s/new", place);
    char *to = cst_format("%s/lock", place);

    if (file >= 0 && (!from || !to || rename(from, to) != 0)) {
        (void)close(file);
        file = -1;
    }
    if (file < 0 && from) /* the place is ours, and so is what is in it */
        (void)unlink(from);
    cst_free(from);
    cst_free(to);
    return file;
}

static void remove_if_stale(const char *path, const struct stat *fresh)
{
    struct stat status;
    int lock;

    if (lstat(path, &status) != 0 || !S_ISDIR(status.st_mode) ||
        status.st_uid != fresh->st_uid ||
        status.st_mtime > fresh->st_mtime - YOUNG_S)
        return;
    lock = lock_place(path);
    if (lock < 0)
        return;
    cst_tree_remove(path);
    (void)close(lock);
}

/* Remove what runs that died have left beside a new place. */
static void clean_beside(const char *place, const char *prefix)
{
    size_t size = strlen(place) - strlen(cst_path_name(place));
    char *directory = cst_format("%.*s", (int)size, place);
    DIR *stream = directory ? opendir(directory) : NULL;
    const struct dirent *entry;
    struct stat fresh;

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread has the stream */
    while (stream && stat(place, &fresh) == 0 && (entry = readdir(stream))) {
        char *path = NULL;

        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0 ||
            strcmp(entry->d_name, place + size) == 0)
            continue;
        path = cst_format("%s%s", directory, entry->d_name);
        if (path)
            remove_if_stale(path, &fresh);
        cst_free(path);
    }
    if (stream)
        (void)closedir(stream);
    cst_free(directory);
}

/* ---- Life ------------------------------------------------------------------ */

static void at_exit(void)
{
    if (here.owner == getpid())
        cst_places_end();
}

static uint64_t random_number(void)
{
    uint64_t number;

    if (getrandom(&number, sizeof(number), GRND_NONBLOCK) == sizeof(number))
        return number;
    return cst_clock_ns() ^ ((uint64_t)getpid() << 32);
}

void cst_places_begin(bool shared, uint64_t storage)
{
    here.owner = getpid();
    here.shared = shared;
    here.is_main = true;
    here.storage = storage;
    atomic_store(&here.used, 0);
    here.run = random_number();
    here.self = (uint32_t)random_number();
}

uint64_t cst_places_run(void)
{
    return here.run;
}

void cst_places_set_run(uint64_t run, bool is_main)
{
    here.run = run;
    here.is_main = is_main;
}

bool cst_places_shared(void)
{
    return here.shared;
}

void cst_places_end(void)
{
    (void)pthread_mutex_lock(&here.mutex);
    while (here.places) {
        struct place *place = here.places;

        here.places = place->next;
        cst_tree_remove(place->path);
        (void)close(place->lock);
        cst_free(place);
    }
    here.scratch = NULL;
    here.owner = 0;
    (void)pthread_mutex_unlock(&here.mutex);
}

/* ---- Beside the files ------------------------------------------------------ */

/* With a slash at the end; or NULL. */
static char *directory_of(const char *path)
{
    return cst_format("%.*s", (int)(cst_path_name(path) - path), path);
}

static struct place *find(const char *path)
{
    struct place *place = here.places;

    while (place && strcmp(place->path, path) != 0)
        place = place->next;
    return place;
}

/* Lock a directory that was made, and keep it. */
static struct place *keep(const char *path)
{
    struct place *place = cst_alloc(sizeof(*place) + strlen(path) + 1);

    if (!place) {
        (void)rmdir(path);
        errno = ENOMEM;
        return NULL;
    }
    memcpy(place->path, path, strlen(path) + 1);
    place->lock = make_lock(path); /* some file systems have no locks */
    place->next = here.places;
    here.places = place;
    /* Each time: it comes before what the program has asked for by now, which
       may be to remove the directory that it is in. */
    (void)!atexit(at_exit);
    return place;
}

static char *place_of(const char *directory)
{
    return cst_format("%s" CST_PATH_PLACE "%016" PRIx64, directory, here.run);
}

static enum castell_status cannot(const char *path, int why)
{
    return cst_fail(CASTELL_ERR_SYSTEM, "cannot write %s: %s", path,
                    strerrordesc_np(why));
}

enum castell_status cst_place_make(const char *path, bool *ret_missing)
{
    char *directory = directory_of(path);
    char *name = directory ? place_of(directory) : NULL;
    bool made = false;
    int why = name ? 0 : ENOMEM;

    (void)pthread_mutex_lock(&here.mutex);
    if (name && !find(name)) {
        made = mkdir(name, 0700) == 0;
        if (!made || !keep(name))
            why = errno;
    }
    (void)pthread_mutex_unlock(&here.mutex);
    if (made && why == 0)
        clean_beside(name, CST_PATH_PLACE);
    cst_free(name);
    cst_free(directory);
    *ret_missing = why == ENOENT;
    return why ? cannot(path, why) : CASTELL_OK;
}

/* ---- Scratch ---------------------------------------------------------------- */

static const char *scratch_base(void)
{
    const char *base = cst_parse_environment("CASTELL_SCRATCH");

    if (!base)
        base = cst_parse_environment("TMPDIR");
    return base ? base : "/tmp";
}

static char *make_scratch(int *ret_why)
{
    const char *mark = cst_parse_environment(CST_SCRATCH_MARK);
    char *path = cst_format("%s/%s%.*sXXXXXX", scratch_base(), scratch_prefix,
                            MARK_MAX, mark ? mark : "");

    if (!path || !mkdtemp(path) || !(here.scratch = keep(path))) {
        *ret_why = path ? errno : ENOMEM;
        cst_free(path);
        return NULL;
    }
    return path;
}

/* The path of scratch; cst_free() takes it. */
static enum castell_status find_scratch(char **ret_path)
{
    char *made = NULL;
    int why = ENOMEM;

    (void)pthread_mutex_lock(&here.mutex);
    if (here.scratch)
        *ret_path = cst_strdup(here.scratch->path);
    else
        *ret_path = made = make_scratch(&why);
    (void)pthread_mutex_unlock(&here.mutex);
    if (made)
        clean_beside(made, scratch_prefix);
    if (*ret_path)
        return CASTELL_OK;
    return cst_fail(CASTELL_ERR_SYSTEM,
                    "cannot make a directory for files in %s: %s; see "
                    "CASTELL_SCRATCH",
                    scratch_base(), strerrordesc_np(why));
}

/* False: somebody has locked it. Where there are no locks it stays. */
static bool remove_if_dead(const char *path)
{
    struct stat status;
    int lock;

    if (lstat(path, &status) != 0 || !S_ISDIR(status.st_mode) ||
        status.st_uid != geteuid())
        return true;
    lock = lock_file(path, "lock", 0);
    if (lock < 0)
        return errno != EAGAIN && errno != EACCES;
    cst_tree_remove(path);
    (void)close(lock);
    return true;
}

bool cst_scratch_sweep(const char *mark)
{
    const char *base = scratch_base();
    char *prefix = cst_format("%s%.*s", scratch_prefix, MARK_MAX, mark);
    DIR *stream = prefix ? opendir(base) : NULL;
    const struct dirent *entry;
    bool all = true;

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread has the stream */
    while (stream && (entry = readdir(stream))) {
        char *path = NULL;

        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
            path = cst_format("%s/%s", base, entry->d_name);
        if (path && !remove_if_dead(path))
            all = false;
        cst_free(path);
    }
    if (stream)
        (void)closedir(stream);
    cst_free(prefix);
    return all;
}

enum castell_status cst_scratch_take(uint64_t bytes)
{
    uint64_t used = atomic_fetch_add(&here.used, bytes) + bytes;

    if (here.storage == 0 || used <= here.storage)
        return CASTELL_OK;
    atomic_fetch_sub(&here.used, bytes);
    return cst_fail(CASTELL_ERR_LIMIT,
                    "%" PRIu64 " bytes of files are more than CASTELL_STORAGE, "
                    "%" PRIu64 ", of this node",
                    used, here.storage);
}

void cst_scratch_give(uint64_t bytes)
{
    atomic_fetch_sub(&here.used, bytes);
}

/* ---- Names ------------------------------------------------------------------ */

/* The place beside the file, if this node has it or sees it; or NULL. */
static char *visible_place(const char *path)
{
    char *directory = directory_of(path);
    char *place =
        directory && (here.shared || here.is_main) ? place_of(directory) : NULL;
    struct stat status;

    if (place && (lstat(place, &status) != 0 || !S_ISDIR(status.st_mode))) {
        cst_free(place);
        place = NULL;
    }
    cst_free(directory);
    return place;
}

enum castell_status cst_place_name(const char *path, char **ret_name,
                                   bool *ret_scratch)
{
    char name[CST_PATH_NAME_MAX + 1];
    char *place = NULL;
    bool missing;

    if (here.is_main && cst_place_make(path, &missing) != CASTELL_OK)
        return CASTELL_ERR_SYSTEM;
    cst_path_private(path, atomic_fetch_add(&here.names, 1), name);
    place = visible_place(path);
    *ret_scratch = !place;
    if (!place && find_scratch(&place) != CASTELL_OK)
        return CASTELL_ERR_SYSTEM;
    /* Several nodes may use one place. */
    *ret_name = cst_format("%s/%" PRIx32 ".%s", place, here.self, name);
    cst_free(place);
    return *ret_name ? CASTELL_OK
                     : cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a name");
}
