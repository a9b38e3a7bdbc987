/*
 * kernels.h - what networks compute on a device, but for products of matrices: the
 * source of kernels, of which each is a program; see common/kernel.h.
 *
 * All numbers between layers are in `work`, at the places that are told; a sum is
 * one work item's, first to last: its bits do not depend on who else computes.
 */
#ifndef APPS_TRAIN_KERNELS_H
#define APPS_TRAIN_KERNELS_H

#include "common/kernel.h"

/* ---- Bytes, and the loss ------------------------------------------------- */

/* Bytes become numbers, or vectors: for the byte and for its position. Of those
   the derivatives: each is one item's, from all bytes that are it. */
static const struct app_kernels kernels_bytes = APP_KERNELS(
    kernel void pixels(int rows, int width, buffer const uchar *bytes,
                       buffer const int *order, buffer float *work, long y) {
        int i = get_global_id(0);
        int row = get_global_id(1);

        if (i < width && row < rows)
            work[y + (long)row * width + i] =
                ((float)bytes[(long)order[row] * width + i] - 73) / 90;
    }

    kernel void embed(int rows, int context, int width,
                      buffer const uchar *bytes, buffer const int *order,
                      buffer const float *weights, long first,
                      buffer float *work, long y) {
        int i = get_global_id(0);
        int row = get_global_id(1);
        int byte;

        if (i >= width || row >= rows)
            return;
        byte = bytes[(long)order[row / context] * context + row % context];
        work[y + (long)row * width + i] =
            weights[first + (long)byte * width + i] +
            weights[first + (256L + row % context) * width + i];
    }

    kernel void by_embed(int rows, int context, int width,
                         buffer const uchar *bytes, buffer const int *order,
                         buffer const float *work, long dy,
                         buffer float *gradient, long first) {
        int i = get_global_id(0);
        int entry = get_global_id(1);
        float sum = 0;

        if (i >= width || entry >= 256 + context)
            return;
        for (int row = 0; row < rows; row++) {
            int place = row % context;
            int is = entry - 256;

            if (entry < 256) {
                place = bytes[(long)order[row / context] * context + place];
                is = entry;
            }
            if (place == is)
                sum += work[dy + (long)row * width + i];
        }
        gradient[first + (long)entry * width + i] = sum;
    });

/* The loss of each row, and its derivatives by what the last layer gave; who
   computes is noted for main(). */
static const struct app_kernels kernels_loss = APP_KERNELS(
    kernel void loss(int rows, int of_sample, int classes,
                     buffer const uchar *labels, buffer const int *order,
                     buffer float *work, long z, long dz,
                     buffer float *losses) {
        int row = get_global_id(0);
        float sum = 0;
        float most;
        int label;

        if (row >= rows)
            return;
        z += (long)row * classes;
        dz += (long)row * classes;
        label = labels[(long)order[row / of_sample] * of_sample +
                       row % of_sample];
        most = work[z];
        for (int c = 1; c < classes; c++)
            most = fmax(most, work[z + c]);
        for (int c = 0; c < classes; c++) {
            work[dz + c] = exp(work[z + c] - most);
            sum += work[dz + c];
        }
        for (int c = 0; c < classes; c++)
            work[dz + c] = work[dz + c] / sum - (c == label ? 1 : 0);
        losses[row] = most - work[z + label] + log(sum);
    }

    kernel void note(uint process, uint executor, buffer uint *who) {
        if (get_global_id(0) == 0) {
            who[0] = process;
            who[1] = executor;
        }
    });

/* ---- Dense layers and convolutions, beside their products ----------------- */

/* A bias is added; the derivatives by it are sums of columns. */
static const struct app_kernels kernels_bias = APP_KERNELS(
    kernel void bias(int rows, int out, buffer const float *weights,
                     long first, buffer float *work, long y) {
        int o = get_global_id(0);
        int row = get_global_id(1);

        if (o < out && row < rows)
            work[y + (long)row * out + o] += weights[first + o];
    }

    kernel void by_bias(int rows, int out, buffer const float *work, long dy,
                        buffer float *gradient, long first) {
        int o = get_global_id(0);
        float sum = 0;

        if (o >= out)
            return;
        for (int row = 0; row < rows; row++)
            sum += work[dy + (long)row * out + o];
        gradient[first + o] = sum;
    });

/* The 3 x 3 pixels around each one laid out as a row, and the other way: sums of
   the up to 9 places where a pixel is. */
static const struct app_kernels kernels_conv = APP_KERNELS(
    kernel void columns(int rows, int side, int in, buffer float *work, long x,
                        long to) {
        int j = get_global_id(0);
        int row = get_global_id(1);
        int at;
        int down;
        int right;

        if (j >= 9 * in || row >= rows)
            return;
        at = row % (side * side);
        down = at / side + j / in / 3 - 1;
        right = at % side + j / in % 3 - 1;
        work[to + (long)row * 9 * in + j] =
            down < 0 || down >= side || right < 0 || right >= side
                ? 0
                : work[x + ((long)(row - at) + down * side + right) * in +
                       j % in];
    }

    kernel void gather(int rows, int side, int in, buffer float *work,
                       long from, long dx) {
        int c = get_global_id(0);
        int row = get_global_id(1);
        float sum = 0;
        int at;

        if (c >= in || row >= rows)
            return;
        at = row % (side * side);
        for (int tap = 0; tap < 9; tap++) {
            int down = at / side - (tap / 3 - 1);
            int right = at % side - (tap % 3 - 1);

            if (down >= 0 && down < side && right >= 0 && right < side)
                sum += work[from +
                            ((long)(row - at) + down * side + right) * 9 * in +
                            (long)tap * in + c];
        }
        work[dx + (long)row * in + c] = sum;
    });

/* The largest of 2 x 2 pixels; the first of equal ones gets the derivative. */
static const struct app_kernels kernels_pool = APP_KERNELS(
    kernel void pool(int rows, int side, int channels, buffer float *work,
                     long x, long y) {
        int c = get_global_id(0);
        int row = get_global_id(1);
        int less = side / 2;
        int at;

        if (c >= channels || row >= rows)
            return;
        at = row % (less * less);
        x += ((long)(row / (less * less)) * side * side +
              (long)(at / less) * 2 * side + at % less * 2) *
                 channels +
             c;
        work[y + (long)row * channels + c] =
            fmax(fmax(work[x], work[x + channels]),
                 fmax(work[x + (long)side * channels],
                      work[x + (long)(side + 1) * channels]));
    }

    kernel void by_pool(int rows, int side, int channels, buffer float *work,
                        long x, long y, long dy, long dx) {
        int c = get_global_id(0);
        int row = get_global_id(1);
        int less = side / 2;
        int at;
        int down;
        int right;
        int mine;
        long to;
        long corner;
        float most;

        if (c >= channels || row >= rows)
            return;
        at = row % (side * side);
        down = at / side;
        right = at % side;
        to = dx + (long)row * channels + c;
        if (down >= 2 * less || right >= 2 * less) {
            work[to] = 0;
            return;
        }
        mine = down % 2 * 2 + right % 2;
        corner = x +
                 ((long)(row - at) + (down - down % 2) * side + right -
                  right % 2) *
                     channels +
                 c;
        at = (row / (side * side)) * less * less + down / 2 * less + right / 2;
        most = work[y + (long)at * channels + c];
        for (int i = 0; i < mine; i++)
            if (work[corner + (long)(i / 2 * side + i % 2) * channels] >= most)
                mine = -1;
        work[to] = mine >= 0 && work[x + (long)row * channels + c] >= most
                       ? work[dy + (long)at * channels + c]
                       : 0;
    });

/* ---- Number by number ----------------------------------------------------- */

static const struct app_kernels kernels_simple = APP_KERNELS(
    kernel void relu(int count, buffer float *work, long x, long y) {
        int i = get_global_id(0);

        if (i < count)
            work[y + i] = work[x + i] > 0 ? work[x + i] : 0;
    }

    kernel void by_relu(int count, buffer float *work, long y, long dy,
                        long dx) {
        int i = get_global_id(0);

        if (i < count)
            work[dx + i] = work[y + i] > 0 ? work[dy + i] : 0;
    }

    kernel void gelu(int count, buffer float *work, long x, long y) {
        int i = get_global_id(0);
        float a;
        float u;

        if (i >= count)
            return;
        a = work[x + i];
        u = 1.5957691216057308f * (a + 0.044715f * a * a * a);
        work[y + i] = a / (1 + exp(-u));
    }

    kernel void by_gelu(int count, buffer float *work, long x, long dy,
                        long dx) {
        int i = get_global_id(0);
        float a;
        float u;
        float du;
        float s;

        if (i >= count)
            return;
        a = work[x + i];
        u = 1.5957691216057308f * (a + 0.044715f * a * a * a);
        du = 1.5957691216057308f * (1 + 3 * 0.044715f * a * a);
        s = 1 / (1 + exp(-u));
        work[dx + i] = work[dy + i] * (s + a * s * (1 - s) * du);
    }

    kernel void sum(int count, buffer float *work, long a, long b, long to) {
        int i = get_global_id(0);

        if (i < count)
            work[to + i] = work[a + i] + work[b + i];
    }

    kernel void copy(int count, buffer float *work, long from, long to) {
        int i = get_global_id(0);

        if (i < count)
            work[to + i] = work[from + i];
    });

/* ---- Sums of gradients, and steps ------------------------------------------ */

static const struct app_kernels kernels_move = APP_KERNELS(
    kernel void add(int count, buffer float *to, buffer const float *from) {
        int i = get_global_id(0);

        if (i < count)
            to[i] += from[i];
    }

    kernel void sgd(int count, float momentum, float pull, float decay,
                    buffer const float *g, buffer float *w, buffer float *v) {
        int i = get_global_id(0);

        if (i >= count)
            return;
        v[i] = momentum * v[i] - pull * g[i] - decay * w[i];
        w[i] += v[i];
    }

    kernel void adam(int count, float scale, float decay, float first,
                     float second, buffer const float *g, buffer float *w,
                     buffer float *m, buffer float *v) {
        int i = get_global_id(0);
        float a;

        if (i >= count)
            return;
        a = scale * g[i];
        m[i] = 0.9f * m[i] + (1 - 0.9f) * a;
        v[i] = 0.999f * v[i] + (1 - 0.999f) * a * a;
        w[i] -= first * m[i] / (sqrt(v[i] * second) + 1e-8f) + decay * w[i];
    });

#endif
