#include "device/cache.h"

#include "base/memory.h"
#include "base/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HASH_SIZE = 16, CONTENT_MAX = 256 << 20 };

/* The directory's name, freed by cst_free(); or NULL. */
static char *name_directory(void)
{
    const char *given = cst_parse_environment("CASTELL_CACHE");
    const char *cache = cst_parse_environment("XDG_CACHE_HOME");
    const char *home = cst_parse_environment("HOME");

    if (given)
        return cst_strdup(given);
    if (cache && cache[0] == '/')
        return cst_format("%s/castell", cache);
    if (home && home[0] == '/')
        return cst_format("%s/.cache/castell", home);
    return NULL;
}

/* The same, made if need be. */
static char *make_directory(void)
{
    char *path = name_directory();

    if (!path)
        return NULL;
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return path;
    cst_free(path);
    return NULL;
}

/* Freed by cst_free(); NULL: there is no place for it. */
static char *find_file(const char *what, const char *by, const char *from)
{
    unsigned char hash[HASH_SIZE];
    char hex[2 * HASH_SIZE + 1];
    crypto_generichash_state state;
    char *directory;
    char *path;

    if (sodium_init() < 0)
        return NULL;
    directory = make_directory();
    if (!directory)
        return NULL;
    (void)crypto_generichash_init(&state, NULL, 0, sizeof(hash));
    (void)crypto_generichash_update(&state, (const unsigned char *)by,
                                    strlen(by) + 1);
    (void)crypto_generichash_update(&state, (const unsigned char *)from,
                                    strlen(from));
    (void)crypto_generichash_final(&state, hash, sizeof(hash));
    (void)sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
    path = cst_format("%s/%s-%s", directory, what, hex);
    cst_free(directory);
    return path;
}

void *cst_cache_read(const char *what, const char *by, const char *from,
                     size_t *ret_size)
{
    char *path = find_file(what, by, from);
    struct stat status;
    char *content = NULL;
    size_t done = 0;
    int file;

    if (!path)
        return NULL;
    file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    cst_free(path);
    if (file < 0)
        return NULL;
    /* Nobody else's: it will be run. */
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) &&
        status.st_uid == geteuid() && status.st_size > 0 &&
        status.st_size <= CONTENT_MAX)
        content = cst_alloc((size_t)status.st_size);
    while (content && done < (size_t)status.st_size) {
        ssize_t got = read(file, content + done, (size_t)status.st_size - done);

        if (got <= 0) {
            cst_free(content);
            content = NULL;
            break;
        }
        done += (size_t)got;
    }
    (void)close(file);
    *ret_size = done;
    return content;
}

static bool write_all(int file, const char *content, size_t size)
{
    while (size > 0) {
        ssize_t put = write(file, content, size);

        if (put <= 0)
            return false;
        content += put;
        size -= (size_t)put;
    }
    return true;
}

/* Under another name first: who reads finds all of it or nothing. */
void cst_cache_write(const char *what, const char *by, const char *from,
                     const void *content, size_t size)
{
    char *path = find_file(what, by, from);
    char *made = path ? cst_format("%s.XXXXXX", path) : NULL;
    int file = made ? mkostemp(made, O_CLOEXEC) : -1;

    if (file >= 0) {
        bool whole = write_all(file, content, size);

        if (close(file) != 0 || !whole || rename(made, path) != 0)
            (void)unlink(made);
    }
    cst_free(made);
    cst_free(path);
}
