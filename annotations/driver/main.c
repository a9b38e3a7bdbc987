/*
 * castellcc - compile C with tasks: a compiler driver that looks like $CC.
 */
#include "driver/driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What configure chose comes from the makefile. */
#ifndef CASTELLCC_COMPILER
#define CASTELLCC_COMPILER   "cc"
#define CASTELLCC_BINDIR     "/usr/local/bin"
#define CASTELLCC_INCLUDEDIR "/usr/local/include"
#define CASTELLCC_LIBDIR     "/usr/local/lib"
#endif

static const char *setting(const char *variable, const char *otherwise)
{
    const char *value = getenv(variable);

    return value && *value ? value : otherwise;
}

/*
 * The directory that this program is in; NULL when the system does not tell.
 */
static char *own_directory(struct cst_memory *memory)
{
    static char path[4096]; /* too large for a stack frame; called once */
    ssize_t size = readlink("/proc/self/exe", path, sizeof(path));
    char *copy, *slash;

    if (size <= 0 || (size_t)size >= sizeof(path))
        return NULL;
    copy = cst_memory_copy(memory, path, (size_t)size);
    slash = strrchr(copy, '/');
    if (!slash)
        return NULL;
    *slash = '\0';
    return copy;
}

/*
 * An installation may lie below another root than it was configured for, as
 * with make install DESTDIR=..., or have been moved as a whole.
 */
static void find_installation(struct cst_driver *driver)
{
    struct cst_memory *memory = &driver->memory;
    struct cst_places *places = &driver->places;
    const char *own = own_directory(memory);
    size_t own_size = own ? strlen(own) : 0;
    size_t size = strlen(CASTELLCC_BINDIR);

    places->include = CASTELLCC_INCLUDEDIR;
    places->library = CASTELLCC_LIBDIR;
    if (own_size >= size &&
        strcmp(own + own_size - size, CASTELLCC_BINDIR) == 0) {
        int root = (int)(own_size - size);

        places->include =
            cst_memory_format(memory, "%.*s%s", root, own, places->include);
        places->library =
            cst_memory_format(memory, "%.*s%s", root, own, places->library);
    } else if (own &&
               access(cst_memory_format(memory, "%s/../include/castell.h", own),
                      R_OK) == 0) {
        places->include = cst_memory_format(memory, "%s/../include", own);
        places->library = cst_memory_format(memory, "%s/../lib", own);
    }
}

/* $CASTELL_PREFIX moves both; a directory's own variable moves it alone. */
static void find_places(struct cst_driver *driver)
{
    struct cst_memory *memory = &driver->memory;
    const char *prefix = getenv("CASTELL_PREFIX");

    find_installation(driver);
    if (prefix && *prefix) {
        driver->places.include =
            cst_memory_format(memory, "%s/include", prefix);
        driver->places.library = cst_memory_format(memory, "%s/lib", prefix);
    }
    driver->places.include =
        setting("CASTELL_INCLUDEDIR", driver->places.include);
    driver->places.library = setting("CASTELL_LIBDIR", driver->places.library);
}

/* --castell-help: --help is the compiler's. */
static int help(void)
{
    (void)puts(
        "Usage: castellcc [the options of the C compiler] file...\n"
        "\n"
        "Compiles C with #pragma castell by the compiler in $CASTELL_CC\n"
        "(" CASTELLCC_COMPILER "), with all its options, and links with the\n"
        "Castell library.\n"
        "\n"
        "  --castell-translate     write the C that the compiler would get\n"
        "  --castell-help          write this\n"
        "  -Wno-castell-globals    no warning of task bodies that touch\n"
        "                          variables which are not their arguments\n"
        "  -Wno-castell-pointers   no warning of data with pointers in it\n"
        "  -Wno-castell-addresses  no warning of addresses of task functions\n"
        "\n"
        "More in castellcc(1).");
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct cst_driver driver = {0};
    const char *wrong;
    int status;

    if (argc == 2 && strcmp(argv[1], "--castell-help") == 0)
        return help();
    driver.sources.memory = &driver.memory;
    driver.report.memory = &driver.memory;
    driver.report.sources = &driver.sources;
    find_places(&driver);
    wrong = cst_options_read(&driver.memory,
                             setting("CASTELL_CC", CASTELLCC_COMPILER), argv,
                             &driver.options);
    if (wrong) {
        (void)fprintf(stderr, "castellcc: %s\n", wrong);
        return EXIT_FAILURE;
    }
    driver.report.quiet = driver.options.no_warnings;
    status = cst_drive(&driver);
    cst_memory_release(&driver.memory);
    return status;
}
