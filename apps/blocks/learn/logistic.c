/*
 * Logistic regression. The loss and its gradient are a reduction over panels; a
 * task then takes one step of L-BFGS, whose whole state is data, so that main()
 * waits for nothing but whether it is over.
 */
#include "blocks/linear.h"
#include "blocks/learn/learn.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PAIRS = 10, HALVINGS = 40 };

/* Weights are a row of cols numbers and the intercept for each class; a result is
   a gradient of the same form, and then the loss. */
struct problem {
    long cols, rows;
    int classes;
    bool no_intercept;
    double ridge, tolerance;
};

static long size_of(const struct problem *problem)
{
    return problem->classes * (problem->cols + 1);
}

/* ---- The loss ------------------------------------------------------------- */

/* From scores to chances, in place; the logarithm of what they were divided by. */
static double softmax(int classes, double *scores)
{
    double most = scores[0];
    double sum = 0;

    for (int c = 1; c < classes; c++)
        most = scores[c] > most ? scores[c] : most;
    for (int c = 0; c < classes; c++) {
        scores[c] = exp(scores[c] - most);
        sum += scores[c];
    }
    for (int c = 0; c < classes; c++)
        scores[c] /= sum;
    return most + log(sum > 1 ? sum : 1); /* the greatest is exp(0) */
}

static void score(long cols, int classes, int rows, const double *x,
                  const double *weights, double *scores)
{
    int width = (int)cols + 1;

    for (long r = 0; r < rows; r++)
        cblas_dcopy(classes, weights + cols, width, scores + r * classes, 1);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, classes,
                (int)cols, 1, x, (int)cols, weights, width, 1, scores,
                classes);
}

static void add_strip(const struct problem *problem, int rows, const double *x,
                      const double *labels, const double *weights,
                      double *scores, double *result)
{
    int classes = problem->classes;
    int width = (int)problem->cols + 1;

    score(problem->cols, classes, rows, x, weights, scores);
    for (long r = 0; r < rows; r++) {
        double *of_row = scores + r * classes;
        int label = (int)labels[r];
        double right = of_row[label];

        result[size_of(problem)] += softmax(classes, of_row) - right;
        of_row[label] -= 1;
        for (long c = 0; c < classes; c++)
            result[c * width + problem->cols] += of_row[c];
    }
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, classes,
                (int)problem->cols, rows, 1, scores, classes, x,
                (int)problem->cols, 1, result, width);
}

#pragma castell task collection_in(x[0:p.tiles] : p.tile) \
    in(labels[0:p.rows], weights[0:problem.classes*(p.cols + 1)]) \
    reduction(+: result[0:problem.classes*(p.cols + 1) + 1]) \
    on_failure(fail) label("logistic: loss of rows")
static int add_loss(struct blk_panel p, struct problem problem,
                    double *const *x, const double *labels,
                    const double *weights, double *result)
{
    double *copy;
    const double *rows = blk_rows(&p, x, &copy);
    double *scores =
        malloc(sizeof(*scores) * BLK_STRIP * (size_t)problem.classes);

    for (int r = 0; rows && scores && r < p.rows; r += BLK_STRIP)
        add_strip(&problem, p.rows - r < BLK_STRIP ? p.rows - r : BLK_STRIP,
                  rows + r * p.cols, labels + r, weights, scores, result);
    free(scores);
    free(copy);
    return rows && scores ? 0 : blk_complain();
}

/* ---- L-BFGS --------------------------------------------------------------- */

/* What main() looks at. */
struct progress {
    double loss;
    int iterations;
    int over; /* converged, or no step is better any more */
    int converged;
};

/* Numbers of the state, one after another, each of size_of() but the last. */
struct search {
    struct problem problem;
    int first;         /* nothing was accepted yet */
    int pairs, newest; /* differences that are kept */
    int halvings;
    double loss, slope, step;
};

struct vectors {
    double *point, *gradient, *direction;
    double *moves, *changes; /* of point and gradient, PAIRS of each */
};

enum { VECTORS = 3 + 2 * PAIRS };

static struct vectors vectors_in(double *memory, long size)
{
    return (struct vectors){memory, memory + size, memory + 2 * size,
                            memory + 3 * size, memory + (3 + PAIRS) * size};
}

/* The mean loss with the ridge, and its gradient, from sums over rows. */
static double finish_loss(const struct problem *problem, const double *weights,
                          double *result)
{
    long width = problem->cols + 1;
    double rows = (double)problem->rows;
    double ridge = problem->ridge / rows;
    double loss = result[size_of(problem)] / rows;

    for (long i = 0; i < size_of(problem); i++) {
        result[i] /= rows;
        if (i % width == problem->cols) {
            if (problem->no_intercept)
                result[i] = 0;
            continue;
        }
        result[i] += ridge * weights[i];
        loss += ridge / 2 * weights[i] * weights[i];
    }
    return loss;
}

/* The two loops of L-BFGS: direction = - (about the inverse Hessian) gradient. */
static void find_direction(struct search *search, const struct vectors *v,
                           int size)
{
    double *d = v->direction;
    double share[PAIRS];
    const double *s = v->moves + (long)search->newest * size;
    const double *y = v->changes + (long)search->newest * size;

    cblas_dcopy(size, v->gradient, 1, d, 1);
    cblas_dscal(size, -1, d, 1);
    for (int i = 0; i < search->pairs; i++) {
        long at = (search->newest + PAIRS - i) % PAIRS * (long)size;

        share[i] = cblas_ddot(size, v->moves + at, 1, d, 1) /
                   cblas_ddot(size, v->moves + at, 1, v->changes + at, 1);
        cblas_daxpy(size, -share[i], v->changes + at, 1, d, 1);
    }
    if (search->pairs > 0)
        cblas_dscal(size,
                    cblas_ddot(size, s, 1, y, 1) / cblas_ddot(size, y, 1, y, 1),
                    d, 1);
    for (int i = search->pairs; i-- > 0;) {
        long at = (search->newest + PAIRS - i) % PAIRS * (long)size;
        double other =
            cblas_ddot(size, v->changes + at, 1, d, 1) /
            cblas_ddot(size, v->moves + at, 1, v->changes + at, 1);

        cblas_daxpy(size, share[i] - other, v->moves + at, 1, d, 1);
    }
    search->slope = cblas_ddot(size, v->gradient, 1, d, 1);
    search->step = 1;
    if (search->pairs == 0) {
        double length = cblas_dnrm2(size, d, 1);

        search->step = length > 1 ? 1 / length : 1;
    }
}

/* The point `tried` is good: keep how it and the gradient changed, go there. */
static void accept(struct search *search, const struct vectors *v, int size,
                   const double *tried, const double *gradient)
{
    int next = (search->newest + 1) % PAIRS;
    double *s = v->moves + (long)next * size;
    double *y = v->changes + (long)next * size;

    cblas_dcopy(size, tried, 1, s, 1);
    cblas_daxpy(size, -1, v->point, 1, s, 1);
    cblas_dcopy(size, gradient, 1, y, 1);
    cblas_daxpy(size, -1, v->gradient, 1, y, 1);
    if (!search->first &&
        cblas_ddot(size, s, 1, y, 1) > 1e-14 * cblas_ddot(size, y, 1, y, 1)) {
        search->newest = next;
        search->pairs += search->pairs < PAIRS;
    }
    cblas_dcopy(size, tried, 1, v->point, 1);
    cblas_dcopy(size, gradient, 1, v->gradient, 1);
    search->first = 0;
    search->halvings = 0;
}

/* The loss falls by too little: the least point of a parabola, or nearly none. */
static void shorten(struct search *search, double loss)
{
    double rise = loss - search->loss - search->slope * search->step;
    double share = -search->slope * search->step / (2 * rise);

    search->step *= share > 0.1 && share < 0.5 ? share : share >= 0.5 ? 0.5
                                                                      : 0.1;
    search->halvings++;
}

/*
 * Where losses differ by rounding only, the slope tells more (the approximate
 * conditions of Wolfe: Hager and Zhang, 2005).
 */
static bool is_level(const struct search *search, double loss, double slope)
{
    return loss <= search->loss + 1e-12 * fabs(search->loss) &&
           fabs(slope) <= -0.9998 * search->slope;
}

/* One evaluation more: of `result` at the weights, which become the next ones to
   try, or, when it is over, the best. */
#pragma castell task inout(*search, memory[0:VECTORS*size]) \
    inout(result[0:size + 1], weights[0:size]) out(*progress) \
    inout(*iterations) label("logistic: a step")
static void take_step(long size, struct search *search, double *memory,
                      double *result, double *weights, int *iterations,
                      struct progress *progress)
{
    const struct vectors v = vectors_in(memory, size);
    const struct problem *problem = &search->problem;
    int n = (int)size;
    double loss = finish_loss(problem, weights, result);
    bool good =
        search->first ||
        loss <= search->loss + 1e-4 * search->step * search->slope ||
        is_level(search, loss, cblas_ddot(n, result, 1, v.direction, 1));

    *progress = (struct progress){0};
    if (good) {
        *iterations += !search->first;
        accept(search, &v, n, weights, result);
        search->loss = loss;
        progress->converged =
            fabs(v.gradient[cblas_idamax(n, v.gradient, 1)]) <=
            problem->tolerance;
        progress->over = progress->converged;
        find_direction(search, &v, n);
    } else {
        shorten(search, loss);
        progress->over = search->halvings > HALVINGS;
    }
    cblas_dcopy(n, v.point, 1, weights, 1);
    if (!progress->over)
        cblas_daxpy(n, search->step, v.direction, 1, weights, 1);
    progress->loss = search->loss;
    progress->iterations = *iterations;
    memset(result, 0, sizeof(*result) * (size_t)(size + 1));
}

/* ---- Prediction ----------------------------------------------------------- */

#pragma castell task collection_in(x[0:p.tiles] : p.tile) \
    in(weights[0:classes*(p.cols + 1)]) out(chances[0:p.rows*(long)classes]) \
    out(labels[0:p.rows]) on_failure(fail) label("logistic: predict")
static int predict(struct blk_panel p, int classes, double *const *x,
                   const double *weights, double *chances, double *labels)
{
    double *copy;
    const double *rows = blk_rows(&p, x, &copy);

    if (rows)
        score(p.cols, classes, p.rows, rows, weights, chances);
    for (long r = 0; rows && r < p.rows; r++) {
        double *of_row = chances + r * classes;
        int best = 0;

        softmax(classes, of_row);
        for (int c = 1; c < classes; c++)
            best = of_row[c] > of_row[best] ? c : best;
        labels[r] = best;
    }
    free(copy);
    return rows ? 0 : blk_complain();
}

/* ---- Calls ---------------------------------------------------------------- */

/* Memory of tasks. */
struct state {
    struct search *search;
    double *vectors, *result, *weights;
    int *iterations;
    struct progress *progress;
};

static void state_release(struct state *state)
{
    castell_free(state->search);
    castell_free(state->vectors);
    castell_free(state->result);
    castell_free(state->weights);
    castell_free(state->iterations);
    castell_free(state->progress);
}

static bool state_init(struct state *state, const struct problem *problem)
{
    long size = size_of(problem);

    *state = (struct state){
        .search = blk_alloc(1, sizeof(*state->search)),
        .vectors = blk_vector(VECTORS * size),
        .result = blk_vector(size + 1),
        .weights = blk_vector(size),
        .iterations = blk_alloc(1, sizeof(*state->iterations)),
        .progress = blk_alloc(1, sizeof(*state->progress)),
    };
    if (!state->search || !state->vectors || !state->result ||
        !state->weights || !state->iterations || !state->progress)
        return false;
    state->search->problem = *problem;
    state->search->first = 1;
    return true;
}

static enum castell_status minimise(struct blocks_array *array,
                                    struct blocks_array *labels,
                                    const struct problem *problem,
                                    const struct state *state, int iterations)
{
    long size = size_of(problem);
    enum castell_status status = CASTELL_OK;

    do {
        for (long i = 0; i < array->shape.grid_rows; i++) {
            double **tiles;
            struct blk_panel panel = blk_panel(array, i, &tiles);

            add_loss(panel, *problem, tiles, blk_tile(labels, i, 0),
                     state->weights, state->result);
        }
        take_step(size, state->search, state->vectors, state->result,
                  state->weights, state->iterations, state->progress);
        status = blk_wait(state->progress, sizeof(*state->progress));
    } while (status == CASTELL_OK && !state->progress->over &&
             state->progress->iterations < iterations);
    return status;
}

/* Of the point that was accepted last. */
static enum castell_status take_model(const struct problem *problem,
                                      const struct state *state,
                                      struct blocks_linear *model)
{
    long cols = problem->cols;
    double *point = NULL;
    enum castell_status status =
        blk_take(state->vectors, size_of(problem), &point);

    if (status < 0)
        return status;
    model->weights = malloc(sizeof(*point) * (size_t)(problem->classes * cols));
    model->intercepts = malloc(sizeof(*point) * (size_t)problem->classes);
    if (!model->weights || !model->intercepts) {
        blocks_linear_release(model);
        free(point);
        return blk_no_memory();
    }
    for (long c = 0; c < problem->classes; c++) {
        memcpy(model->weights + c * cols, point + c * (cols + 1),
               sizeof(*point) * (size_t)cols);
        model->intercepts[c] = point[c * (cols + 1) + cols];
    }
    free(point);
    model->loss = state->progress->loss;
    model->iterations = state->progress->iterations;
    model->converged = state->progress->converged;
    return CASTELL_OK;
}

enum castell_status
blocks_logistic(struct blocks_array *array, struct blocks_array *labels,
                const struct blocks_logistic_options *options,
                struct blocks_linear *ret_model)
{
    struct problem problem = {
        .cols = array->shape.cols,
        .rows = array->shape.rows,
        .no_intercept = options->no_intercept,
        .ridge = options->ridge,
        .tolerance = options->tolerance > 0 ? options->tolerance : 1e-4,
    };
    struct blocks_linear model = {.cols = problem.cols};
    struct state state = {0};
    int iterations = options->iterations > 0 ? options->iterations : 100;
    enum castell_status status =
        blk_classes(array, labels, &problem.classes);

    if (!(problem.ridge > 0) || problem.ridge < 0)
        problem.ridge = problem.ridge < 0 ? 0 : 1;
    if (status == CASTELL_OK && problem.classes < 2)
        status = blk_fail(CASTELL_ERR_INVALID, "all labels are 0: one class");
    if (status == CASTELL_OK && problem.cols * problem.classes >= 1 << 26)
        status = blk_fail(CASTELL_ERR_INVALID,
                          "%ld columns and %d classes are too many",
                          problem.cols, problem.classes);
    if (status < 0)
        return status;
    status = state_init(&state, &problem) ? minimise(array, labels, &problem,
                                                     &state, iterations)
                                          : blk_no_memory();
    model.targets = problem.classes;
    if (status == CASTELL_OK)
        status = take_model(&problem, &state, &model);
    state_release(&state);
    if (status == CASTELL_OK)
        *ret_model = model;
    return status;
}

/* Weights and intercepts as tasks want them. */
static double *joined(const struct blocks_linear *model)
{
    long cols = model->cols;
    double *weights = blk_vector(model->targets * (cols + 1));

    for (long c = 0; weights && c < model->targets; c++) {
        memcpy(weights + c * (cols + 1), model->weights + c * cols,
               sizeof(*weights) * (size_t)cols);
        weights[c * (cols + 1) + cols] = model->intercepts[c];
    }
    return weights;
}

enum castell_status blocks_logistic_predict(const struct blocks_linear *model,
                                            struct blocks_array *array,
                                            struct blocks_array **ret_chances,
                                            struct blocks_array **ret_labels)
{
    const struct blocks_shape *shape = &array->shape;
    struct blocks_array *chances = NULL;
    struct blocks_array *labels = NULL;
    double *weights;
    enum castell_status status;

    if (shape->cols != model->cols)
        return blk_fail(CASTELL_ERR_INVALID,
                        "the weights are of %ld columns, and there are %ld",
                        model->cols, shape->cols);
    weights = joined(model);
    status = weights ? blocks_create(shape->rows, model->targets,
                                     shape->block_rows, model->targets,
                                     &chances)
                     : blk_no_memory();
    if (status == CASTELL_OK)
        status = blocks_create(shape->rows, 1, shape->block_rows, 1, &labels);
    for (long i = 0; status == CASTELL_OK && i < shape->grid_rows; i++) {
        double **tiles;
        struct blk_panel panel = blk_panel(array, i, &tiles);

        predict(panel, model->targets, tiles, weights,
                blk_tile(chances, i, 0), blk_tile(labels, i, 0));
    }
    castell_free(weights);
    blk_hand_over(status, chances, ret_chances);
    blk_hand_over(status, labels, ret_labels);
    return status;
}
