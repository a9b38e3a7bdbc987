/* The layers that are a few lines each, and the choice among all. */
#include "neural/layers.h"

int layer_reads(const struct layer *layer)
{
    return layer->rows * layer->in;
}

int layer_gives(const struct layer *layer)
{
    int rows = layer->rows;

    if (layer->kind == LAYER_POOL)
        rows = (layer->side / 2) * (layer->side / 2);
    return rows * layer->out;
}

long layer_scratch(const struct layer *layer)
{
    if (layer->kind == LAYER_CONV)
        return conv_scratch(layer);
    return layer->kind == LAYER_ATTENTION ? attention_scratch(layer) : 0;
}

/* ---- Bytes -------------------------------------------------------------- */

static void pixels_forward(const struct layer_work *work, real *y)
{
    long count = (long)work->count * work->layer->in;

    #pragma omp simd
    for (long i = 0; i < count; i++)
        y[i] = ((real)work->bytes[i] - 73) / 90;
}

static void embed_forward(const struct layer_work *work, real *y)
{
    const struct layer *layer = work->layer;
    int width = layer->out;
    const real *position = work->weights + 256L * width;
    long rows = (long)work->count * layer->rows;

    for (long row = 0; row < rows; row++) {
        const real *a = work->weights + (long)work->bytes[row] * width;
        const real *b = position + row % layer->rows * width;

        #pragma omp simd
        for (int i = 0; i < width; i++)
            y[row * width + i] = a[i] + b[i];
    }
}

static void embed_backward(const struct layer_work *work, const real *dy,
                           real *gradient)
{
    const struct layer *layer = work->layer;
    int width = layer->out;
    real *position = gradient + 256L * width;
    long rows = (long)work->count * layer->rows;

    for (long row = 0; row < rows; row++) {
        real *a = gradient + (long)work->bytes[row] * width;
        real *b = position + row % layer->rows * width;

        for (int i = 0; i < width; i++) {
            a[i] += dy[row * width + i];
            b[i] += dy[row * width + i];
        }
    }
}

/* ---- Dense -------------------------------------------------------------- */

static void dense_forward(const struct layer_work *work, const real *x, real *y)
{
    const struct layer *layer = work->layer;
    int rows = work->count * layer->rows;
    const real *bias = work->weights + (long)layer->in * layer->out;

    for (long row = 0; row < rows; row++)
        memcpy(y + row * layer->out, bias, sizeof(*y) * (size_t)layer->out);
    real_gemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, layer->out,
              layer->in, 1, x, layer->in, work->weights, layer->out, 1, y,
              layer->out);
}

static void dense_backward(const struct layer_work *work, const real *x,
                           const real *dy, real *dx, real *gradient)
{
    const struct layer *layer = work->layer;
    int rows = work->count * layer->rows;
    real *bias = gradient + (long)layer->in * layer->out;

    for (long row = 0; row < rows; row++) {
        #pragma omp simd
        for (int i = 0; i < layer->out; i++)
            bias[i] += dy[row * layer->out + i];
    }
    real_gemm(CblasRowMajor, CblasTrans, CblasNoTrans, layer->in, layer->out,
              rows, 1, x, layer->in, dy, layer->out, 1, gradient, layer->out);
    if (dx)
        real_gemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, layer->in,
                  layer->out, 1, dy, layer->out, work->weights, layer->out, 0,
                  dx, layer->in);
}

/* ---- Number by number --------------------------------------------------- */

static void relu_forward(long count, const real *x, real *y)
{
    #pragma omp simd
    for (long i = 0; i < count; i++)
        y[i] = x[i] > 0 ? x[i] : 0;
}

static void relu_backward(long count, const real *y, const real *dy, real *dx)
{
    #pragma omp simd
    for (long i = 0; i < count; i++)
        dx[i] = dy[i] * (real)(y[i] > 0);
}

/* gelu(x) = x / (1 + e^-u), u = 2 sqrt(2/pi) (x + 0.044715 x^3). */
#define GELU_SLOPE ((real)1.5957691216057308)
#define GELU_CUBE  ((real)0.044715)

static void gelu_forward(long count, const real *x, real *y)
{
    #pragma omp simd
    for (long i = 0; i < count; i++) {
        real u = GELU_SLOPE * (x[i] + GELU_CUBE * x[i] * x[i] * x[i]);

        y[i] = x[i] / (1 + real_exp(-u));
    }
}

static void gelu_backward(long count, const real *x, const real *dy, real *dx)
{
    #pragma omp simd
    for (long i = 0; i < count; i++) {
        real u = GELU_SLOPE * (x[i] + GELU_CUBE * x[i] * x[i] * x[i]);
        real du = GELU_SLOPE * (1 + 3 * GELU_CUBE * x[i] * x[i]);
        real s = 1 / (1 + real_exp(-u));

        dx[i] = dy[i] * (s + x[i] * s * (1 - s) * du);
    }
}

/* ---- The choice --------------------------------------------------------- */

void layer_forward(const struct layer_work *work, const real *x, real *y)
{
    long count = (long)work->count * layer_reads(work->layer);

    switch (work->layer->kind) {
    case LAYER_PIXELS:
        pixels_forward(work, y);
        break;
    case LAYER_EMBED:
        embed_forward(work, y);
        break;
    case LAYER_DENSE:
        dense_forward(work, x, y);
        break;
    case LAYER_RELU:
        relu_forward(count, x, y);
        break;
    case LAYER_GELU:
        gelu_forward(count, x, y);
        break;
    case LAYER_CONV:
        conv_forward(work, x, y);
        break;
    case LAYER_POOL:
        pool_forward(work, x, y);
        break;
    case LAYER_NORM:
        norm_forward(work, x, y);
        break;
    case LAYER_ATTENTION:
        attention_forward(work, x, y);
        break;
    case LAYER_ADD: /* the network adds the other one */
        memcpy(y, x, sizeof(*y) * (size_t)count);
        break;
    }
}

void layer_backward(const struct layer_work *work, const real *x, const real *y,
                    const real *dy, real *dx, real *gradient)
{
    long count = (long)work->count * layer_reads(work->layer);

    switch (work->layer->kind) {
    case LAYER_PIXELS:
        break;
    case LAYER_EMBED:
        embed_backward(work, dy, gradient);
        break;
    case LAYER_DENSE:
        dense_backward(work, x, dy, dx, gradient);
        break;
    case LAYER_RELU:
        relu_backward(count, y, dy, dx);
        break;
    case LAYER_GELU:
        gelu_backward(count, x, dy, dx);
        break;
    case LAYER_CONV:
        conv_backward(work, x, dy, dx, gradient);
        break;
    case LAYER_POOL:
        pool_backward(work, x, y, dy, dx);
        break;
    case LAYER_NORM:
        norm_backward(work, x, dy, dx, gradient);
        break;
    case LAYER_ATTENTION:
        attention_backward(work, x, dy, dx);
        break;
    case LAYER_ADD:
        memcpy(dx, dy, sizeof(*dx) * (size_t)count);
        break;
    }
}
