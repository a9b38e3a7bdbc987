/*
 * Gaussian mixtures. The moments of the components are sums over rows, of the
 * differences from the means so far, which keeps their digits.
 */
#include "blocks/cluster.h"
#include "blocks/learn/gauss.h"
#include "blocks/learn/learn.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Moments -------------------------------------------------------------- */

/* A strip's, with one component; z is overwritten. */
static void add_moments(const struct blk_form *form, int rows, double *z,
                        const double *chances, double *moments)
{
    long cols = form->cols;
    double *sums = moments + 1;
    double *squares = sums + cols;

    for (long r = 0; r < rows; r++) {
        double chance = chances[r * form->k];
        double root = sqrt(chance);
        double *row = z + r * cols;

        moments[0] += chance;
        #pragma omp simd
        for (long c = 0; c < cols; c++) {
            sums[c] += chance * row[c];
            row[c] *= root;
        }
        if (!form->diagonal)
            continue;
        #pragma omp simd
        for (long c = 0; c < cols; c++)
            squares[c] += row[c] * row[c];
    }
    if (!form->diagonal)
        cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, form->cols, rows, 1,
                    z, form->cols, 1, squares, form->cols);
}

#pragma castell task collection_in(x[0:p.tiles] : p.tile) \
    in(components[0:size]) reduction(+: moments[0:size + 1]) \
    on_failure(fail) label("mixture: moments of rows")
static int expect(struct blk_panel p, struct blk_form form, long size,
                  double *const *x, const double *components, double *moments)
{
    double *copy;
    const double *rows = blk_rows(&p, x, &copy);
    double *z = malloc(sizeof(*z) * BLK_STRIP * (size_t)(form.cols + form.k));
    bool good = rows && z;

    for (int r = 0; good && r < p.rows; r += BLK_STRIP) {
        int count = p.rows - r < BLK_STRIP ? p.rows - r : BLK_STRIP;
        double *chances = z + (long)BLK_STRIP * form.cols;

        moments[size] += blk_find_chances(&form, count, rows + r * p.cols,
                                      components, z, chances);
        for (long k = 0; k < form.k; k++) {
            long at = k * blk_component_size(&form);

            blk_less_mean(&form, count, rows + r * p.cols, components + at, z);
            add_moments(&form, count, z, chances + k, moments + at);
        }
    }
    free(z);
    free(copy);
    return good ? 0 : blk_complain();
}

/* The covariance of moments about the old mean, which moves by `shift`. */
static void find_covariance(const struct blk_form *form, double weight,
                            const double *shift, const double *squares,
                            double *covariance)
{
    long cols = form->cols;

    for (long i = 0; i < cols; i++) {
        if (form->diagonal) {
            covariance[i] =
                squares[i] / weight - shift[i] * shift[i] + form->floor;
            continue;
        }
        for (long j = 0; j <= i; j++) {
            double product = squares[i * cols + j] / weight;

            product -= shift[i] * shift[j];
            covariance[i * cols + j] = product + (i == j ? form->floor : 0);
            covariance[j * cols + i] = covariance[i * cols + j];
        }
    }
}

/* What main() looks at. */
struct outcome {
    double likelihood;
    int singular;
};

#pragma castell task inout(moments[0:size + 1], components[0:size]) \
    out(covariances[0:form.k*(size/form.k - 1 - form.cols)]) \
    out(weights[0:form.k], *outcome) label("mixture: maximise")
static void maximise(struct blk_form form, long size, double *moments,
                     double *components, double *covariances, double *weights,
                     struct outcome *outcome)
{
    long squares = blk_squares_of(&form);

    *outcome = (struct outcome){moments[size] / form.rows, 0};
    for (long k = 0; k < form.k; k++) {
        double *moment = moments + k * blk_component_size(&form);
        double *component = components + k * blk_component_size(&form);
        double *covariance = covariances + k * squares;
        double weight = moment[0] + 10 * DBL_EPSILON;
        double log_root;

        for (long c = 0; c < form.cols; c++) {
            moment[1 + c] /= weight;
            component[1 + c] += moment[1 + c];
        }
        find_covariance(&form, weight, moment + 1, moment + 1 + form.cols,
                        covariance);
        memcpy(component + 1 + form.cols, covariance,
               sizeof(*covariance) * (size_t)squares);
        if (!blk_factorise(&form, component + 1 + form.cols, &log_root))
            outcome->singular = 1;
        weights[k] = weight / form.rows;
        component[0] = log(weights[k]) + log_root -
                       form.cols * log(6.283185307179586) / 2;
    }
    memset(moments, 0, sizeof(*moments) * (size_t)(size + 1));
}

#pragma castell task collection_in(x[0:p.tiles] : p.tile) \
    in(components[0:size]) out(chances[0:p.rows*(long)form.k]) \
    out(labels[0:p.rows]) on_failure(fail) label("mixture: predict")
static int predict(struct blk_panel p, struct blk_form form, long size,
                   double *const *x, const double *components, double *chances,
                   double *labels)
{
    double *copy;
    const double *rows = blk_rows(&p, x, &copy);
    double *z = malloc(sizeof(*z) * (size_t)p.rows * (size_t)form.cols);
    bool good = rows && z;

    if (good)
        blk_find_chances(&form, p.rows, rows, components, z, chances);
    for (long r = 0; good && r < p.rows; r++) {
        const double *of_row = chances + r * form.k;
        int best = 0;

        for (int k = 1; k < form.k; k++)
            best = of_row[k] > of_row[best] ? k : best;
        labels[r] = best;
    }
    free(z);
    free(copy);
    return good ? 0 : blk_complain();
}

/* ---- Calls ---------------------------------------------------------------- */

/* Memory of tasks. */
struct fitting {
    struct blk_form form;
    double *components, *moments, *covariances, *weights;
    struct outcome *outcome;
};

static void fitting_release(struct fitting *fitting)
{
    castell_free(fitting->components);
    castell_free(fitting->moments);
    castell_free(fitting->covariances);
    castell_free(fitting->weights);
    castell_free(fitting->outcome);
}

static enum castell_status fitting_init(struct fitting *fitting,
                                        const double *centres)
{
    const struct blk_form *form = &fitting->form;
    long size = blk_component_size(form);

    fitting->components = blk_vector(form->k * size);
    fitting->moments = blk_vector(form->k * size + 1);
    fitting->covariances = blk_vector(form->k * blk_squares_of(form));
    fitting->weights = blk_vector(form->k);
    fitting->outcome = blk_alloc(1, sizeof(*fitting->outcome));
    if (!fitting->components || !fitting->moments || !fitting->covariances ||
        !fitting->weights || !fitting->outcome)
        return blk_no_memory();
    for (long k = 0; k < form->k; k++)
        memcpy(fitting->components + k * size + 1, centres + k * form->cols,
               sizeof(*centres) * (size_t)form->cols);
    return CASTELL_OK;
}

static enum castell_status step(struct blocks_array *array,
                                const struct fitting *fitting)
{
    long size = fitting->form.k * blk_component_size(&fitting->form);
    enum castell_status status;

    for (long i = 0; i < array->shape.grid_rows; i++) {
        double **tiles;
        struct blk_panel panel = blk_panel(array, i, &tiles);

        expect(panel, fitting->form, size, tiles, fitting->components,
               fitting->moments);
    }
    maximise(fitting->form, size, fitting->moments, fitting->components,
             fitting->covariances, fitting->weights, fitting->outcome);
    status = blk_wait(fitting->outcome, sizeof(*fitting->outcome));
    if (status == CASTELL_OK && fitting->outcome->singular)
        status = blk_fail(CASTELL_ERR_INVALID,
                          "the covariance of a component became singular; a "
                          "higher floor or fewer components may help");
    return status;
}

static enum castell_status iterate(struct blocks_array *array,
                                   struct fitting *fitting,
                                   const struct blocks_mixture_options *options,
                                   struct blocks_mixture *model)
{
    int most = options->iterations > 0 ? options->iterations : 100;
    double tolerance = options->tolerance > 0 ? options->tolerance : 1e-3;
    double before = -HUGE_VAL;
    enum castell_status status;

    fitting->form.hard = true;
    status = step(array, fitting);
    fitting->form.hard = false;
    while (status == CASTELL_OK && !model->converged &&
           model->iterations < most) {
        status = step(array, fitting);
        if (status < 0)
            break;
        model->likelihood = fitting->outcome->likelihood;
        model->converged = fabs(model->likelihood - before) < tolerance;
        model->iterations++;
        before = model->likelihood;
    }
    return status;
}

static enum castell_status take_model(const struct fitting *fitting,
                                      struct blocks_mixture *model)
{
    const struct blk_form *form = &fitting->form;
    long size = blk_component_size(form);
    double *components = NULL;
    enum castell_status status =
        blk_take(fitting->components, form->k * size, &components);

    if (status == CASTELL_OK)
        status = blk_take(fitting->covariances, form->k * blk_squares_of(form),
                          &model->covariances);
    if (status == CASTELL_OK)
        status = blk_take(fitting->weights, form->k, &model->weights);
    model->means = malloc(sizeof(double) * (size_t)(form->k * model->cols));
    if (status == CASTELL_OK && !model->means)
        status = blk_no_memory();
    for (long k = 0; status == CASTELL_OK && k < form->k; k++)
        memcpy(model->means + k * form->cols, components + k * size + 1,
               sizeof(double) * (size_t)form->cols);
    free(components);
    if (status != CASTELL_OK)
        blocks_mixture_release(model);
    return status;
}

/* Those of the caller, or by k-means; from malloc(). */
static enum castell_status find_centres(
    struct blocks_array *array, const struct blocks_mixture_options *options,
    double **ret_centres)
{
    const struct blocks_kmeans_options how = {.clusters = options->components,
                                              .seed = options->seed,
                                              .start = options->start,
                                              .iterations = 300};
    size_t size = sizeof(double) * (size_t)options->components *
                  (size_t)array->shape.cols;
    struct blocks_kmeans model = {0};
    enum castell_status status;

    if (options->start) {
        *ret_centres = malloc(size);
        if (!*ret_centres)
            return blk_no_memory();
        memcpy(*ret_centres, options->start, size);
        return CASTELL_OK;
    }
    status = blocks_kmeans(array, &how, &model);
    *ret_centres = model.centres;
    return status;
}

enum castell_status
blocks_mixture(struct blocks_array *array,
               const struct blocks_mixture_options *options,
               struct blocks_mixture *ret_model)
{
    struct blocks_mixture model = {.components = options->components,
                                   .cols = array->shape.cols,
                                   .covariance = options->covariance};
    struct fitting fitting = {
        .form = {.k = options->components,
                 .cols = (int)array->shape.cols,
                 .diagonal = options->covariance == BLOCKS_DIAGONAL,
                 .rows = (double)array->shape.rows,
                 .floor = options->floor > 0 ? options->floor : 1e-6}};
    double *centres = NULL;
    enum castell_status status;

    if (model.components < 1 || model.components > array->shape.rows)
        return blk_fail(CASTELL_ERR_INVALID,
                        "there are no %d components of %ld rows",
                        model.components, array->shape.rows);
    if (model.cols >= 32768)
        return blk_fail(CASTELL_ERR_INVALID, "%ld columns are too many",
                        model.cols);
    status = find_centres(array, options, &centres);
    if (status == CASTELL_OK)
        status = fitting_init(&fitting, centres);
    if (status == CASTELL_OK)
        status = iterate(array, &fitting, options, &model);
    if (status == CASTELL_OK)
        status = take_model(&fitting, &model);
    free(centres);
    fitting_release(&fitting);
    if (status == CASTELL_OK)
        *ret_model = model;
    return status;
}

void blocks_mixture_release(struct blocks_mixture *model)
{
    free(model->weights);
    free(model->means);
    free(model->covariances);
}

/* The components of a model, as tasks want them. */
static double *components_of(const struct blk_form *form,
                             const struct blocks_mixture *model)
{
    long size = blk_component_size(form);
    long squares = blk_squares_of(form);
    double *components = blk_vector(form->k * size);

    for (long k = 0; components && k < form->k; k++) {
        double *component = components + k * size;
        double log_root;

        memcpy(component + 1, model->means + k * form->cols,
               sizeof(double) * (size_t)form->cols);
        memcpy(component + 1 + form->cols, model->covariances + k * squares,
               sizeof(double) * (size_t)squares);
        blk_factorise(form, component + 1 + form->cols, &log_root);
        component[0] = log(model->weights[k]) + log_root -
                       form->cols * log(6.283185307179586) / 2;
    }
    return components;
}

enum castell_status blocks_mixture_predict(const struct blocks_mixture *model,
                                           struct blocks_array *array,
                                           struct blocks_array **ret_chances,
                                           struct blocks_array **ret_labels)
{
    const struct blocks_shape *shape = &array->shape;
    const struct blk_form form = {.k = model->components,
                              .cols = (int)model->cols,
                              .diagonal =
                                  model->covariance == BLOCKS_DIAGONAL};
    struct blocks_array *chances = NULL;
    struct blocks_array *labels = NULL;
    double *components;
    enum castell_status status;

    if (shape->cols != model->cols)
        return blk_fail(CASTELL_ERR_INVALID,
                        "the components are of %ld columns, and there are %ld",
                        model->cols, shape->cols);
    components = components_of(&form, model);
    status = components ? blocks_create(shape->rows, form.k, shape->block_rows,
                                        form.k, &chances)
                        : blk_no_memory();
    if (status == CASTELL_OK)
        status = blocks_create(shape->rows, 1, shape->block_rows, 1, &labels);
    for (long i = 0; status == CASTELL_OK && i < shape->grid_rows; i++) {
        double **tiles;
        struct blk_panel panel = blk_panel(array, i, &tiles);

        predict(panel, form, form.k * blk_component_size(&form), tiles, components,
                blk_tile(chances, i, 0), blk_tile(labels, i, 0));
    }
    castell_free(components);
    blk_hand_over(status, chances, ret_chances);
    blk_hand_over(status, labels, ret_labels);
    return status;
}
