/*
 * Principal components, from the covariance or by random directions.
 */
#include "blocks/pca.h"
#include "blocks/array/random.h"
#include "blocks/learn/learn.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Tasks ---------------------------------------------------------------- */

/* The greatest number of each axis becomes positive. */
static void set_signs(int count, long cols, double *axes)
{
    for (long k = 0; k < count; k++) {
        double *axis = axes + k * cols;

        if (axis[cblas_idamax((int)cols, axis, 1)] < 0)
            cblas_dscal((int)cols, -1, axis, 1);
    }
}

/* Of products of centred columns. */
#pragma castell task inout(products[0:cols*cols]) out(variances[0:count]) \
    out(axes[0:count*cols], *total) on_failure(fail) label("PCA: eigenvalues")
static int decompose(long cols, int count, double scale, double *products,
                     double *variances, double *axes, double *total)
{
    *total = 0;
    for (long c = 0; c < cols; c++)
        *total += products[c * cols + c] * scale;
    if (!blk_eigen((int)cols, products, count, variances, axes))
        return blk_complain();
    for (int k = 0; k < count; k++)
        variances[k] = variances[k] > 0 ? variances[k] * scale : 0;
    set_signs(count, cols, axes);
    return 0;
}

/* z += Xc' Xc q, where q and z are `count` rows of directions. */
#pragma castell task collection_in(x[0:p.tiles] : p.tile) \
    in(means[0:p.cols], q[0:count*p.cols]) \
    reduction(+: z[0:count*p.cols], squares[0:1]) on_failure(fail) \
    label("PCA: pass over rows")
static int apply(struct blk_panel p, int count, double *const *x,
                 const double *means, const double *q, double *z,
                 double *squares)
{
    const struct blk_panel none = {0};
    double *rows = blk_centred(&p, x, &none, NULL, means);
    double *y = malloc(sizeof(*y) * (size_t)p.rows * (size_t)count);
    int cols = (int)p.cols;

    if (rows && y) {
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, p.rows, count,
                    cols, 1, rows, cols, q, cols, 0, y, count);
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, count, cols,
                    p.rows, 1, y, count, rows, cols, 1, z, cols);
        for (long r = 0; r < p.rows; r++)
            *squares += cblas_ddot(cols, rows + r * cols, 1, rows + r * cols, 1);
    }
    free(rows);
    free(y);
    return rows && y ? 0 : blk_complain();
}

/* The rows of z, made orthogonal, become the directions q; z becomes 0. */
#pragma castell task inout(z[0:count*cols]) out(q[0:count*cols]) \
    on_failure(fail) label("PCA: make orthogonal")
static int orthogonalise(long cols, int count, double *z, double *q)
{
    int n = (int)cols;
    int work_size = 32 * count;
    double *work = malloc(sizeof(*work) * 33 * (size_t)count);
    int info = 1;

    if (!work)
        return blk_complain();
    memcpy(q, z, sizeof(*q) * (size_t)count * (size_t)cols);
    memset(z, 0, sizeof(*z) * (size_t)count * (size_t)cols);
    dgeqrf_(&n, &count, q, &n, work, work + count, &work_size, &info);
    if (info == 0)
        dorgqr_(&n, &count, &count, q, &n, work, work + count, &work_size,
                &info);
    free(work);
    return info;
}

/* Rayleigh and Ritz: of the directions q, with z = Xc' Xc q. */
#pragma castell task in(z[0:count*cols], q[0:count*cols]) \
    out(variances[0:wanted], axes[0:wanted*cols]) on_failure(fail) \
    label("PCA: eigenvalues")
static int refine(long cols, int count, int wanted, double scale,
                  const double *z, const double *q, double *variances,
                  double *axes)
{
    size_t square = (size_t)count * (size_t)count;
    double *inner = malloc(sizeof(*inner) * 2 * square);
    double *turn = NULL;
    bool good = false;

    if (inner) {
        turn = inner + square;
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, count, count,
                    (int)cols, 1, q, (int)cols, z, (int)cols, 0, inner, count);
        good = blk_eigen(count, inner, wanted, variances, turn);
    }
    if (good) {
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, wanted,
                    (int)cols, count, 1, turn, count, q, (int)cols, 0, axes,
                    (int)cols);
        for (int k = 0; k < wanted; k++)
            variances[k] = variances[k] > 0 ? variances[k] * scale : 0;
        set_signs(wanted, cols, axes);
    }
    free(inner);
    return good ? 0 : blk_complain();
}

#pragma castell task collection_in(x[0:p.tiles] : p.tile) \
    in(means[0:p.cols], axes[0:count*p.cols]) out(y[0:p.rows*(long)count]) \
    on_failure(fail) label("PCA: project rows")
static int project(struct blk_panel p, int count, double *const *x,
                   const double *means, const double *axes, double *y)
{
    const struct blk_panel none = {0};
    double *rows = blk_centred(&p, x, &none, NULL, means);
    int cols = (int)p.cols;

    if (!rows)
        return blk_complain();
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, p.rows, count, cols, 1,
                rows, cols, axes, cols, 0, y, count);
    free(rows);
    return 0;
}

/* ---- Calls ---------------------------------------------------------------- */

/* Memory of tasks while it is computed. */
struct pca {
    struct blocks_array *array;
    int wanted;
    double scale;
    double *means, *variances, *axes, *total;
};

static enum castell_status by_covariance(const struct pca *pca)
{
    double *products = blk_products(pca->array, NULL, pca->means);

    if (!products)
        return blk_no_memory();
    decompose(pca->array->shape.cols, pca->wanted, pca->scale, products,
              pca->variances, pca->axes, pca->total);
    castell_free(products);
    return CASTELL_OK;
}

static void pass(const struct pca *pca, int count, const double *q, double *z)
{
    blk_clear(pca->total, 1);
    for (long i = 0; i < pca->array->shape.grid_rows; i++) {
        double **tiles;
        struct blk_panel panel = blk_panel(pca->array, i, &tiles);

        apply(panel, count, tiles, pca->means, q, z, pca->total);
    }
}

static enum castell_status by_random(const struct pca *pca,
                                     const struct blocks_pca_options *options)
{
    long cols = pca->array->shape.cols;
    int more = options->oversampling > 0 ? options->oversampling : 10;
    int passes = options->passes > 0 ? options->passes : 7;
    int count = pca->wanted + more < cols ? pca->wanted + more : (int)cols;
    struct blocks_array *random = NULL;
    double *z = blk_vector(count * cols);
    double *q = blk_vector(count * cols);
    enum castell_status status =
        z && q ? blocks_create(count, cols, 0, 0, &random) : blk_no_memory();

    if (status == CASTELL_OK)
        status = blocks_random(random, BLOCKS_NORMAL, options->seed);
    if (status == CASTELL_OK)
        status = blocks_get(random, z);
    blocks_destroy(random);
    for (int p = 0; status == CASTELL_OK && p < passes; p++) {
        orthogonalise(cols, count, z, q);
        pass(pca, count, q, z);
    }
    if (status == CASTELL_OK)
        refine(cols, count, pca->wanted, pca->scale, z, q, pca->variances,
               pca->axes);
    castell_free(z);
    castell_free(q);
    return status;
}

static enum castell_status take_model(const struct pca *pca,
                                      struct blocks_pca *model,
                                      bool is_random)
{
    enum castell_status status =
        blk_take(pca->means, model->cols, &model->means);

    if (status == CASTELL_OK)
        status = blk_take(pca->axes, pca->wanted * model->cols, &model->axes);
    if (status == CASTELL_OK)
        status = blk_take(pca->variances, pca->wanted, &model->variances);
    if (status == CASTELL_OK)
        status = blk_wait(pca->total, sizeof(double));
    if (status == CASTELL_OK)
        model->variance = is_random ? *pca->total * pca->scale : *pca->total;
    else
        blocks_pca_release(model);
    return status;
}

enum castell_status blocks_pca(struct blocks_array *array,
                               const struct blocks_pca_options *options,
                               struct blocks_pca *ret_model)
{
    const struct blocks_shape *shape = &array->shape;
    int wanted = options->components ? options->components : (int)shape->cols;
    bool is_random = options->method == BLOCKS_PCA_RANDOMIZED;
    struct blocks_pca model = {
        .components = wanted, .cols = shape->cols, .rows = shape->rows};
    struct pca pca = {.array = array, .wanted = wanted};
    enum castell_status status;

    if (wanted < 1 || wanted > shape->cols)
        return blk_fail(CASTELL_ERR_INVALID,
                        "%ld columns have no %d components", shape->cols,
                        wanted);
    if (shape->rows < 2 || (shape->cols >= 32768 && !is_random))
        return blk_fail(CASTELL_ERR_INVALID,
                        "%ld x %ld numbers have no covariance that could be "
                        "computed",
                        shape->rows, shape->cols);
    pca.scale = 1 / (double)(shape->rows - 1);
    status = blk_means(array, &pca.means);
    pca.axes = blk_vector(wanted * shape->cols);
    pca.variances = blk_vector(wanted);
    pca.total = blk_vector(1);
    if (status == CASTELL_OK && !(pca.axes && pca.variances && pca.total))
        status = blk_no_memory();
    if (status == CASTELL_OK)
        status = is_random ? by_random(&pca, options) : by_covariance(&pca);
    if (status == CASTELL_OK)
        status = take_model(&pca, &model, is_random);
    castell_free(pca.means);
    castell_free(pca.axes);
    castell_free(pca.variances);
    castell_free(pca.total);
    if (status == CASTELL_OK)
        *ret_model = model;
    return status;
}

void blocks_pca_release(struct blocks_pca *model)
{
    free(model->means);
    free(model->axes);
    free(model->variances);
}

enum castell_status blocks_pca_project(const struct blocks_pca *model,
                                       struct blocks_array *array,
                                       struct blocks_array **ret_array)
{
    const struct blocks_shape *shape = &array->shape;
    struct blocks_array *to = NULL;
    double *means, *axes;
    enum castell_status status;

    if (shape->cols != model->cols)
        return blk_fail(CASTELL_ERR_INVALID,
                        "the components are of %ld columns, and there are %ld",
                        model->cols, shape->cols);
    means = blk_vector_of(model->means, model->cols);
    axes = blk_vector_of(model->axes, model->components * model->cols);
    status = means && axes ? blocks_create(shape->rows, model->components,
                                           shape->block_rows,
                                           model->components, &to)
                           : blk_no_memory();
    for (long i = 0; status == CASTELL_OK && i < shape->grid_rows; i++) {
        double **tiles;
        struct blk_panel panel = blk_panel(array, i, &tiles);

        project(panel, model->components, tiles, means, axes,
                blk_tile(to, i, 0));
    }
    castell_free(means);
    castell_free(axes);
    if (status == CASTELL_OK)
        *ret_array = to;
    return status;
}
