/*
 * What was measured of implementations is kept from run to run in the user's
 * cache directory, by machine and program. CASTELL_MEASURES=off: it is not.
 */
#include "sched/recall.h"

#include "api/api.h"
#include "base/memory.h"
#include "base/parse.h"
#include "device/cache.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char what[] = "measures";

static bool is_on(void)
{
    const char *given = cst_parse_environment("CASTELL_MEASURES");

    return !given || strcmp(given, "off") != 0;
}

/*
 * The program: where it lies. And when it was made, for a new one has other
 * implementations behind the same names. Freed by cst_free(), or NULL.
 */
static char *name_program(void)
{
    char path[2048]; /* a longer one is cut: the time tells it apart */
    struct stat status;
    ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);

    if (size <= 0 || stat("/proc/self/exe", &status) != 0)
        return NULL;
    path[size] = '\0';
    return cst_format("%s %lld %lld.%09ld", path, (long long)status.st_size,
                      (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

void cst_api_recall(struct cst_run *run)
{
    char *program;
    char *text;
    size_t size = 0;

    if (!is_on() || !cst_recall_is_wanted())
        return;
    program = name_program();
    text =
        program ? cst_cache_read(what, run->topo->host, program, &size) : NULL;
    if (text)
        (void)cst_recall_read(cst_engine_kinds(run->engine), text, size);
    cst_free(text);
    cst_free(program);
}

void cst_api_remember(struct cst_run *run)
{
    size_t size = 0;
    char *text =
        is_on() ? cst_recall_text(cst_engine_kinds(run->engine), &size) : NULL;
    char *program = text ? name_program() : NULL;

    if (program)
        cst_cache_write(what, run->topo->host, program, text, size);
    cst_free(program);
    cst_free(text);
}
