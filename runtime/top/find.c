/*
 * Which runs there are, and which one is meant.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "top/top.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static enum castell_status add(struct cst_top_runs *runs, const char *directory,
                               const char *name)
{
    struct cst_top_run run = {.process = 0};
    struct cst_top_run *list;
    struct stat status;
    size_t program;
    int length = snprintf(run.path, sizeof(run.path), "%s/%s", directory, name);

    if (name[0] == '.' || length >= CST_WATCH_PATH_MAX ||
        !cst_watch_read_name(name, &program, &run.process) ||
        lstat(run.path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return CASTELL_OK;
    (void)snprintf(run.program, sizeof(run.program), "%.*s", (int)program,
                   name);
    for (size_t i = 0; i < runs->count; i++)
        if (strcmp(runs->list[i].path, run.path) == 0)
            return CASTELL_OK;
    list = cst_realloc(runs->list, (runs->count + 1) * sizeof(*list));
    if (!list)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a list of runs");
    list[runs->count++] = run;
    runs->list = list;
    return CASTELL_OK;
}

static enum castell_status add_all(struct cst_top_runs *runs,
                                   const char *directory)
{
    enum castell_status status = CASTELL_OK;
    DIR *open = opendir(directory);
    const struct dirent *entry;

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    while (open && status == CASTELL_OK && (entry = readdir(open)))
        status = add(runs, directory, entry->d_name);
    if (open)
        (void)closedir(open);
    return status;
}

static int by_process(const void *a, const void *b)
{
    const struct cst_top_run *first = a;
    const struct cst_top_run *second = b;

    return first->process < second->process   ? -1
           : first->process > second->process ? 1
                                              : 0;
}

enum castell_status cst_top_find(struct cst_top_runs *ret_runs)
{
    enum castell_status status = CASTELL_OK;
    char directory[CST_WATCH_PATH_MAX];

    *ret_runs = (struct cst_top_runs){.count = 0};
    for (size_t n = 0;
         status == CASTELL_OK && cst_watch_directory(n, directory); n++) {
        if (!*directory || !cst_watch_is_private(directory))
            continue;
        cst_watch_clean(directory);
        status = add_all(ret_runs, directory);
    }
    if (status != CASTELL_OK)
        cst_top_runs_release(ret_runs);
    else if (ret_runs->count > 0)
        qsort(ret_runs->list, ret_runs->count, sizeof(*ret_runs->list),
              by_process);
    return status;
}

void cst_top_runs_release(struct cst_top_runs *runs)
{
    cst_free(runs->list);
    *runs = (struct cst_top_runs){.count = 0};
}

/* ---- The one that is meant ---------------------------------------------------- */

static bool is_meant(const struct cst_top_run *run, const char *name)
{
    const char *slash = strrchr(run->path, '/');
    char number[24];

    (void)snprintf(number, sizeof(number), "%ld", run->process);
    return !name || strcmp(name, run->program) == 0 ||
           strcmp(name, number) == 0 || (slash && strcmp(name, slash + 1) == 0);
}

/* "a.1, b.2": those that are meant, or all. */
static void name_runs(const struct cst_top_runs *runs, const char *name,
                      char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < runs->count && used < size; i++)
        if (is_meant(&runs->list[i], name))
            used += (size_t)snprintf(
                text + used, size - used, "%s%s.%ld", used > 0 ? ", " : "",
                runs->list[i].program, runs->list[i].process);
}

static enum castell_status choose(const struct cst_top_runs *runs,
                                  const char *name, struct cst_top_run *ret_run)
{
    enum { TEXT_SIZE = 400 };
    char text[TEXT_SIZE];
    size_t meant = 0;

    for (size_t i = 0; i < runs->count; i++)
        if (is_meant(&runs->list[i], name)) {
            *ret_run = runs->list[i];
            meant++;
        }
    if (meant == 1)
        return CASTELL_OK;
    if (runs->count == 0)
        return cst_fail(CASTELL_ERR_INVALID,
                        "no run of yours goes on here; of a run on several "
                        "nodes, look on the node of main()");
    name_runs(runs, meant > 0 ? name : NULL, text, sizeof(text));
    if (meant == 0)
        return cst_fail(CASTELL_ERR_INVALID,
                        "no run \"%s\" of yours goes on here; there is %s",
                        name, text);
    return cst_fail(CASTELL_ERR_INVALID, "which run? There are %s", text);
}

enum castell_status cst_top_choose(const char *name,
                                   struct cst_top_run *ret_run)
{
    struct cst_top_runs runs;
    enum castell_status status = cst_top_find(&runs);

    if (status == CASTELL_OK)
        status = choose(&runs, name, ret_run);
    cst_top_runs_release(&runs);
    return status;
}
