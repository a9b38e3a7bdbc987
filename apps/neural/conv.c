/*
 * Convolution and pooling of square images, whose rows are pixels.
 *
 * im2col: the 3 x 3 pixels around each one are laid out as a row, so that a
 * convolution is a product of matrices. That is done for as many images at a
 * time as stay in a core's cache.
 */
#include "neural/layers.h"

enum { TAPS = 9, COLUMNS_SIZE = 65536 };

/* Images that are laid out at one time. */
static int chunk_of(const struct layer *layer)
{
    int chunk = COLUMNS_SIZE / (layer->rows * TAPS * layer->in);

    return chunk > 0 ? chunk : 1;
}

/* Numbers of an image with an edge of zeros around it. */
static long padded_size(const struct layer *layer)
{
    return (long)(layer->side + 2) * (layer->side + 2) * layer->in;
}

static long columns_size(const struct layer *layer)
{
    return (long)layer->rows * TAPS * layer->in;
}

long conv_scratch(const struct layer *layer)
{
    return chunk_of(layer) * columns_size(layer) + padded_size(layer);
}

/* Where the padded image is in the scratch memory. */
static real *padded_in(const struct layer_work *work)
{
    return work->scratch + chunk_of(work->layer) * columns_size(work->layer);
}

static void copy(real *to, const real *from, int count)
{
    #pragma omp simd
    for (int i = 0; i < count; i++)
        to[i] = from[i];
}

static void add(real *to, const real *from, int count)
{
    #pragma omp simd
    for (int i = 0; i < count; i++)
        to[i] += from[i];
}

/* One image to rows of TAPS * in numbers: three pieces of three pixels. */
static void lay_out(const struct layer_work *work, const real *x, real *columns)
{
    const struct layer *layer = work->layer;
    int side = layer->side;
    int three = 3 * layer->in;
    long line = (long)(side + 2) * layer->in;
    real *padded = padded_in(work);

    memset(padded, 0, sizeof(*padded) * (size_t)padded_size(layer));
    for (int at = 0; at < side; at++)
        memcpy(padded + (at + 1) * line + layer->in,
               x + (long)at * side * layer->in,
               sizeof(*x) * (size_t)side * (size_t)layer->in);
    for (int at = 0; at < side * side; at++) {
        const real *from =
            padded + at / side * line + (long)(at % side) * layer->in;

        for (int tap = 0; tap < 3; tap++, columns += three)
            copy(columns, from + tap * line, three);
    }
}

/* The other way: numbers are added to the pixels that they came from. */
static void gather(const struct layer_work *work, const real *columns, real *dx)
{
    const struct layer *layer = work->layer;
    int side = layer->side;
    int three = 3 * layer->in;
    long line = (long)(side + 2) * layer->in;
    real *padded = padded_in(work);

    memset(padded, 0, sizeof(*padded) * (size_t)padded_size(layer));
    for (int at = 0; at < side * side; at++) {
        real *to = padded + at / side * line + (long)(at % side) * layer->in;

        for (int tap = 0; tap < 3; tap++, columns += three)
            add(to + tap * line, columns, three);
    }
    for (int at = 0; at < side; at++)
        memcpy(dx + (long)at * side * layer->in,
               padded + (at + 1) * line + layer->in,
               sizeof(*dx) * (size_t)side * (size_t)layer->in);
}

void conv_forward(const struct layer_work *work, const real *x, real *y)
{
    const struct layer *layer = work->layer;
    int in = TAPS * layer->in;
    const real *bias = work->weights + (long)in * layer->out;
    int chunk = chunk_of(layer);

    for (int first = 0; first < work->count; first += chunk) {
        int images = work->count - first < chunk ? work->count - first : chunk;
        int rows = images * layer->rows;
        real *to = y + (long)first * layer_gives(layer);

        for (int i = 0; i < images; i++)
            lay_out(work, x + (long)(first + i) * layer_reads(layer),
                    work->scratch + (long)i * layer->rows * in);
        for (long row = 0; row < rows; row++)
            memcpy(to + row * layer->out, bias,
                   sizeof(*to) * (size_t)layer->out);
        real_gemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, layer->out,
                  in, 1, work->scratch, in, work->weights, layer->out, 1, to,
                  layer->out);
    }
}

void conv_backward(const struct layer_work *work, const real *x, const real *dy,
                   real *dx, real *gradient)
{
    const struct layer *layer = work->layer;
    int in = TAPS * layer->in;
    int out = layer->out;
    real *bias = gradient + (long)in * out;
    int chunk = chunk_of(layer);

    for (int first = 0; first < work->count; first += chunk) {
        int images = work->count - first < chunk ? work->count - first : chunk;
        int rows = images * layer->rows;
        const real *from = dy + (long)first * layer_gives(layer);

        for (int i = 0; i < images; i++)
            lay_out(work, x + (long)(first + i) * layer_reads(layer),
                    work->scratch + (long)i * layer->rows * in);
        real_gemm(CblasRowMajor, CblasTrans, CblasNoTrans, in, out, rows, 1,
                  work->scratch, in, from, out, 1, gradient, out);
        for (long row = 0; row < rows; row++) {
            #pragma omp simd
            for (int i = 0; i < out; i++)
                bias[i] += from[row * out + i];
        }
        if (!dx)
            continue;
        real_gemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, in, out, 1,
                  from, out, work->weights, out, 0, work->scratch, in);
        for (int i = 0; i < images; i++)
            gather(work, work->scratch + (long)i * layer->rows * in,
                   dx + (long)(first + i) * layer_reads(layer));
    }
}

/* ---- Pooling ------------------------------------------------------------ */

void pool_forward(const struct layer_work *work, const real *x, real *y)
{
    const struct layer *layer = work->layer;
    int half = layer->side / 2;
    int channels = layer->in;
    long line = (long)layer->side * channels;

    for (int image = 0; image < work->count; image++) {
        for (int at = 0; at < half * half; at++) {
            const real *a = x + (long)image * layer_reads(layer) +
                            (long)(at / half) * 2 * line +
                            (long)(at % half) * 2 * channels;
            real *to =
                y + (long)image * layer_gives(layer) + (long)at * channels;

            #pragma omp simd
            for (int c = 0; c < channels; c++) {
                real upper = a[c] > a[c + channels] ? a[c] : a[c + channels];
                real lower = a[c + line] > a[c + line + channels]
                                 ? a[c + line]
                                 : a[c + line + channels];

                to[c] = upper > lower ? upper : lower;
            }
        }
    }
}

/* The first of equal ones gets the derivative. */
void pool_backward(const struct layer_work *work, const real *x, const real *y,
                   const real *dy, real *dx)
{
    const struct layer *layer = work->layer;
    int half = layer->side / 2;
    int channels = layer->in;
    long line = (long)layer->side * channels;

    if (layer->side % 2)
        memset(dx, 0,
               sizeof(*dx) * (size_t)work->count * (size_t)layer_reads(layer));
    for (int image = 0; image < work->count; image++) {
        for (int at = 0; at < half * half; at++) {
            long from = (long)image * layer_reads(layer) +
                        (long)(at / half) * 2 * line +
                        (long)(at % half) * 2 * channels;
            long to = (long)image * layer_gives(layer) + (long)at * channels;
            const real *a = x + from;
            real *da = dx + from;

            #pragma omp simd
            for (int c = 0; c < channels; c++) {
                real most = y[to + c];
                real left = dy[to + c];
                real given = a[c] >= most ? left : 0;

                da[c] = given;
                left -= given;
                given = a[c + channels] >= most ? left : 0;
                da[c + channels] = given;
                left -= given;
                given = a[c + line] >= most ? left : 0;
                da[c + line] = given;
                da[c + line + channels] = left - given;
            }
        }
    }
}
