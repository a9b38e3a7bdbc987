/*
 * castell_cuda.h - inside a body of device(cuda). See castell_device.h.
 *
 * The handles are CUDA's own: a cudaStream_t (or CUstream), a cublasHandle_t, a
 * cusolverDnHandle_t. A program that uses them includes CUDA's headers and links
 * with CUDA's libraries itself; this header needs neither, and the program still
 * runs on nodes without a GPU if it is linked so that it can.
 *
 * The device is current in the calling thread while a body runs. All of these
 * return NULL, with a sentence in castell_error_text(), in a body on anything
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

#endif

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
