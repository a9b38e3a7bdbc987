/*
 * Linear regression.
 *
 * Columns are centred first, so that intercepts follow from the means; [X Y] then
 * is one matrix, of which either the products of columns or the R of a QR are
 * what the weights need.
 */
#include "blocks/linear.h"
#include "blocks/learn/learn.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- QR ------------------------------------------------------------------- */

/*
 * R of `rows` rows of `width` numbers, into width * width ones. What is R by rows
 * is by columns the L of an LQ of the transposed matrix.
 */
static int upper_of(int width, int rows, double *a, double *r)
{
    int count = rows < width ? rows : width;
    int work_size = 32 * width;
    double *work = malloc(sizeof(*work) * 33 * (size_t)width);
    int info = 1;

    if (!work)
        return blk_complain();
    dgelqf_(&width, &rows, a, &width, work, work + width, &work_size, &info);
    free(work);
    memset(r, 0, sizeof(*r) * (size_t)width * (size_t)width);
    for (long i = 0; i < count; i++)
        memcpy(r + i * width + i, a + i * width + i,
               sizeof(*r) * (size_t)(width - i));
    return info;
}

#pragma castell task collection_in(x[0:p.tiles] : p.tile) \
    collection_in(y[0:q.tiles] : q.tile) in(means[0:p.cols + q.cols]) \
    out(r[0:(p.cols + q.cols)*(p.cols + q.cols)]) on_failure(fail) \
    label("QR of a panel")
static int qr_panel(struct blk_panel p, struct blk_panel q, double *const *x,
                    double *const *y, const double *means, double *r)
{
    double *both = blk_centred(&p, x, &q, y, means);
    int failed;

    if (!both)
        return blk_complain();
    failed = upper_of((int)(p.cols + q.cols), p.rows, both, r);
    free(both);
    return failed;
}

static int add_upper(int width, double *r, const double *other)
{
    size_t square = (size_t)width * (size_t)width;
    double *both = malloc(sizeof(*both) * 2 * square);
    int failed;

    if (!both)
        return blk_complain();
    memcpy(both, r, sizeof(*r) * square);
    memcpy(both + square, other, sizeof(*r) * square);
    failed = upper_of(width, 2 * width, both, r);
    free(both);
    return failed;
}

#pragma castell task inout(r[0:width*width]) in(other[0:width*width]) \
    on_failure(fail) label("QR of two")
static int qr_two(long width, double *r, const double *other)
{
    return add_upper((int)width, r, other);
}

/* ---- Weights -------------------------------------------------------------- */

/* From R: the root of the ridge is one more R. */
static bool solve_upper(int cols, int targets, double ridge, double *r,
                        double *weights)
{
    int width = cols + targets;
    double most = 0;

    if (ridge > 0) {
        size_t square = (size_t)width * (size_t)width;
        double *root = calloc(square, sizeof(*root));
        int failed = 1;

        for (long c = 0; root && c < cols; c++)
            root[c * width + c] = sqrt(ridge);
        if (root)
            failed = add_upper(width, r, root);
        free(root);
        if (failed)
            return false;
    }
    for (long c = 0; c < cols; c++)
        most = fmax(most, fabs(r[c * width + c]));
    for (long c = 0; c < cols; c++) {
        if (!(fabs(r[c * width + c]) > most * cols * DBL_EPSILON))
            return false;
    }
    for (long t = 0; t < targets; t++) {
        double *w = weights + t * cols;

        cblas_dcopy(cols, r + cols + t, width, w, 1);
        cblas_dtrsv(CblasRowMajor, CblasUpper, CblasNoTrans, CblasNonUnit, cols,
                    r, width, w, 1);
    }
    return true;
}

/* From products of columns. */
static bool solve_products(int cols, int targets, double ridge,
                           const double *products, double *weights)
{
    long width = cols + targets;
    double *a = malloc(sizeof(*a) * (size_t)cols * (size_t)cols);
    int info = a ? 0 : 1;

    /* What is the upper half by rows is the lower one by columns. */
    for (long c = 0; a && c < cols; c++) {
        memcpy(a + c * cols + c, products + c * width + c,
               sizeof(*a) * (size_t)(cols - c));
        a[c * cols + c] += ridge;
        for (long t = 0; t < targets; t++)
            weights[t * cols + c] = products[c * width + cols + t];
    }
    if (info == 0)
        dpotrf_("L", &cols, a, &cols, &info);
    /* A pivot that is nothing beside what it came from is rounding. */
    for (long c = 0; info == 0 && c < cols; c++) {
        double before = products[c * width + c] + ridge;
        double pivot = a[c * cols + c] * a[c * cols + c];

        info = pivot > before * cols * DBL_EPSILON ? 0 : 1;
    }
    if (info == 0)
        dpotrs_("L", &cols, &targets, a, &cols, weights, &cols, &info);
    free(a);
    return info == 0;
}

struct solving {
    int cols, targets;
    int method;
    double ridge;
};

/* *good is 1 when there are weights. */
#pragma castell task \
    inout(a[0:(s.cols + s.targets)*(long)(s.cols + s.targets)]) \
    out(weights[0:s.targets*(long)s.cols], *good) label("linear: weights")
static void solve(struct solving s, double *a, double *weights, double *good)
{
    memset(weights, 0, sizeof(*weights) * (size_t)s.targets * (size_t)s.cols);
    if (s.method == BLOCKS_LINEAR_QR)
        *good = solve_upper(s.cols, s.targets, s.ridge, a, weights);
    else
        *good = solve_products(s.cols, s.targets, s.ridge, a, weights);
}

#pragma castell task collection_in(x[0:p.tiles] : p.tile) \
    in(weights[0:targets*p.cols], intercepts[0:targets]) \
    out(y[0:p.rows*(long)targets]) on_failure(fail) label("linear: predict")
static int predict(struct blk_panel p, int targets, double *const *x,
                   const double *weights, const double *intercepts, double *y)
{
    double *copy;
    const double *rows = blk_rows(&p, x, &copy);
    int cols = (int)p.cols;

    for (long r = 0; r < p.rows; r++)
        memcpy(y + r * targets, intercepts, sizeof(*y) * (size_t)targets);
    if (rows)
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, p.rows, targets,
                    cols, 1, rows, cols, weights, cols, 1, y, targets);
    free(copy);
    return rows ? 0 : blk_complain();
}

/* ---- Calls ---------------------------------------------------------------- */

/* R of all panels, combined in a tree. */
static double *upper_factor(struct blocks_array *x, struct blocks_array *y,
                            const double *means)
{
    long panels = x->shape.grid_rows;
    long width = x->shape.cols + y->shape.cols;
    long square = width * width;
    double *r = castell_alloc(sizeof(*r) * (size_t)panels * (size_t)square);

    for (long i = 0; r && i < panels; i++) {
        double **of_x, **of_y;
        struct blk_panel p = blk_panel(x, i, &of_x);
        struct blk_panel q = blk_panel(y, i, &of_y);

        qr_panel(p, q, of_x, of_y, means, r + i * square);
    }
    for (long step = 1; r && step < panels; step *= 2) {
        for (long i = 0; i + step < panels; i += 2 * step)
            qr_two(width, r + i * square, r + (i + step) * square);
    }
    return r;
}

static enum castell_status all_means(struct blocks_array *x,
                                     struct blocks_array *y, bool are_zero,
                                     double **ret_means)
{
    long cols = x->shape.cols;
    double *of_x = NULL;
    double *of_y = NULL;
    double *means = blk_vector(cols + y->shape.cols);
    enum castell_status status = means ? CASTELL_OK : blk_no_memory();

    if (status == CASTELL_OK && !are_zero) {
        status = blk_means(x, &of_x);
        if (status == CASTELL_OK)
            status = blk_means(y, &of_y);
        if (status == CASTELL_OK) {
            memcpy(means, of_x, sizeof(*means) * (size_t)cols);
            memcpy(means + cols, of_y,
                   sizeof(*means) * (size_t)y->shape.cols);
        }
    }
    castell_free(of_x);
    castell_free(of_y);
    if (status == CASTELL_OK)
        *ret_means = means;
    else
        castell_free(means);
    return status;
}

static enum castell_status take_model(const double *weights,
                                      const double *means,
                                      struct blocks_linear *model)
{
    long cols = model->cols;
    enum castell_status status =
        blk_take(weights, model->targets * cols, &model->weights);

    if (status == CASTELL_OK)
        status =
            blk_take(means + cols, model->targets, &model->intercepts);
    for (long t = 0; status == CASTELL_OK && t < model->targets; t++)
        model->intercepts[t] -=
            cblas_ddot((int)cols, model->weights + t * cols, 1, means, 1);
    if (status < 0)
        blocks_linear_release(model);
    return status;
}

static enum castell_status check(const struct blocks_array *array,
                                 const struct blocks_array *targets)
{
    if (array->shape.cols + targets->shape.cols >= 32768)
        return blk_fail(CASTELL_ERR_INVALID,
                        "%ld columns and %ld targets are too many",
                        array->shape.cols, targets->shape.cols);
    return blk_must_match(array, targets, "targets");
}

enum castell_status blocks_linear(struct blocks_array *array,
                                  struct blocks_array *targets,
                                  const struct blocks_linear_options *options,
                                  struct blocks_linear *ret_model)
{
    struct blocks_linear model = {.targets = (int)targets->shape.cols,
                                  .cols = array->shape.cols};
    struct solving how = {(int)model.cols, model.targets, (int)options->method,
                          options->ridge > 0 ? options->ridge : 0};
    double *weights = blk_vector(model.cols * model.targets);
    double *good = blk_vector(1);
    double *means = NULL;
    double *a = NULL;
    enum castell_status status = check(array, targets);

    if (status == CASTELL_OK)
        status = weights && good ? all_means(array, targets,
                                             options->no_intercept, &means)
                                 : blk_no_memory();
    if (status == CASTELL_OK) {
        a = how.method == BLOCKS_LINEAR_QR
                ? upper_factor(array, targets, means)
                : blk_products(array, targets, means);
        status = a ? CASTELL_OK : blk_no_memory();
    }
    if (status == CASTELL_OK && good) {
        solve(how, a, weights, good);
        status = blk_wait(good, sizeof(*good));
        if (status == CASTELL_OK && !(*good > 0))
            status = blk_fail(CASTELL_ERR_INVALID,
                              "the columns depend on one another, as far as "
                              "doubles tell: a ridge helps");
    }
    if (status == CASTELL_OK)
        status = take_model(weights, means, &model);
    castell_free(a);
    castell_free(means);
    castell_free(good);
    castell_free(weights);
    if (status == CASTELL_OK)
        *ret_model = model;
    return status;
}

void blocks_linear_release(struct blocks_linear *model)
{
    free(model->weights);
    free(model->intercepts);
}

enum castell_status blocks_linear_predict(const struct blocks_linear *model,
                                          struct blocks_array *array,
                                          struct blocks_array **ret_targets)
{
    const struct blocks_shape *shape = &array->shape;
    struct blocks_array *to = NULL;
    double *weights, *intercepts;
    enum castell_status status;

    if (shape->cols != model->cols)
        return blk_fail(CASTELL_ERR_INVALID,
                        "the weights are of %ld columns, and there are %ld",
                        model->cols, shape->cols);
    weights = blk_vector_of(model->weights, model->targets * model->cols);
    intercepts = blk_vector_of(model->intercepts, model->targets);
    status = weights && intercepts
                 ? blocks_create(shape->rows, model->targets, shape->block_rows,
                                 model->targets, &to)
                 : blk_no_memory();
    for (long i = 0; status == CASTELL_OK && i < shape->grid_rows; i++) {
        double **tiles;
        struct blk_panel panel = blk_panel(array, i, &tiles);

        predict(panel, model->targets, tiles, weights, intercepts,
                blk_tile(to, i, 0));
    }
    castell_free(weights);
    castell_free(intercepts);
    if (status == CASTELL_OK)
        *ret_targets = to;
    return status;
}
