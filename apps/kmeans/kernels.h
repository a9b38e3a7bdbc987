/*
 * kernels.h - the nearest centres of images: the source of kernels; see
 * common/kernel.h.
 */
#ifndef APPS_KMEANS_KERNELS_H
#define APPS_KMEANS_KERNELS_H

#include "common/kernel.h"

/*
 * What is to be least is |c|^2 - 2 c x, whose halves are what `halves` has for each
 * image and centre; a sum is one work item's, first to last. Numbers are double: so
 * OpenCL 1.2 has them where the device has, and CUDA everywhere.
 */
static const struct app_kernels nearest_kernels = APP_KERNELS(
    kernel void norms(int pixels, int k, buffer const double *centres,
                      buffer double *work) {
        int c = get_global_id(0);
        double sum = 0;

        if (c >= k)
            return;
        for (int p = 0; p < pixels; p++)
            sum += centres[(long)c * pixels + p] * centres[(long)c * pixels + p];
        work[c] = sum;
    }

    kernel void products(int count, int pixels, int k,
                         buffer const uchar *images,
                         buffer const double *centres, buffer double *work) {
        int c = get_global_id(0);
        int i = get_global_id(1);
        double sum = 0;

        if (c >= k || i >= count)
            return;
        for (int p = 0; p < pixels; p++)
            sum += (double)images[(long)i * pixels + p] *
                   centres[(long)c * pixels + p];
        work[k + (long)i * k + c] = work[c] - 2 * sum;
    }

    kernel void least(int count, int pixels, int k,
                      buffer const uchar *images, buffer const double *work,
                      buffer int *nearest, buffer double *distances) {
        int i = get_global_id(0);
        buffer const double *of;
        double sum = 0;
        int best = 0;

        if (i >= count)
            return;
        of = work + k + (long)i * k;
        for (int c = 1; c < k; c++)
            best = of[c] < of[best] ? c : best;
        for (int p = 0; p < pixels; p++)
            sum += (double)images[(long)i * pixels + p] *
                   (double)images[(long)i * pixels + p];
        nearest[i] = best;
        distances[i] = of[best] + sum;
    });

#endif
