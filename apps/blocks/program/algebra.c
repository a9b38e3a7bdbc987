/*
 * The commands that are about matrices.
 */
#include "blocks/program/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double fold_all(struct blocks_array *array, enum blocks_fold what)
{
    struct blocks_array *folded = NULL;
    double number = 0;

    must(blocks_fold(array, what, BLOCKS_ALL, &folded));
    must(blocks_get(folded, &number));
    blocks_destroy(folded);
    return number;
}

int command_info(int argc, char **argv)
{
    struct input input = input_defaults();
    const struct app_option options[] = {{0}};
    struct blocks_array *array;
    struct blocks_shape shape;

    start(&argc, &argv, "Tell what is in a matrix.", options, &input);
    array = read_input(&input);
    shape = blocks_shape(array);
    printf("%ld x %ld numbers in %ld x %d blocks of %d x %d; least %.17g, mean "
           "%.17g, greatest %.17g, norm %.17g\n",
           shape.rows, shape.cols, shape.grid_rows, shape.grid_cols,
           shape.block_rows, shape.block_cols, fold_all(array, BLOCKS_LEAST),
           fold_all(array, BLOCKS_MEAN), fold_all(array, BLOCKS_MOST),
           fold_all(array, BLOCKS_NORM));
    blocks_destroy(array);
    return finish();
}

int command_convert(int argc, char **argv)
{
    struct input input = input_defaults();
    const char *output = NULL;
    int row = 1, rows = 0, col = 1, cols = 0;
    const struct app_option options[] = {
        {"output", "FILE", "a file in .npy, .csv or .raw", APP_TEXT, &output, 0,
         0},
        {"row", "N", "the first row to take", APP_WHOLE, &row, 1, 2e9},
        {"rows", "N", "so many; else all that follow", APP_WHOLE, &rows, 1,
         2e9},
        {"column", "N", "the first column to take", APP_WHOLE, &col, 1, 2e9},
        {"columns", "N", "so many; else all that follow", APP_WHOLE, &cols, 1,
         2e9},
        {0},
    };
    struct blocks_array *array;

    start(&argc, &argv, "Write a matrix, or a part of it, in another format.",
          options, &input);
    need(output, "output");
    array = read_input(&input);
    if (row > 1 || rows || col > 1 || cols) {
        struct blocks_shape shape = blocks_shape(array);
        const struct blocks_cut cut = {row - 1,          rows,
                                       col - 1,          cols,
                                       shape.block_rows, shape.block_cols};
        struct blocks_array *part = NULL;

        must(blocks_cut(array, &cut, &part));
        blocks_destroy(array);
        array = part;
    }
    write_output(array, output);
    blocks_destroy(array);
    return finish();
}

int command_transpose(int argc, char **argv)
{
    struct input input = input_defaults();
    const char *output = NULL;
    const struct app_option options[] = {
        {"output", "FILE", "the transposed matrix", APP_TEXT, &output, 0, 0},
        {0},
    };
    struct blocks_array *array;
    struct blocks_array *turned = NULL;

    start(&argc, &argv, "Transpose a matrix.", options, &input);
    need(output, "output");
    array = read_input(&input);
    must(blocks_transpose(array, &turned));
    write_output(turned, output);
    blocks_destroy(array);
    blocks_destroy(turned);
    return finish();
}

int command_multiply(int argc, char **argv)
{
    struct input input = input_defaults();
    const char *output = NULL;
    const char *by = NULL;
    const struct app_option options[] = {
        {"by", "FILE", "the other matrix", APP_TEXT, &by, 0, 0},
        {"output", "FILE", "the product", APP_TEXT, &output, 0, 0},
        {0},
    };
    struct blocks_array *a, *b;
    struct blocks_array *product = NULL;
    struct blocks_shape shape;
    struct input other;

    start(&argc, &argv, "Multiply a matrix by another.", options, &input);
    need(by, "by");
    need(output, "output");
    a = read_input(&input);
    shape = blocks_shape(a);
    other = input;
    other.block_rows = shape.block_cols;
    b = read_other(&other, by);
    must(blocks_multiply(a, b, &product));
    write_output(product, output);
    blocks_destroy(a);
    blocks_destroy(b);
    blocks_destroy(product);
    return finish();
}

/* The index of the text among some, or the end of the program. */
static int choice(const char *text, const char *option,
                  const char *const *among)
{
    for (int i = 0; among[i]; i++) {
        if (!strcmp(text, among[i]))
            return i;
    }
    app_die(2, "--%s '%s' is none; --help tells what there is", option, text);
}

int command_fold(int argc, char **argv)
{
    static const char *const whats[] = {"sum",  "mean", "least",
                                        "most", "norm", NULL};
    static const char *const axes[] = {"all", "rows", "columns", NULL};
    struct input input = input_defaults();
    const char *output = NULL;
    const char *what = "sum";
    const char *axis = "all";
    const struct app_option options[] = {
        {"what", "WHAT", "sum, mean, least, most or norm", APP_TEXT, &what, 0,
         0},
        {"of", "WHICH", "all, rows or columns", APP_TEXT, &axis, 0, 0},
        {"output", "FILE", "a number of each", APP_TEXT, &output, 0, 0},
        {0},
    };
    struct blocks_array *array;
    struct blocks_array *folded = NULL;
    int fold, of;

    start(&argc, &argv, "Sum up rows, columns or all of a matrix.", options,
          &input);
    fold = choice(what, "what", whats);
    of = choice(axis, "of", axes);
    array = read_input(&input);
    must(blocks_fold(array, (enum blocks_fold)fold, (enum blocks_axis)of,
                     &folded));
    if (of == BLOCKS_ALL) {
        double *number = numbers_of(folded);

        printf("%.17g\n", *number);
        free(number);
    } else {
        need(output, "output");
    }
    write_output(folded, output);
    blocks_destroy(array);
    blocks_destroy(folded);
    return finish();
}

/* Less the mean, by the standard deviation; a constant column becomes 0. */
static struct blocks_array *scaled(struct blocks_array *array)
{
    long rows = blocks_shape(array).rows;
    long cols = blocks_shape(array).cols;
    struct blocks_array *mean = NULL;
    struct blocks_array *centred = NULL;
    struct blocks_array *norm = NULL;
    struct blocks_array *result = NULL;
    double *norms;

    must(blocks_fold(array, BLOCKS_MEAN, BLOCKS_EACH_COLUMN, &mean));
    must(blocks_combine(array, BLOCKS_SUBTRACT, mean, &centred));
    must(blocks_fold(centred, BLOCKS_NORM, BLOCKS_EACH_COLUMN, &norm));
    norms = numbers_of(norm);
    for (long c = 0; c < cols; c++)
        norms[c] = norms[c] > 0 ? norms[c] / __builtin_sqrt((double)rows) : 1;
    must(blocks_put(norm, norms));
    must(blocks_combine(centred, BLOCKS_DIVIDE, norm, &result));
    free(norms);
    blocks_destroy(mean);
    blocks_destroy(centred);
    blocks_destroy(norm);
    return result;
}

int command_scale(int argc, char **argv)
{
    struct input input = input_defaults();
    const char *output = NULL;
    const struct app_option options[] = {
        {"output", "FILE", "the scaled matrix", APP_TEXT, &output, 0, 0},
        {0},
    };
    struct blocks_array *array, *result;

    start(&argc, &argv, "Scale columns to mean 0 and variance 1.", options,
          &input);
    need(output, "output");
    array = read_input(&input);
    result = scaled(array);
    write_output(result, output);
    blocks_destroy(array);
    blocks_destroy(result);
    return finish();
}

int command_random(int argc, char **argv)
{
    struct input input = input_defaults();
    const char *output = NULL;
    int rows = 1000, columns = 10, normal = 0, seed = 1;
    const struct app_option options[] = {
        {"rows", "N", "rows", APP_WHOLE, &rows, 1, 2e9},
        {"columns", "N", "columns", APP_WHOLE, &columns, 1, 1e8},
        {"normal", NULL, "normal numbers, not uniform ones", APP_SWITCH,
         &normal, 0, 0},
        {"seed", "N", "another seed, other numbers", APP_WHOLE, &seed, 0, 2e9},
        {"output", "FILE", "where to", APP_TEXT, &output, 0, 0},
        {0},
    };
    struct blocks_array *array = NULL;

    start(&argc, &argv, "Make a matrix of random numbers.", options, &input);
    need(output, "output");
    must(blocks_create(rows, columns, input.block_rows, input.block_cols,
                       &array));
    must(blocks_random(array, normal ? BLOCKS_NORMAL : BLOCKS_UNIFORM,
                       (uint64_t)seed));
    write_output(array, output);
    blocks_destroy(array);
    return finish();
}
