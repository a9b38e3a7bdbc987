/*
 * kernels.h - what a perceptron computes on a device: the source of kernels, of
 * which each is a program; see common/kernel.h.
 *
 * All numbers between layers are in `work`, at the places that are told; a sum is
 * one work item's, first to last: its bits do not depend on who else computes.
 */
#ifndef APPS_TRAIN_KERNELS_H
#define APPS_TRAIN_KERNELS_H

#include "common/kernel.h"

/* Bytes become numbers; a layer with its bias, and max(y, 0) where `relu`. Products
   are there already but where it `adds` them up itself. */
static const struct app_kernels kernels_forward = APP_KERNELS(
    kernel void pixels(int rows, int width, buffer const uchar *bytes,
                       buffer const int *order, buffer float *work) {
        int i = get_global_id(0);
        int row = get_global_id(1);

        if (i < width && row < rows)
            work[(long)row * width + i] =
                ((float)bytes[(long)order[row] * width + i] - 73) / 90;
    }

    kernel void dense(int rows, int in, int out, int relu, int adds,
                      buffer const float *weights, long first,
                      buffer float *work, long x, long y) {
        int o = get_global_id(0);
        int row = get_global_id(1);
        float sum;

        if (o >= out || row >= rows)
            return;
        sum = weights[first + (long)in * out + o];
        for (int i = 0; adds && i < in; i++)
            sum += work[x + (long)row * in + i] *
                   weights[first + (long)i * out + o];
        if (!adds)
            sum += work[y + (long)row * out + o];
        work[y + (long)row * out + o] = relu && !(sum > 0) ? 0 : sum;
    });

/* The loss of each row, and its derivatives by what the last layer gave; who
   computes is noted for main(). */
static const struct app_kernels kernels_loss = APP_KERNELS(
    kernel void loss(int rows, int classes, buffer const uchar *labels,
                     buffer const int *order, uint process, uint executor,
                     buffer float *work, long z, long dz,
                     buffer float *losses, buffer uint *who) {
        int row = get_global_id(0);
        float sum = 0;
        float most;
        int label;

        if (row >= rows)
            return;
        z += (long)row * classes;
        dz += (long)row * classes;
        label = labels[order[row]];
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
        if (row == 0) {
            who[0] = process;
            who[1] = executor;
        }
    });

/* The derivatives by a layer's weights from `begin` and, below them, its bias; and by
   what it reads, which max(x, 0) gave. */
static const struct app_kernels kernels_backward = APP_KERNELS(
    kernel void by_weights(int rows, int in, int out, int begin,
                           buffer const float *work, long x, long dy,
                           buffer float *gradient, long first) {
        int o = get_global_id(0);
        int i = begin + get_global_id(1);
        float sum = 0;

        if (o >= out || i > in)
            return;
        for (int row = 0; row < rows; row++) {
            float by = work[dy + (long)row * out + o];

            sum += i < in ? work[x + (long)row * in + i] * by : by;
        }
        gradient[first + (long)i * out + o] = sum;
    }

    kernel void by_input(int rows, int in, int out, int adds,
                         buffer const float *weights, long first,
                         buffer float *work, long x, long dy, long dx) {
        int i = get_global_id(0);
        int row = get_global_id(1);
        float sum = 0;

        if (i >= in || row >= rows)
            return;
        if (!adds)
            sum = work[dx + (long)row * in + i];
        for (int o = 0; adds && o < out; o++)
            sum += work[dy + (long)row * out + o] *
                   weights[first + (long)i * out + o];
        work[dx + (long)row * in + i] =
            work[x + (long)row * in + i] > 0 ? sum : 0;
    });

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
