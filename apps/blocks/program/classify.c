/*
 * The commands neighbours, mixture and forest.
 */
#include "blocks/cluster.h"
#include "blocks/forest.h"
#include "blocks/neighbours.h"
#include "blocks/program/program.h"

#include <stdio.h>
#include <stdlib.h>

/* The other matrix when there is one, else the first. */
static struct blocks_array *other_or(const struct input *input,
                                     const char *path,
                                     struct blocks_array *array)
{
    return path ? read_other(input, path) : array;
}

/* Say how many labels of a file are predicted, when there is one, or how well
   numbers are. */
static void judge(const char *command, struct blocks_array *predicted,
                  const char *path, bool numbers)
{
    struct blocks_array *labels = NULL;
    long rows = blocks_shape(predicted).rows;

    if (!path)
        return;
    must(blocks_read(path, NULL, &labels));
    if (blocks_shape(labels).rows != rows || blocks_shape(labels).cols != 1)
        app_die(2, "%s has %ld rows of %ld, and %ld labels are needed", path,
                blocks_shape(labels).rows, blocks_shape(labels).cols, rows);
    if (numbers)
        printf("%s: %.6g %% of the variance of %ld rows is explained\n",
               command, 100 * share_explained(labels, predicted), rows);
    else
        printf("%s: %.6g %% of %ld rows are right\n", command,
               100 * share_right(labels, predicted), rows);
    blocks_destroy(labels);
}

int command_neighbours(int argc, char **argv)
{
    struct input input = input_defaults();
    const char *queries_path = NULL, *output = NULL, *distances_output = NULL;
    const char *labels_path = NULL, *predicted_output = NULL, *right = NULL;
    int k = 5, average = 0;
    const struct app_option options[] = {
        {"k", "N", "neighbours of each", APP_WHOLE, &k, 1, 1e6},
        {"queries", "FILE", "whose neighbours; else the input's own", APP_TEXT,
         &queries_path, 0, 0},
        {"output", "FILE", "the rows that are near, from 0", APP_TEXT, &output,
         0, 0},
        {"distances-output", "FILE", "how far they are", APP_TEXT,
         &distances_output, 0, 0},
        {"labels", "FILE", "the input's labels or targets", APP_TEXT,
         &labels_path, 0, 0},
        {"predicted-output", "FILE", "what the neighbours' labels say",
         APP_TEXT, &predicted_output, 0, 0},
        {"average", NULL, "the mean of targets, not the most frequent label",
         APP_SWITCH, &average, 0, 0},
        {"query-labels", "FILE", "to tell how many are right", APP_TEXT, &right,
         0, 0},
        {0},
    };
    struct blocks_array *array, *queries, *distances = NULL, *rows = NULL;
    struct blocks_array *labels, *said = NULL;

    start(&argc, &argv, "Find the nearest rows of a matrix.", options, &input);
    array = read_input(&input);
    queries = other_or(&input, queries_path, array);
    must(blocks_neighbours(array, queries, k, &distances, &rows));
    write_output(rows, output);
    write_output(distances, distances_output);
    if (labels_path) {
        labels = NULL;
        must(blocks_read(labels_path, NULL, &labels));
        if (blocks_shape(labels).rows != blocks_shape(array).rows)
            app_die(2, "%s has %ld rows, and %s has %ld", labels_path,
                    blocks_shape(labels).rows, input.path,
                    blocks_shape(array).rows);
        must(blocks_neighbours_vote(
            rows, labels, average ? BLOCKS_AVERAGE : BLOCKS_MAJORITY, &said));
        write_output(said, predicted_output);
        judge("neighbours", said, right, false);
        blocks_destroy(labels);
        blocks_destroy(said);
    }
    if (queries != array)
        blocks_destroy(queries);
    blocks_destroy(array);
    blocks_destroy(distances);
    blocks_destroy(rows);
    return finish();
}

int command_mixture(int argc, char **argv)
{
    struct input input = input_defaults();
    struct blocks_mixture_options how = {.components = 3,
                                         .iterations = 100,
                                         .tolerance = 1e-3,
                                         .floor = 1e-6};
    const char *output = NULL, *labels_output = NULL, *first = NULL;
    const char *chances_output = NULL, *covariances_output = NULL;
    const char *weights_output = NULL;
    int diagonal = 0, seed = 0;
    const struct app_option options[] = {
        {"k", "N", "components", APP_WHOLE, &how.components, 1, 1e6},
        {"diagonal", NULL, "covariances are diagonal", APP_SWITCH, &diagonal, 0,
         0},
        {"output", "FILE", "the means", APP_TEXT, &output, 0, 0},
        {"weights-output", "FILE", "the weight of each component", APP_TEXT,
         &weights_output, 0, 0},
        {"covariances-output", "FILE", "a row for each component", APP_TEXT,
         &covariances_output, 0, 0},
        {"labels-output", "FILE", "the likeliest component of each row",
         APP_TEXT, &labels_output, 0, 0},
        {"chances-output", "FILE", "the chances of all", APP_TEXT,
         &chances_output, 0, 0},
        {"start", "FILE", "centres to begin with, not by k-means", APP_TEXT,
         &first, 0, 0},
        {"iterations", "N", "at most", APP_WHOLE, &how.iterations, 1, 1e9},
        {"tolerance", "R", "of the mean log likelihood", APP_REAL,
         &how.tolerance, 1e-300, 1},
        {"floor", "R", "is added to variances", APP_REAL, &how.floor, 1e-300,
         1e300},
        {"seed", "N", "of k-means++", APP_WHOLE, &seed, 0, 2e9},
        {0},
    };
    struct blocks_array *array, *labels = NULL, *chances = NULL;
    struct blocks_mixture model = {0};
    double *centres;
    long width;

    start(&argc, &argv, "Fit a mixture of Gaussian distributions to rows.",
          options, &input);
    array = read_input(&input);
    centres =
        start_of(&input, first, how.components, blocks_shape(array).cols);
    how.start = centres;
    how.seed = (uint64_t)seed;
    how.covariance = diagonal ? BLOCKS_DIAGONAL : BLOCKS_FULL;
    must(blocks_mixture(array, &how, &model));
    printf("mixture: %d components, %d iterations%s, mean log likelihood "
           "%.15g\n",
           model.components, model.iterations,
           model.converged ? "" : " (not converged)", model.likelihood);
    width = diagonal ? model.cols : model.cols * model.cols;
    write_numbers(model.means, model.components, model.cols, output);
    write_numbers(model.weights, model.components, 1, weights_output);
    write_numbers(model.covariances, model.components, width,
                  covariances_output);
    must(blocks_mixture_predict(&model, array, &chances, &labels));
    write_output(labels, labels_output);
    write_output(chances, chances_output);
    free(centres);
    blocks_mixture_release(&model);
    blocks_destroy(array);
    blocks_destroy(labels);
    blocks_destroy(chances);
    return finish();
}

int command_forest(int argc, char **argv)
{
    struct input input = input_defaults();
    struct blocks_forest_options how = {
        .trees = 100, .depth = 20, .bins = 64, .leaf = 1};
    const char *test = NULL, *right = NULL, *output = NULL;
    const char *chances_output = NULL;
    int seed = 0, regression = 0;
    const struct app_option options[] = {
        {"regression", NULL, "labels are numbers; tell one of each row",
         APP_SWITCH, &regression, 0, 0},
        {"trees", "N", "trees", APP_WHOLE, &how.trees, 1, 1e5},
        {"depth", "N", "of a tree, at most", APP_WHOLE, &how.depth, 1, 30},
        {"bins", "N", "intervals of a column", APP_WHOLE, &how.bins, 2, 256},
        {"leaf", "N", "rows of a leaf, at least", APP_WHOLE, &how.leaf, 1, 1e9},
        {"features", "N", "columns that a node looks at; else the root of all, or a third",
         APP_WHOLE, &how.features, 1, 1e9},
        {"seed", "N", "of the rows and columns that are drawn", APP_WHOLE,
         &seed, 0, 2e9},
        {"test", "FILE", "rows to predict; else the input's own", APP_TEXT,
         &test, 0, 0},
        {"test-labels", "FILE", "to tell how many are right", APP_TEXT, &right,
         0, 0},
        {"output", "FILE", "the class, or number, of each", APP_TEXT, &output, 0, 0},
        {"chances-output", "FILE", "the chances of all classes", APP_TEXT,
         &chances_output, 0, 0},
        {0},
    };
    struct blocks_array *array, *labels, *rows, *chances = NULL;
    struct blocks_array *classes = NULL;
    struct blocks_forest model = {0};
    double seconds;

    start_with_labels(&argc, &argv, "Learn a random forest that classifies rows, or tells a number.",
                      options, &input);
    array = read_labelled(&input, &labels);
    how.seed = (uint64_t)seed;
    how.regression = regression;
    seconds = app_now();
    must(blocks_forest(array, labels, &how, &model));
    seconds = app_now() - seconds;
    printf("forest: %d trees, %ld nodes, ", model.trees,
           model.first_node[model.trees]);
    if (!regression)
        printf("%d classes, ", model.classes);
    printf("%.3f s\n", seconds);
    rows = other_or(&input, test, array);
    must(blocks_forest_predict(&model, rows, &chances, &classes));
    write_output(classes, output);
    write_output(chances, chances_output);
    judge("forest", classes, right, regression);
    if (rows != array)
        blocks_destroy(rows);
    blocks_forest_release(&model);
    blocks_destroy(array);
    blocks_destroy(labels);
    blocks_destroy(chances);
    blocks_destroy(classes);
    return finish();
}
