/*
 * kernels_text.h - what makes a transformer, on a device: more kernels, as those of
 * kernels.h.
 */
#ifndef APPS_TRAIN_KERNELS_TEXT_H
#define APPS_TRAIN_KERNELS_TEXT_H

#include "common/kernel.h"

/* Rows of mean 0 and variance 1, then scaled and shifted. Their moments are kept,
   for the derivatives. */
static const struct app_kernels kernels_norm = APP_KERNELS(
    kernel void standard(int rows, int width, buffer const float *weights,
                     long first, buffer float *work, long x, long y) {
        int row = get_global_id(0);
        float mean = 0;
        float squares = 0;
        float inverse;

        if (row >= rows)
            return;
        x += (long)row * width;
        for (int i = 0; i < width; i++)
            mean += work[x + i];
        mean /= width;
        for (int i = 0; i < width; i++)
            squares += (work[x + i] - mean) * (work[x + i] - mean);
        inverse = 1 / sqrt(squares / width + 1e-5f);
        for (int i = 0; i < width; i++)
            work[y + (long)row * width + i] =
                (work[x + i] - mean) * inverse * weights[first + i] +
                weights[first + width + i];
    }

    kernel void by_standard(int rows, int width, buffer const float *weights,
                        long first, buffer float *work, long x, long dy,
                        long dx, long moments) {
        int row = get_global_id(0);
        float mean = 0;
        float squares = 0;
        float sum = 0;
        float along = 0;
        float inverse;

        if (row >= rows)
            return;
        x += (long)row * width;
        dy += (long)row * width;
        dx += (long)row * width;
        for (int i = 0; i < width; i++)
            mean += work[x + i];
        mean /= width;
        for (int i = 0; i < width; i++)
            squares += (work[x + i] - mean) * (work[x + i] - mean);
        inverse = 1 / sqrt(squares / width + 1e-5f);
        for (int i = 0; i < width; i++) {
            float d = work[dy + i] * weights[first + i];

            sum += d;
            along += d * (work[x + i] - mean) * inverse;
        }
        for (int i = 0; i < width; i++) {
            float normal = (work[x + i] - mean) * inverse;

            work[dx + i] = inverse * (work[dy + i] * weights[first + i] -
                                      (sum + normal * along) / width);
        }
        work[moments + 2L * row] = mean;
        work[moments + 2L * row + 1] = inverse;
    }

    kernel void by_scale(int rows, int width, buffer const float *work, long x,
                         long dy, long moments, buffer float *gradient,
                         long first) {
        int i = get_global_id(0);
        float scale = 0;
        float shift = 0;

        if (i >= width)
            return;
        for (int row = 0; row < rows; row++) {
            float d = work[dy + (long)row * width + i];

            scale += d *
                     (work[x + (long)row * width + i] -
                      work[moments + 2L * row]) *
                     work[moments + 2L * row + 1];
            shift += d;
        }
        gradient[first + i] = scale;
        gradient[first + width + i] = shift;
    });

/*
 * Attention, causal. Of a sample x has `rows` rows of queries, keys and values, each
 * of `heads` times `width` numbers. `line` counts rows of all heads of all samples;
 * shares[line][j] is how much it takes of the value of row j.
 */
static const struct app_kernels kernels_attention = APP_KERNELS(
    kernel void shares(int lines, int rows, int heads, int width,
                       buffer float *work, long x, long shares) {
        int j = get_global_id(0);
        int line = get_global_id(1);
        long all = (long)heads * width;
        int i = line % rows;
        int head = line / rows % heads;
        float sum = 0;

        if (j >= rows || line >= lines)
            return;
        x += (long)(line / rows / heads) * rows * 3 * all + (long)head * width;
        for (int d = 0; d < width && j <= i; d++)
            sum += work[x + i * 3 * all + d] * work[x + j * 3 * all + all + d];
        work[shares + (long)line * rows + j] = sum / sqrt((float)width);
    }

    kernel void softmax(int lines, int rows, buffer float *work,
                        long shares) {
        int line = get_global_id(0);
        int last = line % rows;
        float sum = 0;
        float most;

        if (line >= lines)
            return;
        shares += (long)line * rows;
        most = work[shares];
        for (int j = 1; j <= last; j++)
            most = fmax(most, work[shares + j]);
        for (int j = 0; j <= last; j++) {
            work[shares + j] = exp(work[shares + j] - most);
            sum += work[shares + j];
        }
        for (int j = 0; j < rows; j++)
            work[shares + j] = j <= last ? work[shares + j] / sum : 0;
    }

    kernel void blend(int lines, int rows, int heads, int width,
                    buffer float *work, long x, long shares, long y) {
        int d = get_global_id(0);
        int line = get_global_id(1);
        long all = (long)heads * width;
        int i = line % rows;
        int head = line / rows % heads;
        long sample = line / rows / heads;
        float sum = 0;

        if (d >= width || line >= lines)
            return;
        x += sample * rows * 3 * all + 2 * all + (long)head * width + d;
        for (int j = 0; j <= i; j++)
            sum += work[shares + (long)line * rows + j] *
                   work[x + j * 3 * all];
        work[y + (sample * rows + i) * all + (long)head * width + d] = sum;
    }

    kernel void by_shares(int lines, int rows, int heads, int width,
                          buffer float *work, long x, long dy, long dshares) {
        int j = get_global_id(0);
        int line = get_global_id(1);
        long all = (long)heads * width;
        int i = line % rows;
        int head = line / rows % heads;
        long sample = line / rows / heads;
        float sum = 0;

        if (j >= rows || line >= lines)
            return;
        x += sample * rows * 3 * all + 2 * all + (long)head * width;
        dy += (sample * rows + i) * all + (long)head * width;
        for (int d = 0; d < width && j <= i; d++)
            sum += work[dy + d] * work[x + j * 3 * all + d];
        work[dshares + (long)line * rows + j] = sum;
    }

    kernel void by_softmax(int lines, int rows, buffer float *work,
                           long shares, long dshares) {
        int line = get_global_id(0);
        float sum = 0;

        if (line >= lines)
            return;
        shares += (long)line * rows;
        dshares += (long)line * rows;
        for (int j = 0; j < rows; j++)
            sum += work[shares + j] * work[dshares + j];
        for (int j = 0; j < rows; j++)
            work[dshares + j] =
                work[shares + j] * (work[dshares + j] - sum);
    }

    kernel void by_attention(int lines, int rows, int heads, int width,
                             buffer float *work, long x, long dy, long shares,
                             long dshares, long dx) {
        int d = get_global_id(0);
        int line = get_global_id(1);
        long all = (long)heads * width;
        int i = line % rows;
        int head = line / rows % heads;
        long sample = line / rows / heads;
        float query = 0;
        float key = 0;
        float value = 0;

        if (d >= width || line >= lines)
            return;
        x += sample * rows * 3 * all + (long)head * width + d;
        dx += sample * rows * 3 * all + (long)head * width + d;
        dy += sample * rows * all + (long)head * width + d;
        shares += (long)(line - i) * rows;
        dshares += (long)(line - i) * rows;
        for (int j = 0; j <= i; j++)
            query += work[dshares + (long)i * rows + j] *
                     work[x + j * 3 * all + all];
        for (int j = i; j < rows; j++) {
            key += work[dshares + (long)j * rows + i] * work[x + j * 3 * all];
            value += work[shares + (long)j * rows + i] * work[dy + j * all];
        }
        work[dx + i * 3 * all] = query / sqrt((float)width);
        work[dx + i * 3 * all + all] = key / sqrt((float)width);
        work[dx + i * 3 * all + 2 * all] = value;
    });

#endif
