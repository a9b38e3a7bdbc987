#include "files/path.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *cst_path_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

bool cst_path_is_in(const char *path, const char *directory,
                    const char **ret_rest)
{
    size_t size = strlen(directory);

    if (size > 0 && directory[size - 1] == '/') /* the root */
        size--;
    if (strncmp(path, directory, size) != 0 ||
        (path[size] != '\0' && path[size] != '/'))
        return false;
    if (ret_rest)
        *ret_rest = path[size] ? path + size + 1 : path + size;
    return true;
}

/* The part that begins there, and where the next one does. */
static size_t part(const char *from, const char **ret_next)
{
    size_t size = strcspn(from, "/");
    const char *next = from + size;

    while (*next == '/')
        next++;
    *ret_next = next;
    return size;
}

static bool is_up(const char *from, size_t size)
{
    return size == 2 && from[0] == '.' && from[1] == '.';
}

/* Take the last part off what has been kept; false: there is none. */
static bool go_up(char *kept, size_t *size, size_t first)
{
    size_t end = *size;
    size_t start;

    if (end <= first)
        return false;
    start = end;
    while (start > first && kept[start - 1] != '/')
        start--;
    if (is_up(kept + start, end - start))
        return false;
    *size = start > first ? start - 1 : first;
    return true;
}

void cst_path_clean(char *path)
{
    size_t first = path[0] == '/' ? 1 : 0;
    const char *next = path + first;
    size_t kept = first;

    while (*next == '/')
        next++;
    while (*next) {
        const char *from = next;
        size_t size = part(from, &next);

        if (size == 1 && from[0] == '.')
            continue;
        if (is_up(from, size) && (go_up(path, &kept, first) || first == 1))
            continue;
        if (kept > first)
            path[kept++] = '/';
        memmove(path + kept, from, size);
        kept += size;
    }
    if (kept == 0)
        path[kept++] = '.';
    path[kept] = '\0';
}

/* How far down the path leads from `depth`; -1: up and out of there. */
static long descend(const char *path, long depth)
{
    while (*path && depth >= 0) {
        const char *from = path;
        size_t size = part(from, &path);

        if (is_up(from, size))
            depth--;
        else if (size > 0 && !(size == 1 && from[0] == '.'))
            depth++;
    }
    return depth;
}

bool cst_path_is_inner(const char *path)
{
    if (path[0] == '/' || path[0] == '\0')
        return false;
    while (*path) {
        const char *from = path;
        size_t size = part(from, &path);

        if (is_up(from, size) || (size == 1 && from[0] == '.'))
            return false;
    }
    return true;
}

bool cst_path_escapes(const char *path, const char *target)
{
    if (target[0] == '/')
        return true;
    return descend(target, descend(path, 0) - 1) < 0;
}

void cst_path_private(const char *path, uint64_t number,
                      char into[CST_PATH_NAME_MAX + 1])
{
    const char *name = cst_path_name(path);
    size_t size = strlen(name);

    if (size > CST_PATH_TAIL_MAX)
        name += size - CST_PATH_TAIL_MAX;
    (void)snprintf(into, CST_PATH_NAME_MAX + 1, "%" PRIu64 "-%s", number, name);
}
