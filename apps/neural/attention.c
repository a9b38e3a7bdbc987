/*
 * What makes a transformer of dense layers: attention and the normalisation of
 * rows.
 */
#include "neural/layers.h"

/* Of one head of one sample: where its rows are. */
struct head {
    const real *q, *k, *v; /* at a distance of `pitch` */
    int rows, width, pitch;
    real scale;
};

long attention_scratch(const struct layer *layer)
{
    return 2L * layer->rows * layer->rows;
}

static struct head head_of(const struct layer *layer, const real *x, int h)
{
    int width = layer->out / layer->heads;

    return (struct head){
        .q = x + (long)h * width,
        .k = x + layer->out + (long)h * width,
        .v = x + 2L * layer->out + (long)h * width,
        .rows = layer->rows,
        .width = width,
        .pitch = layer->in,
        .scale = 1 / real_sqrt((real)width),
    };
}

/* shares[i][j]: how much row i takes of the value of row j <= i. */
static void attend(const struct head *head, real *shares)
{
    int rows = head->rows;

    real_gemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, rows, head->width,
              head->scale, head->q, head->pitch, head->k, head->pitch, 0,
              shares, rows);
    for (int i = 0; i < rows; i++) {
        real *share = shares + (long)i * rows;
        real most = share[0];
        real sum = 0;

        #pragma omp simd reduction(max : most)
        for (int j = 1; j <= i; j++)
            most = share[j] > most ? share[j] : most;
        #pragma omp simd
        for (int j = 0; j <= i; j++)
            share[j] = real_exp(share[j] - most);
        #pragma omp simd reduction(+ : sum)
        for (int j = 0; j <= i; j++)
            sum += share[j];
        sum = 1 / sum;
        for (int j = 0; j <= i; j++)
            share[j] *= sum;
        for (int j = i + 1; j < rows; j++)
            share[j] = 0;
    }
}

void attention_forward(const struct layer_work *work, const real *x, real *y)
{
    const struct layer *layer = work->layer;

    for (int at = 0; at < work->count * layer->heads; at++) {
        int sample = at / layer->heads;
        int h = at % layer->heads;
        struct head head =
            head_of(layer, x + (long)sample * layer_reads(layer), h);
        real *to = y + (long)sample * layer_gives(layer) + (long)h * head.width;

        attend(&head, work->scratch);
        real_gemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, head.rows,
                  head.width, head.rows, 1, work->scratch, head.rows, head.v,
                  head.pitch, 0, to, layer->out);
    }
}

/* From derivatives by shares to those by what they are the softmax of. */
static void attend_backward(int rows, const real *shares, real *dshares)
{
    for (int i = 0; i < rows; i++) {
        const real *share = shares + (long)i * rows;
        real *dshare = dshares + (long)i * rows;
        real sum = 0;

        #pragma omp simd reduction(+ : sum)
        for (int j = 0; j <= i; j++)
            sum += share[j] * dshare[j];
        #pragma omp simd
        for (int j = 0; j < rows; j++)
            dshare[j] = share[j] * (dshare[j] - sum);
    }
}

void attention_backward(const struct layer_work *work, const real *x,
                        const real *dy, real *dx)
{
    const struct layer *layer = work->layer;
    int rows = layer->rows;
    int pitch = layer->in;
    real *shares = work->scratch;
    real *dshares = shares + (long)rows * rows;

    for (int at = 0; at < work->count * layer->heads; at++) {
        long sample = at / layer->heads;
        int h = at % layer->heads;
        struct head head = head_of(layer, x + sample * layer_reads(layer), h);
        const real *from =
            dy + sample * layer_gives(layer) + (long)h * head.width;
        real *dq = dx + sample * layer_reads(layer) + (long)h * head.width;

        attend(&head, shares);
        real_gemm(CblasRowMajor, CblasTrans, CblasNoTrans, rows, head.width,
                  rows, 1, shares, rows, from, layer->out, 0,
                  dq + 2L * layer->out, pitch);
        real_gemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, rows,
                  head.width, 1, from, layer->out, head.v, pitch, 0, dshares,
                  rows);
        attend_backward(rows, shares, dshares);
        real_gemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, head.width,
                  rows, head.scale, dshares, rows, head.k, pitch, 0, dq, pitch);
        real_gemm(CblasRowMajor, CblasTrans, CblasNoTrans, rows, head.width,
                  rows, head.scale, dshares, rows, head.q, pitch, 0,
                  dq + layer->out, pitch);
    }
}

/* ---- Normalisation ------------------------------------------------------ */

/* The mean of a row, and 1 / its standard deviation. */
struct moments {
    real mean, inverse;
};

static struct moments moments_of(const real *x, int width)
{
    real sum = 0;
    real squares = 0;

    #pragma omp simd reduction(+ : sum)
    for (int i = 0; i < width; i++)
        sum += x[i];
    sum /= (real)width;
    #pragma omp simd reduction(+ : squares)
    for (int i = 0; i < width; i++)
        squares += (x[i] - sum) * (x[i] - sum);
    return (struct moments){sum,
                            1 / real_sqrt(squares / (real)width + (real)1e-5)};
}

void norm_forward(const struct layer_work *work, const real *x, real *y)
{
    int width = work->layer->in;
    const real *scale = work->weights;
    long rows = (long)work->count * work->layer->rows;

    for (long row = 0; row < rows; row++) {
        const real *a = x + row * width;
        struct moments m = moments_of(a, width);

        #pragma omp simd
        for (int i = 0; i < width; i++)
            y[row * width + i] =
                (a[i] - m.mean) * m.inverse * scale[i] + scale[width + i];
    }
}

void norm_backward(const struct layer_work *work, const real *x, const real *dy,
                   real *dx, real *gradient)
{
    int width = work->layer->in;
    const real *scale = work->weights;
    long rows = (long)work->count * work->layer->rows;

    for (long row = 0; row < rows; row++) {
        const real *a = x + row * width;
        const real *d = dy + row * width;
        struct moments m = moments_of(a, width);
        real sum = 0;
        real along = 0;

        #pragma omp simd reduction(+ : sum, along)
        for (int i = 0; i < width; i++) {
            real normal = (a[i] - m.mean) * m.inverse;

            gradient[i] += d[i] * normal;
            gradient[width + i] += d[i];
            sum += d[i] * scale[i];
            along += d[i] * scale[i] * normal;
        }
        #pragma omp simd
        for (int i = 0; i < width; i++) {
            real normal = (a[i] - m.mean) * m.inverse;

            dx[row * width + i] =
                m.inverse *
                (d[i] * scale[i] - (sum + normal * along) / (real)width);
        }
    }
}
