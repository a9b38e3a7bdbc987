/*
 * kernel.h - kernels that are written once, in what OpenCL C and CUDA's C++ have in
 * common, and started by bodies of either.
 *
 * Such a kernel is a `kernel void` function; its pointers are to `buffer`; it knows its
 * place by get_global_id(), and is also run beyond what was wanted, which it must tell
 * (but not beyond a height of 1).
 * No line of it may be a preprocessor's: the text is the argument of a macro.
 */
#ifndef APPS_COMMON_KERNEL_H
#define APPS_COMMON_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

/* A source, for either. */
struct app_kernels {
    const char *opencl;
    const char *cuda;
};

/* What CUDA has other words for. `global` itself is a part of its __global__. */
#define APP_KERNELS_CUDA                                                       \
    "typedef unsigned char uchar;\n"                                           \
    "typedef unsigned int uint;\n"                                             \
    "#define kernel extern \"C\" __global__\n"                                 \
    "#define buffer\n"                                                         \
    "#define get_global_id(d) app_place(d)\n"                                  \
    "static __device__ unsigned int app_place(int d)\n"                        \
    "{\n"                                                                      \
    "    return d == 0 ? blockIdx.x * blockDim.x + threadIdx.x\n"              \
    "                  : blockIdx.y * blockDim.y + threadIdx.y;\n"             \
    "}\n"

#define APP_KERNELS(...)                                                       \
    {                                                                          \
        "#define buffer global\n" #__VA_ARGS__, APP_KERNELS_CUDA #__VA_ARGS__  \
    }

/* Values of a kernel's arguments, in its order; of a buffer, the pointer that the
   body got. They are read when it is started. */
enum { APP_CALL_MAX = 12 };
struct app_call {
    const void *values[APP_CALL_MAX];
    size_t sizes[APP_CALL_MAX];
    int count;
};

#define APP_PUT(call, variable) app_put(call, &(variable), sizeof(variable))
void app_put(struct app_call *call, const void *value, size_t size);

/* Numbers of a buffer, from one on. */
struct app_place {
    const float *memory;
    long at;
};

/* c = a b, of rows x columns, by rows; a is rows x inner, or used transposed; b is
   inner x columns, or used transposed. */
struct app_product {
    int rows, columns, inner;
    bool a_turned, b_turned;
};

/* What bodies of one kind of device enqueue with. 0, or what a body returns that has
   failed, once it has said why. */
struct app_device {
    int (*launch)(const struct app_kernels *source, const char *name, int width,
                  int height, const struct app_call *call);
    int (*multiply)(const struct app_product *what, struct app_place a,
                    struct app_place b, struct app_place c);
};

extern const struct app_device app_device_opencl;
extern const struct app_device app_device_cuda;

#endif
