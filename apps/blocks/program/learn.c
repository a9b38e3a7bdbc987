/*
 * The commands kmeans, pca, linear and logistic.
 */
#include "blocks/cluster.h"
#include "blocks/linear.h"
#include "blocks/pca.h"
#include "blocks/program/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

double *start_of(const struct input *input, const char *path, long rows,
                 long cols)
{
    struct input other = *input;
    struct blocks_array *array;
    struct blocks_shape shape;
    double *numbers;

    if (!path)
        return NULL;
    other.block_rows = 0;
    other.block_cols = 0;
    array = read_other(&other, path);
    shape = blocks_shape(array);
    if (shape.rows != rows || shape.cols != cols)
        app_die(2, "%s has %ld x %ld numbers, and %ld x %ld are needed", path,
                shape.rows, shape.cols, rows, cols);
    numbers = numbers_of(array);
    blocks_destroy(array);
    return numbers;
}

int command_kmeans(int argc, char **argv)
{
    struct input input = input_defaults();
    struct blocks_kmeans_options how = {.clusters = 8, .iterations = 300};
    const char *output = NULL, *labels_output = NULL, *first = NULL;
    int seed = 0;
    const struct app_option options[] = {
        {"k", "N", "clusters", APP_WHOLE, &how.clusters, 1, 1e6},
        {"output", "FILE", "the centres", APP_TEXT, &output, 0, 0},
        {"labels-output", "FILE", "the cluster of each row, from 0", APP_TEXT,
         &labels_output, 0, 0},
        {"start", "FILE", "the first centres, not by k-means++", APP_TEXT,
         &first, 0, 0},
        {"iterations", "N", "at most", APP_WHOLE, &how.iterations, 1, 1e9},
        {"tolerance", "R", "when to stop, by the variance [0.0001]; -1: never",
         APP_REAL, &how.tolerance, -1, 1},
        {"seed", "N", "of k-means++", APP_WHOLE, &seed, 0, 2e9},
        {0},
    };
    struct blocks_array *array, *labels = NULL;
    struct blocks_kmeans model = {0};
    double *centres;
    double seconds;

    start(&argc, &argv, "Find clusters of the rows of a matrix by k-means.",
          options, &input);
    array = read_input(&input);
    centres = start_of(&input, first, how.clusters, blocks_shape(array).cols);
    how.start = centres;
    how.seed = (uint64_t)seed;
    seconds = app_now();
    must(blocks_kmeans(array, &how, &model));
    seconds = app_now() - seconds;
    printf("kmeans: %d clusters of %ld rows, %d iterations%s, spread %.15g, "
           "%.3f s\n",
           model.clusters, blocks_shape(array).rows, model.iterations,
           model.converged ? "" : " (not converged)", model.spread, seconds);
    write_numbers(model.centres, model.clusters, model.cols, output);
    if (labels_output) {
        must(blocks_kmeans_assign(&model, array, &labels));
        write_output(labels, labels_output);
        blocks_destroy(labels);
    }
    free(centres);
    blocks_kmeans_release(&model);
    blocks_destroy(array);
    return finish();
}

int command_pca(int argc, char **argv)
{
    struct input input = input_defaults();
    struct blocks_pca_options how = {.oversampling = 10, .passes = 7};
    const char *output = NULL, *projected_output = NULL;
    const char *variances_output = NULL;
    int is_random = 0, seed = 0;
    const struct app_option options[] = {
        {"components", "N", "so many, the greatest; else all", APP_WHOLE,
         &how.components, 1, 1e6},
        {"output", "FILE", "the components, a row each", APP_TEXT, &output, 0,
         0},
        {"variances-output", "FILE", "the variance along each", APP_TEXT,
         &variances_output, 0, 0},
        {"projected-output", "FILE", "the rows in their directions", APP_TEXT,
         &projected_output, 0, 0},
        {"randomized", NULL, "by random directions: few of many columns",
         APP_SWITCH, &is_random, 0, 0},
        {"oversampling", "N", "random directions beside those", APP_WHOLE,
         &how.oversampling, 1, 1e5},
        {"passes", "N", "over the rows then", APP_WHOLE, &how.passes, 1, 1e4},
        {"seed", "N", "of the directions", APP_WHOLE, &seed, 0, 2e9},
        {0},
    };
    struct blocks_array *array, *projected = NULL;
    struct blocks_pca model = {0};
    double sum = 0;
    double seconds;

    start(&argc, &argv, "Find the principal components of a matrix.", options,
          &input);
    array = read_input(&input);
    how.method = is_random ? BLOCKS_PCA_RANDOMIZED : BLOCKS_PCA_COVARIANCE;
    how.seed = (uint64_t)seed;
    seconds = app_now();
    must(blocks_pca(array, &how, &model));
    seconds = app_now() - seconds;
    for (int k = 0; k < model.components; k++)
        sum += model.variances[k];
    printf("pca: %d components have %.6g %% of the variance %.15g, %.3f s\n",
           model.components, 100 * sum / model.variance, model.variance,
           seconds);
    write_numbers(model.axes, model.components, model.cols, output);
    write_numbers(model.variances, model.components, 1, variances_output);
    if (projected_output) {
        must(blocks_pca_project(&model, array, &projected));
        write_output(projected, projected_output);
        blocks_destroy(projected);
    }
    blocks_pca_release(&model);
    blocks_destroy(array);
    return finish();
}

/* A row for each target: weights, and the intercept in the last column. */
static void write_weights(const struct blocks_linear *model, const char *path)
{
    long width = model->cols + 1;
    double *all = malloc(sizeof(*all) * (size_t)(model->targets * width));

    if (!all)
        app_die(1, "no memory for the weights");
    for (long t = 0; t < model->targets; t++) {
        memcpy(all + t * width, model->weights + t * model->cols,
               sizeof(*all) * (size_t)model->cols);
        all[t * width + model->cols] = model->intercepts[t];
    }
    write_numbers(all, model->targets, width, path);
    free(all);
}

int command_linear(int argc, char **argv)
{
    struct input input = input_defaults();
    struct blocks_linear_options how = {0};
    const char *output = NULL, *predicted_output = NULL;
    int qr = 0, intercept = 1;
    const struct app_option options[] = {
        {"output", "FILE", "weights, and the intercept in the last column",
         APP_TEXT, &output, 0, 0},
        {"predicted-output", "FILE", "what the weights make of the input",
         APP_TEXT, &predicted_output, 0, 0},
        {"ridge", "R", "times the sum of squared weights, is added", APP_REAL,
         &how.ridge, 0, 1e300},
        {"qr", NULL, "by QR, not normal equations", APP_SWITCH, &qr, 0, 0},
        {"intercept", NULL, "with one, as is the default", APP_SWITCH,
         &intercept, 0, 0},
        {0},
    };
    struct blocks_array *array, *targets, *predicted = NULL;
    struct blocks_array *off = NULL, *norm = NULL;
    struct blocks_linear model = {0};
    double length;

    start_with_labels(&argc, &argv,
                      "Linear regression: least squares, or ridge.", options,
                      &input);
    array = read_labelled(&input, &targets);
    how.method = qr ? BLOCKS_LINEAR_QR : BLOCKS_LINEAR_NORMAL;
    how.no_intercept = !intercept;
    must(blocks_linear(array, targets, &how, &model));
    must(blocks_linear_predict(&model, array, &predicted));
    must(blocks_combine(predicted, BLOCKS_SUBTRACT, targets, &off));
    must(blocks_fold(off, BLOCKS_NORM, BLOCKS_ALL, &norm));
    must(blocks_get(norm, &length));
    printf("linear: %ld weights of %d targets, mean squared error %.15g\n",
           model.cols, model.targets,
           length * length /
               ((double)blocks_shape(array).rows * model.targets));
    write_weights(&model, output);
    write_output(predicted, predicted_output);
    blocks_linear_release(&model);
    blocks_destroy(array);
    blocks_destroy(targets);
    blocks_destroy(predicted);
    blocks_destroy(off);
    blocks_destroy(norm);
    return finish();
}

double share_right(struct blocks_array *labels, struct blocks_array *predicted)
{
    long rows = blocks_shape(labels).rows;
    double *right = numbers_of(labels);
    double *got = numbers_of(predicted);
    long count = 0;

    for (long r = 0; r < rows; r++)
        count += (long)right[r] == (long)got[r];
    free(right);
    free(got);
    return (double)count / (double)rows;
}

double share_explained(struct blocks_array *labels,
                       struct blocks_array *predicted)
{
    long rows = blocks_shape(labels).rows;
    double *right = numbers_of(labels);
    double *got = numbers_of(predicted);
    double mean = 0, left = 0, all = 0;

    for (long r = 0; r < rows; r++)
        mean += right[r] / (double)rows;
    for (long r = 0; r < rows; r++) {
        left += (right[r] - got[r]) * (right[r] - got[r]);
        all += (right[r] - mean) * (right[r] - mean);
    }
    free(right);
    free(got);
    return 1 - left / all;
}

/* What a second file of rows, with labels or without, is predicted to be. */
static void test_logistic(const struct blocks_linear *model,
                          struct blocks_array *array,
                          struct blocks_array *labels, const char *path)
{
    struct blocks_array *predicted = NULL;

    must(blocks_logistic_predict(model, array, NULL, &predicted));
    printf("logistic: %.6g %% of %ld rows are right\n",
           100 * share_right(labels, predicted), blocks_shape(array).rows);
    write_output(predicted, path);
    blocks_destroy(predicted);
}

int command_logistic(int argc, char **argv)
{
    struct input input = input_defaults();
    struct blocks_logistic_options how = {
        .ridge = 1, .iterations = 100, .tolerance = 1e-4};
    const char *output = NULL, *predicted_output = NULL;
    const char *chances_output = NULL;
    int intercept = 1;
    const struct app_option options[] = {
        {"output", "FILE", "weights, and the intercept in the last column",
         APP_TEXT, &output, 0, 0},
        {"predicted-output", "FILE", "the likeliest class of each row",
         APP_TEXT, &predicted_output, 0, 0},
        {"chances-output", "FILE", "the chance of each class", APP_TEXT,
         &chances_output, 0, 0},
        {"ridge", "R", "half of it times the squared weights, is added",
         APP_REAL, &how.ridge, 0, 1e300},
        {"iterations", "N", "at most", APP_WHOLE, &how.iterations, 1, 1e9},
        {"tolerance", "R", "of the mean gradient", APP_REAL, &how.tolerance,
         1e-14, 1},
        {"intercept", NULL, "with one, as is the default", APP_SWITCH,
         &intercept, 0, 0},
        {0},
    };
    struct blocks_array *array, *labels, *chances = NULL;
    struct blocks_linear model = {0};
    double seconds;

    start_with_labels(&argc, &argv, "Multinomial logistic regression.", options,
                      &input);
    array = read_labelled(&input, &labels);
    how.no_intercept = !intercept;
    if (!(how.ridge > 0))
        how.ridge = -1;
    seconds = app_now();
    must(blocks_logistic(array, labels, &how, &model));
    seconds = app_now() - seconds;
    printf("logistic: %d classes, %d iterations%s, loss %.15g, %.3f s\n",
           model.targets, model.iterations,
           model.converged ? "" : " (not converged)", model.loss, seconds);
    test_logistic(&model, array, labels, predicted_output);
    write_weights(&model, output);
    if (chances_output) {
        must(blocks_logistic_predict(&model, array, &chances, NULL));
        write_output(chances, chances_output);
        blocks_destroy(chances);
    }
    blocks_linear_release(&model);
    blocks_destroy(array);
    blocks_destroy(labels);
    return finish();
}
