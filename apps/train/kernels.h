/*
 * kernels.h - what a perceptron computes on a device: the source of kernels of
 * OpenCL, as strings, of which each is a program.
 *
 * All numbers between layers are in `work`, at the places that are told; a sum is
 * one work item's, first to last: its bits do not depend on who else computes.
 * No line may be a preprocessor's: the text is the argument of a macro.
 */
#ifndef APPS_TRAIN_KERNELS_H
#define APPS_TRAIN_KERNELS_H

#define KERNELS(...) #__VA_ARGS__

/* Bytes become numbers; a layer with its bias, and max(y, 0) where `relu`. */
static const char kernels_forward[] = KERNELS(
    kernel void pixels(int rows, int width, global const uchar *bytes,
                       global const int *order, global float *work) {
        int i = get_global_id(0);
        int row = get_global_id(1);

        if (i < width && row < rows)
            work[(long)row * width + i] =
                ((float)bytes[(long)order[row] * width + i] - 73) / 90;
    }

    kernel void dense(int rows, int in, int out, int relu,
                      global const float *weights, long first,
                      global float *work, long x, long y) {
        int o = get_global_id(0);
        int row = get_global_id(1);
        float sum;

        if (o >= out || row >= rows)
            return;
        sum = weights[first + (long)in * out + o];
        for (int i = 0; i < in; i++)
            sum += work[x + (long)row * in + i] *
                   weights[first + (long)i * out + o];
        work[y + (long)row * out + o] = relu && !(sum > 0) ? 0 : sum;
    });

/* The loss of each row, and its derivatives by what the last layer gave; who
   computes is noted for main(). */
static const char kernels_loss[] = KERNELS(
    kernel void loss(int rows, int classes, global const uchar *labels,
                     global const int *order, uint process, uint executor,
                     global float *work, long z, long dz,
                     global float *losses, global uint *who) {
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

/* The derivatives by a layer's weights and, below them, its bias; and by what
   it reads, which max(x, 0) gave. */
static const char kernels_backward[] = KERNELS(
    kernel void by_weights(int rows, int in, int out,
                           global const float *work, long x, long dy,
                           global float *gradient, long first) {
        int o = get_global_id(0);
        int i = get_global_id(1);
        float sum = 0;

        if (o >= out || i > in)
            return;
        for (int row = 0; row < rows; row++) {
            float by = work[dy + (long)row * out + o];

            sum += i < in ? work[x + (long)row * in + i] * by : by;
        }
        gradient[first + (long)i * out + o] = sum;
    }

    kernel void by_input(int rows, int in, int out,
                         global const float *weights, long first,
                         global float *work, long x, long dy, long dx) {
        int i = get_global_id(0);
        int row = get_global_id(1);
        float sum = 0;

        if (i >= in || row >= rows)
            return;
        for (int o = 0; o < out; o++)
            sum += work[dy + (long)row * out + o] *
                   weights[first + (long)i * out + o];
        work[dx + (long)row * in + i] =
            work[x + (long)row * in + i] > 0 ? sum : 0;
    });

static const char kernels_move[] = KERNELS(
    kernel void add(int count, global float *to, global const float *from) {
        int i = get_global_id(0);

        if (i < count)
            to[i] += from[i];
    }

    kernel void sgd(int count, float momentum, float pull, float decay,
                    global const float *g, global float *w, global float *v) {
        int i = get_global_id(0);

        if (i >= count)
            return;
        v[i] = momentum * v[i] - pull * g[i] - decay * w[i];
        w[i] += v[i];
    });

#endif
