/* fabric.c - is there a network between nodes that MPI uses better than TCP? */
#include "launch/launch_internal.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_SIZE = 64 };

/* Is the port that the file tells of in use? "4: ACTIVE" */
static bool is_active(const char *path)
{
    char text[TEXT_SIZE] = "";
    FILE *file = fopen(path, "re");
    size_t size;

    if (!file)
        return false;
    size = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    text[size] = '\0';
    return strstr(text, "ACTIVE") != NULL;
}

bool cst_fabric_find(const char *sys)
{
    /* InfiniBand, RoCE, Omni-Path and EFA; Slingshot has no such file. */
    static const char *const patterns[] = {
        "class/infiniband/*/ports/*/state",
        "class/cxi/*",
    };
    bool found = false;

    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        char pattern[CST_PATH_SIZE];
        glob_t paths;

        (void)snprintf(pattern, sizeof(pattern), "%s/%s", sys, patterns[i]);
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
        if (glob(pattern, 0, NULL, &paths) != 0)
            continue;
        for (size_t j = 0; j < paths.gl_pathc && !found; j++)
            found = i > 0 || is_active(paths.gl_pathv[j]);
        globfree(&paths);
    }
    return found;
}
