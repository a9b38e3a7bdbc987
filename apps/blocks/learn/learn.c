#include "blocks/learn/learn.h"

#include <cblas.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int blk_complain(void)
{
    fprintf(stderr, "blocks: there is no memory on this node\n");
    return 1;
}

/* ---- Vectors -------------------------------------------------------------- */

double *blk_vector(long count)
{
    return blk_alloc((size_t)count, sizeof(double));
}

double *blk_vector_of(const double *numbers, long count)
{
    double *vector = castell_alloc((size_t)count * sizeof(*vector));

    if (vector)
        memcpy(vector, numbers, (size_t)count * sizeof(*vector));
    return vector;
}

enum castell_status blk_take(const double *numbers, long count,
                             double **ret_copy)
{
    size_t size = (size_t)count * sizeof(*numbers);
    enum castell_status status = blk_wait(numbers, size);
    double *copy;

    if (status < 0)
        return status;
    copy = malloc(size);
    if (!copy)
        return blk_no_memory();
    memcpy(copy, numbers, size);
    *ret_copy = copy;
    return CASTELL_OK;
}

#pragma castell task out(numbers[0:count])
static void clear(long count, double *numbers)
{
    memset(numbers, 0, sizeof(*numbers) * (size_t)count);
}

void blk_clear(double *numbers, long count)
{
    clear(count, numbers);
}

enum castell_status blk_means(struct blocks_array *array, double **ret_means)
{
    struct blocks_array *folded = NULL;
    double *means = blk_vector(array->shape.cols);
    enum castell_status status =
        means ? blocks_fold(array, BLOCKS_MEAN, BLOCKS_EACH_COLUMN, &folded)
              : blk_no_memory();

    if (status == CASTELL_OK)
        status = blocks_get(folded, means);
    blocks_destroy(folded);
    if (status == CASTELL_OK)
        *ret_means = means;
    else
        castell_free(means);
    return status;
}

/* ---- Products of columns -------------------------------------------------- */

struct blk_panel blk_panel_or_none(struct blocks_array *array, long row,
                                   double ***ret_tiles)
{
    *ret_tiles = NULL;
    if (array)
        return blk_panel(array, row, ret_tiles);
    return (struct blk_panel){0};
}

/* Into columns from `at` on of rows of `width` numbers. */
static void centre(const struct blk_panel *p, double *const *x,
                   const double *means, long width, double *to)
{
    for (long t = 0; t < p->tiles; t++) {
        long from = t * p->width;
        long cols = p->cols - from < p->width ? p->cols - from : p->width;

        for (long r = 0; r < p->rows; r++) {
            const double *in = x[t] + r * p->width;
            double *out = to + r * width + from;

            #pragma omp simd
            for (long c = 0; c < cols; c++)
                out[c] = in[c] - means[from + c];
        }
    }
}

double *blk_centred(const struct blk_panel *p, double *const *x,
                    const struct blk_panel *q, double *const *y,
                    const double *means)
{
    long width = p->cols + q->cols;
    double *both = malloc(sizeof(*both) * (size_t)(p->rows * width));

    if (!both)
        return NULL;
    centre(p, x, means, width, both);
    centre(q, y, means + p->cols, width, both + p->cols);
    return both;
}

#pragma castell task collection_in(x[0:p.tiles] : p.tile) \
    collection_in(y[0:q.tiles] : q.tile) in(means[0:p.cols + q.cols]) \
    reduction(+: products[0:(p.cols + q.cols)*(p.cols + q.cols)]) \
    on_failure(fail) label("products of columns")
static int add_products(struct blk_panel p, struct blk_panel q,
                        double *const *x, double *const *y,
                        const double *means, double *products)
{
    int width = (int)(p.cols + q.cols);
    double *both = blk_centred(&p, x, &q, y, means);

    if (!both)
        return blk_complain();
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, width, p.rows, 1, both,
                width, 1, products, width);
    free(both);
    return 0;
}

double *blk_products(struct blocks_array *x, struct blocks_array *y,
                     const double *means)
{
    long width = x->shape.cols + (y ? y->shape.cols : 0);
    double *products = width < 32768 ? blk_vector(width * width) : NULL;

    for (long i = 0; products && i < x->shape.grid_rows; i++) {
        double **of_x, **of_y;
        struct blk_panel p = blk_panel(x, i, &of_x);
        struct blk_panel q = blk_panel_or_none(y, i, &of_y);

        add_products(p, q, of_x, of_y, means, products);
    }
    return products;
}

/* ---- Checks --------------------------------------------------------------- */

enum castell_status blk_must_match(const struct blocks_array *a,
                                   const struct blocks_array *b,
                                   const char *what)
{
    const struct blocks_shape *sa = &a->shape;
    const struct blocks_shape *sb = &b->shape;

    if (sa->rows != sb->rows)
        return blk_fail(CASTELL_ERR_INVALID,
                        "there are %ld rows and %ld rows of %s", sa->rows,
                        sb->rows, what);
    if (sa->grid_rows != sb->grid_rows ||
        (sa->grid_rows > 1 && sa->block_rows != sb->block_rows))
        return blk_fail(CASTELL_ERR_INVALID,
                        "blocks have %d rows, and those of %s have %d; "
                        "blocks_cut() makes others",
                        sa->block_rows, what, sb->block_rows);
    return CASTELL_OK;
}

#pragma castell task in(labels[0:t.size]) out(*most)
static void look_at_labels(struct blk_tile t, const double *labels,
                           double *most)
{
    *most = 0;
    for (long r = 0; r < t.rows; r++) {
        double label = labels[r * t.width];

        /* Not true for NaN either. */
        if (!(label >= 0 && label <= 1e6 && label <= floor(label)))
            label = HUGE_VAL;
        *most = label > *most ? label : *most;
    }
}

enum castell_status blk_classes(const struct blocks_array *array,
                                struct blocks_array *labels, int *ret_classes)
{
    long count = labels->shape.grid_rows;
    enum castell_status status = blk_must_match(array, labels, "labels");
    double *most, greatest = 0;

    if (status == CASTELL_OK && labels->shape.cols != 1)
        status = blk_fail(CASTELL_ERR_INVALID,
                          "labels are one column, and there are %ld",
                          labels->shape.cols);
    if (status < 0)
        return status;
    most = blk_vector(count);
    if (!most)
        return blk_no_memory();
    for (long i = 0; i < count; i++)
        look_at_labels(blk_tile_of(labels, i, 0), blk_tile(labels, i, 0),
                       &most[i]);
    status = blk_wait(most, sizeof(*most) * (size_t)count);
    for (long i = 0; i < count; i++)
        greatest = most[i] > greatest ? most[i] : greatest;
    castell_free(most);
    if (status == CASTELL_OK && isinf(greatest))
        status = blk_fail(CASTELL_ERR_INVALID,
                          "a label is no whole number from 0 to 1000000");
    if (status == CASTELL_OK)
        *ret_classes = (int)greatest + 1;
    return status;
}

void blk_hand_over(enum castell_status status, struct blocks_array *array,
                   struct blocks_array **ret_array)
{
    if (status == CASTELL_OK && ret_array)
        *ret_array = array;
    else
        blocks_destroy(array);
}

/* ---- Eigenvalues ---------------------------------------------------------- */

/* LAPACK has the smallest first, and the lower half by its columns. */
static void turn_round(int n, int count, double *values, double *vectors)
{
    for (int low = 0, high = count - 1; low < high; low++, high--) {
        double value = values[low];

        values[low] = values[high];
        values[high] = value;
        cblas_dswap(n, vectors + (long)low * n, 1, vectors + (long)high * n, 1);
    }
}

bool blk_eigen(int n, double *a, int count, double *values, double *vectors)
{
    int first = n - count + 1;
    int work_size = 32 * n;
    int iwork_size = 10 * n;
    int found = 0;
    int info = 1;
    const double none = 0;
    double *all = malloc(sizeof(*all) * (size_t)n);
    double *work = malloc(sizeof(*work) * (size_t)work_size);
    int *iwork = malloc(sizeof(*iwork) * (size_t)iwork_size);
    int *support = malloc(sizeof(*support) * 2 * (size_t)n);

    if (all && work && iwork && support)
        dsyevr_("V", "I", "L", &n, a, &n, &none, &none, &first, &n, &none,
                &found, all, vectors, &n, support, work, &work_size, iwork,
                &iwork_size, &info);
    if (info == 0 && found == count) {
        memcpy(values, all, sizeof(*values) * (size_t)count);
        turn_round(n, count, values, vectors);
    }
    free(all);
    free(work);
    free(iwork);
    free(support);
    return info == 0 && found == count;
}
