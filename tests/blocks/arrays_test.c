/*
 * Arrays: what is computed block by block is what plain loops compute, whatever
 * the size of blocks; slices are views; and what does not fit is refused with a
 * sentence and changes nothing.
 */
#include "blocks/blocks.h"
#include "harness/tap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 37, COLS = 23, NUMBERS = ROWS * COLS };

static void twice_and_sum(long count, const double *in, long out_count,
                          double *out, const double *parameters)
{
    out[0] = 0;
    for (long i = 0; i < count; i++)
        out[0] += in[i];
    for (long i = 1; i < out_count; i++)
        out[i] = parameters[0] * in[i];
}

static const struct blocks_map map = {"twice and sum", twice_and_sum};

static struct blocks_array *array_of(const double *numbers, long rows,
                                     long cols, int block_rows, int block_cols)
{
    struct blocks_array *array = NULL;

    must(blocks_create(rows, cols, block_rows, block_cols, &array) ==
             CASTELL_OK,
         "%ld x %ld in blocks of %d x %d", rows, cols, block_rows, block_cols);
    must(blocks_put(array, numbers) == CASTELL_OK, "numbers are put there");
    return array;
}

static double difference(struct blocks_array *array, const double *right)
{
    struct blocks_shape shape = blocks_shape(array);
    size_t count = (size_t)shape.rows * (size_t)shape.cols;
    double *numbers = calloc(count, sizeof(*numbers));
    double most = 0;

    must(numbers && blocks_get(array, numbers) == CASTELL_OK, "and are got");
    for (size_t i = 0; i < count; i++)
        most = fmax(most, fabs(numbers[i] - right[i]));
    free(numbers);
    return most;
}

static void test_transpose(struct blocks_array *array, const double *x)
{
    struct blocks_array *turned = NULL;
    static double right[NUMBERS];

    for (int r = 0; r < ROWS; r++) {
        for (int c = 0; c < COLS; c++)
            right[c * ROWS + r] = x[r * COLS + c];
    }
    must(blocks_transpose(array, &turned) == CASTELL_OK, "it is transposed");
    ok(difference(turned, right) <= 0, "as plain loops do");
    blocks_destroy(turned);
}

static void test_multiply(struct blocks_array *array, const double *x)
{
    struct blocks_array *turned = NULL;
    struct blocks_array *product = NULL;
    static double right[ROWS * ROWS];

    for (int i = 0; i < ROWS; i++) {
        for (int j = 0; j < ROWS; j++) {
            double sum = 0;

            for (int k = 0; k < COLS; k++)
                sum += x[i * COLS + k] * x[j * COLS + k];
            right[i * ROWS + j] = sum;
        }
    }
    must(blocks_transpose(array, &turned) == CASTELL_OK &&
             blocks_multiply(array, turned, &product) == CASTELL_OK,
         "X X' is computed");
    ok(difference(product, right) < 1e-12, "as plain loops do");
    ok(blocks_multiply(array, product, &turned) == CASTELL_ERR_INVALID &&
           strstr(blocks_error_text(), "no product"),
       "what has no product is refused: %s", blocks_error_text());
    blocks_destroy(turned);
    blocks_destroy(product);
}

/* One number of the result; row or col is -1 when all of them are folded. */
static double fold_plainly(const double *x, enum blocks_fold what, int row,
                           int col)
{
    double sum = 0;
    double squares = 0;
    double least = HUGE_VAL;
    double most = -HUGE_VAL;
    int count = 0;

    for (int i = 0; i < NUMBERS; i++) {
        if ((row >= 0 && i / COLS != row) || (col >= 0 && i % COLS != col))
            continue;
        sum += x[i];
        squares += x[i] * x[i];
        least = fmin(least, x[i]);
        most = fmax(most, x[i]);
        count++;
    }
    switch (what) {
    case BLOCKS_SUM:
        return sum;
    case BLOCKS_MEAN:
        return sum / count;
    case BLOCKS_LEAST:
        return least;
    case BLOCKS_MOST:
        return most;
    case BLOCKS_NORM:
    default:
        return sqrt(squares);
    }
}

static void test_folds(struct blocks_array *array, const double *x)
{
    for (int i = 0; i < 15; i++) {
        enum blocks_fold what = (enum blocks_fold)(i % 5);
        enum blocks_axis axis = (enum blocks_axis)(i / 5);
        int count = axis == BLOCKS_ALL        ? 1
                    : axis == BLOCKS_EACH_ROW ? ROWS
                                              : COLS;
        struct blocks_array *folded = NULL;
        double right[ROWS] = {0};

        for (int n = 0; n < count; n++)
            right[n] = fold_plainly(x, what, axis == BLOCKS_EACH_ROW ? n : -1,
                                    axis == BLOCKS_EACH_COLUMN ? n : -1);
        must(blocks_fold(array, what, axis, &folded) == CASTELL_OK, "fold %d",
             i);
        ok(difference(folded, right) < 1e-12, "fold %d, axis %d", i % 5, i / 5);
        blocks_destroy(folded);
    }
}

static void test_combine(struct blocks_array *array, const double *x)
{
    struct blocks_array *mean = NULL;
    struct blocks_array *norm = NULL;
    struct blocks_array *less = NULL;
    struct blocks_array *by = NULL;
    static double right[NUMBERS];

    for (int i = 0; i < NUMBERS; i++)
        right[i] = (x[i] - fold_plainly(x, BLOCKS_MEAN, -1, i % COLS)) /
                   fold_plainly(x, BLOCKS_NORM, i / COLS, -1);
    must(blocks_fold(array, BLOCKS_MEAN, BLOCKS_EACH_COLUMN, &mean) ==
                 CASTELL_OK &&
             blocks_fold(array, BLOCKS_NORM, BLOCKS_EACH_ROW, &norm) ==
                 CASTELL_OK &&
             blocks_combine(array, BLOCKS_SUBTRACT, mean, &less) ==
                 CASTELL_OK &&
             blocks_combine(less, BLOCKS_DIVIDE, norm, &by) == CASTELL_OK,
         "a row from all rows, a column from all columns");
    ok(difference(by, right) < 1e-12, "as plain loops do");
    ok(blocks_combine(mean, BLOCKS_ADD, array, &by) == CASTELL_ERR_INVALID,
       "more than there is does not fit: %s", blocks_error_text());
    blocks_destroy(mean);
    blocks_destroy(norm);
    blocks_destroy(less);
    blocks_destroy(by);
}

static void test_maps(struct blocks_array *array, const double *x)
{
    const double two = 2;
    struct blocks_map_call call = {"twice and sum", BLOCKS_EACH_ROW, 3, &two,
                                   1};
    struct blocks_array *mapped = NULL;
    static double rows[ROWS * 3], cols[3 * COLS];

    for (int r = 0; r < ROWS; r++) {
        rows[r * 3] = fold_plainly(x, BLOCKS_SUM, r, -1);
        rows[r * 3 + 1] = 2 * x[r * COLS + 1];
        rows[r * 3 + 2] = 2 * x[r * COLS + 2];
    }
    for (int c = 0; c < COLS; c++) {
        cols[c] = fold_plainly(x, BLOCKS_SUM, -1, c);
        cols[COLS + c] = 2 * x[COLS + c];
        cols[2 * COLS + c] = 2 * x[2 * COLS + c];
    }
    must(blocks_map(array, &call, &mapped) == CASTELL_OK, "rows are mapped");
    ok(difference(mapped, rows) < 1e-12, "as plain loops do");
    blocks_destroy(mapped);
    call.axis = BLOCKS_EACH_COLUMN;
    must(blocks_map(array, &call, &mapped) == CASTELL_OK, "and columns");
    ok(difference(mapped, cols) < 1e-12, "as plain loops do");
    blocks_destroy(mapped);
    call.name = "other";
    ok(blocks_map(array, &call, &mapped) == CASTELL_ERR_INVALID &&
           strstr(blocks_error_text(), "'other'"),
       "a map that nobody declared: %s", blocks_error_text());
    ok(blocks_map_declare(&map) == CASTELL_ERR_INVALID, "one of the same name");
}

/* Rows 10.., columns 8.. in blocks of 10 x 8. */
static void test_slices(const double *x)
{
    struct blocks_array *array = array_of(x, ROWS, COLS, 10, 8);
    struct blocks_array *slice = NULL;
    struct blocks_array *part = NULL;
    const struct blocks_cut cut = {9, 13, 7, 12, 4, 5};
    static double right[NUMBERS];

    ok(blocks_slice(array, 1, 4, 0, 1, &slice) == CASTELL_ERR_INVALID && !slice,
       "a slice that is not all there: %s", blocks_error_text());
    must(blocks_slice(array, 2, 2, 1, 2, &slice) == CASTELL_OK, "a slice");
    for (int r = 20; r < ROWS; r++) {
        for (int c = 8; c < COLS; c++)
            right[(r - 20) * (COLS - 8) + c - 8] = x[r * COLS + c];
    }
    ok(difference(slice, right) <= 0, "has the numbers of its place");
    must(blocks_fill(slice, 7) == CASTELL_OK, "is filled");
    blocks_destroy(slice);
    for (int i = 0; i < NUMBERS; i++)
        right[i] = i / COLS >= 20 && i % COLS >= 8 ? 7 : x[i];
    ok(difference(array, right) <= 0, "the array has them too");
    must(blocks_cut(array, &cut, &part) == CASTELL_OK, "a part is copied");
    blocks_destroy(array);
    for (int i = 0; i < 13 * 12; i++) {
        int from = (9 + i / 12) * COLS + 7 + i % 12;

        right[i] = from / COLS >= 20 && from % COLS >= 8 ? 7 : x[from];
    }
    ok(difference(part, right) <= 0, "and is there when the array is gone");
    blocks_destroy(part);
}

static void test_random(void)
{
    struct blocks_array *array = NULL;
    static double first[NUMBERS];
    double mean = 0;
    double squares = 0;

    must(blocks_create(ROWS, COLS, 5, 4, &array) == CASTELL_OK &&
             blocks_random(array, BLOCKS_NORMAL, 3) == CASTELL_OK &&
             blocks_get(array, first) == CASTELL_OK,
         "random numbers");
    blocks_destroy(array);
    for (int i = 0; i < NUMBERS; i++) {
        mean += first[i] / NUMBERS;
        squares += first[i] * first[i] / NUMBERS;
    }
    ok(fabs(mean) < 0.1 && fabs(squares - 1) < 0.15,
       "are normal: mean %g, variance %g", mean, squares);
    must(blocks_create(ROWS, COLS, 0, 0, &array) == CASTELL_OK &&
             blocks_random(array, BLOCKS_NORMAL, 3) == CASTELL_OK,
         "in one block");
    ok(difference(array, first) <= 0, "they are the same ones");
    blocks_destroy(array);
    array = NULL;
    ok(blocks_create(0, 3, 0, 0, &array) == CASTELL_ERR_INVALID && !array,
       "no rows: %s", blocks_error_text());
    ok(blocks_create(1000000, 1000000, 1000000, 1000000, &array) ==
               CASTELL_ERR_INVALID &&
           !array,
       "blocks that are too large: %s", blocks_error_text());
}

int main(void)
{
    static const int sizes[][2] = {{0, 0}, {10, 8}, {1, 23}, {37, 1}, {6, 6}};
    static double x[NUMBERS];

    must(blocks_map_declare(&map) == CASTELL_OK, "a map is declared");
    castell_start(NULL, NULL);
    for (int i = 0; i < NUMBERS; i++)
        x[i] = sin(i * 1.7) + 0.01 * i;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct blocks_array *array =
            array_of(x, ROWS, COLS, sizes[i][0], sizes[i][1]);

        ok(difference(array, x) <= 0, "what was put there is there");
        test_transpose(array, x);
        test_multiply(array, x);
        test_folds(array, x);
        test_combine(array, x);
        test_maps(array, x);
        blocks_destroy(array);
    }
    test_slices(x);
    test_random();
    ok(castell_stop() == 0, "the run ends well");
    return tap_done();
}
