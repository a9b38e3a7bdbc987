/*
 * blocks - the algorithms of libcastell_blocks on files, from the command line.
 */
#include "blocks/program/program.h"

#include <stdio.h>
#include <string.h>

static const struct command commands[] = {
    {"info", "rows, columns, least, mean and greatest number", command_info},
    {"convert", "the same in another format, or a part of it", command_convert},
    {"transpose", "rows become columns", command_transpose},
    {"multiply", "the product of two matrices", command_multiply},
    {"fold", "sums, means, least, greatest, norms by rows or columns",
     command_fold},
    {"scale", "columns of mean 0 and variance 1", command_scale},
    {"random", "random numbers", command_random},
    {"kmeans", "clusters of the rows, by k-means", command_kmeans},
    {"pca", "principal components", command_pca},
    {"linear", "linear regression, ridge", command_linear},
    {"logistic", "logistic regression of any number of classes",
     command_logistic},
    {"neighbours", "the nearest rows, and what their labels say",
     command_neighbours},
    {"mixture", "Gaussian mixtures", command_mixture},
    {"forest", "random forests", command_forest},
};

static int print_help(void)
{
    printf("Usage: blocks COMMAND [OPTION]...\n"
           "Linear algebra and statistics on matrices in files (.npy, .csv, "
           "IDX, .raw; .gz too),\nby tasks on all cores, or on many nodes: "
           "castell run -n 3 blocks COMMAND ...\n\nCommands:\n");
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
        printf("  %-12s %s\n", commands[i].name, commands[i].about);
    printf("\nblocks COMMAND --help lists the options of one.\n");
    return 0;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";

    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
        if (!strcmp(commands[i].name, name))
            return commands[i].run(argc - 1, argv + 1);
    }
    if (!strcmp(name, "--help"))
        return print_help();
    fprintf(stderr,
            *name ? "blocks: no command '%s'; blocks --help lists them\n"
                  : "blocks: %sa command is needed; blocks --help lists them\n",
            name);
    return 2;
}
