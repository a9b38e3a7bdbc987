/*
 * bound DIR TASKS: the page of the run there on the standard output, with a graph
 * of so many tasks at most, as if they were as many as a browser can draw.
 */
#include "base/fail.h"
#include "report/page.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
    struct cst_history *history = NULL;

    if (argc != 3 || cst_history_open(argv[1], &history) < 0 ||
        cst_page_write(history, (size_t)strtoull(argv[2], NULL, 10), stdout) <
            0) {
        (void)fprintf(stderr, "%s\n", castell_error_text());
        return EXIT_FAILURE;
    }
    cst_history_close(history);
    return EXIT_SUCCESS;
}
