/*
 * castell_cuda.h - inside a body of device(cuda). See castell_device.h.
 *
 * The handles are CUDA's own: a cudaStream_t (or CUstream), a cublasHandle_t, a
 * cusolverDnHandle_t. A program that uses them includes CUDA's headers and links
 * with CUDA's libraries itself; this header needs neither, and the program still
 * runs on nodes without a GPU if it is linked so that it can.
 *
 * The device is current in the calling thread while a body runs. All of these
 * return NULL, or fail, with a sentence in castell_error_text(), in a body on anything
 * else, where the library is missing, and with -DCASTELL_SEQUENTIAL.
 */
#ifndef CASTELL_CUDA_H
#define CASTELL_CUDA_H

#include "castell_device.h"

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

struct CUstream_st;       /* CUDA's names */
struct cublasContext;     /* ... */
struct cusolverDnContext; /* ... */
struct CUfunc_st;         /* ... */

/*
 * Threads that are wanted in one to three directions (`dimensions`), and how many
 * of them a block has; local[0] = 0: 256, 32 x 8 (higher where CUDA would take
 * too many blocks) or 32 x 4 x 2. Blocks are whole: a kernel is also run by
 * threads beyond `global`, which it must tell.
 */
struct castell_cuda_range {
    uint32_t dimensions;
    size_t global[3];
    size_t local[3];
    uint32_t shared; /* bytes of a block's dynamic shared memory */
};

#ifdef CASTELL_SEQUENTIAL

static inline __attribute__((unused)) struct CUstream_st *
castell_cuda_stream(void)
{
    return NULL;
}

static inline __attribute__((unused)) struct cublasContext *castell_cublas(void)
{
    return NULL;
}

static inline __attribute__((unused)) struct cusolverDnContext *
castell_cusolver(void)
{
    return NULL;
}

static inline __attribute__((unused)) struct CUfunc_st *
castell_cuda_kernel(const char *source, const char *name)
{
    (void)source;
    (void)name;
    return NULL;
}

static inline __attribute__((unused)) enum castell_status
castell_cuda_launch(const char *source, const char *name,
                    const struct castell_cuda_range *range,
                    const void *const *arguments)
{
    (void)source;
    (void)name;
    (void)range;
    (void)arguments;
    return CASTELL_ERR_INVALID;
}

#else

/* The stream that the body is to enqueue in. Not the default stream: kernels
   are launched as kernel<<<blocks, threads, 0, castell_cuda_stream()>>>(...). */
extern struct CUstream_st *castell_cuda_stream(void);

/*
 * The device's handle of cuBLAS and of cuSOLVER's dense part, which enqueue in
 * that stream; made at the first call. It is the one of the program's own
 * library if it is linked with it, else of the newest that is found. Settings
 * (the math mode, where scalars are) are to be left as they were found.
 */
extern struct cublasContext *castell_cublas(void);
extern struct cusolverDnContext *castell_cusolver(void);

/*
 * The kernel of that name (a CUfunction) in a source in CUDA's C++, where it is
 * extern "C" __global__. The source is compiled by NVRTC (libnvrtc.so, 11.2 or
 * newer) once a device, and the code kept on disk for later runs
 * ($XDG_CACHE_HOME/castell, ~/.cache/castell). `source` is compared by its
 * content. NULL, with the compiler's words in castell_error_text(): it cannot be
 * built. Kernels in .cu files need none of this.
 */
extern struct CUfunc_st *castell_cuda_kernel(const char *source,
                                             const char *name);

/*
 * Build, and enqueue in the body's stream. arguments[i] is the address of the
 * kernel's i-th argument: of a buffer &buffers[i]; as many as the kernel has.
 * Fails with CASTELL_ERR_INVALID (not in such a body, no such kernel, a range
 * that CUDA does not take) and as the device does.
 */
CASTELL_MUST_CHECK extern enum castell_status
castell_cuda_launch(const char *source, const char *name,
                    const struct castell_cuda_range *range,
                    const void *const *arguments);

#endif

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
