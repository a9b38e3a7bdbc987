/*
 * gpu.h - the nearest centres of images on GPUs, for kmeans-gpu; included by kmeans.c
 * behind its own.
 */
#include "kmeans/kernels.h"

#include <castell_device.h>

static int find_on_device(const struct app_device *device, int count,
                          int pixels, int k, const uint8_t *images,
                          const double *centres, const double *work,
                          const int *nearest, const double *distances)
{
    struct app_call norms = {.count = 0};
    struct app_call products = {.count = 0};
    struct app_call least = {.count = 0};

    APP_PUT(&norms, pixels);
    APP_PUT(&norms, k);
    APP_PUT(&norms, centres);
    APP_PUT(&norms, work);
    APP_PUT(&products, count);
    APP_PUT(&products, pixels);
    APP_PUT(&products, k);
    APP_PUT(&products, images);
    APP_PUT(&products, centres);
    APP_PUT(&products, work);
    APP_PUT(&least, count);
    APP_PUT(&least, pixels);
    APP_PUT(&least, k);
    APP_PUT(&least, images);
    APP_PUT(&least, work);
    APP_PUT(&least, nearest);
    APP_PUT(&least, distances);
    return device->launch(&nearest_kernels, "norms", k, 1, &norms) ||
           device->launch(&nearest_kernels, "products", k, count, &products) ||
           device->launch(&nearest_kernels, "least", count, 1, &least);
}

#pragma castell implements(find_nearest) device(opencl) constraint(gpus=1) async
static int find_opencl(int count, int pixels, int k, const uint8_t *images,
                       const double *centres, double *work, int *nearest,
                       double *distances)
{
    return find_on_device(&app_device_opencl, count, pixels, k, images, centres,
                          work, nearest, distances);
}

#pragma castell implements(find_nearest) device(cuda) constraint(gpus=1) async
static int find_cuda(int count, int pixels, int k, const uint8_t *images,
                     const double *centres, double *work, int *nearest,
                     double *distances)
{
    return find_on_device(&app_device_cuda, count, pixels, k, images, centres,
                          work, nearest, distances);
}
