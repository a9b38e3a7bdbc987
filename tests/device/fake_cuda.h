/*
 * fake_cuda.h - a libcuda.so.1 without a GPU, for tests.
 *
 * Layer: tests. Device memory is host memory. What is put in a stream is done
 * only when somebody asks or waits, one piece at each asking, so that who does
 * not wait sees what was there before. FAKE_CUDA_DEVICES says how many devices
 * there are (2), CUDA_VISIBLE_DEVICES, as ever, which of them (all), FAKE_CUDA_MEMORY how many bytes each has (64 MiB), and
 * FAKE_CUDA_TAKEN how many of them are others' (0).
 */
#ifndef CST_TESTS_FAKE_CUDA_H
#define CST_TESTS_FAKE_CUDA_H

#include <stdbool.h>
#include <stddef.h>

struct CUstream_st;

/* Let the call of that name fail with that code, once `after` more of it were
   good, and then `times` times. NULL: no call any more. */
void fake_cuda_fail(const char *call, int code, int after, int times);

/* As a kernel: function(argument), in its turn. A result that is not 0 is the
   code that its stream fails with from then on. */
int fake_cuda_launch(struct CUstream_st *stream, int (*function)(void *),
                     void *argument);

/* Of fake_blas.c: handles that there are. */
int fake_cublas_handles(void);

/* Of fake_nvrtc.c: how many sources this process has compiled. */
int fake_nvrtc_compiled(void);

/* So many copies of host memory were put in streams, of pinned memory or of other. */
int fake_cuda_copies(bool pinned);

/* Bytes that are registered now. */
size_t fake_cuda_registered(void);

/* So often was memory unregistered or freed that was not known, or that a copy was
   still to use. */
int fake_cuda_misuses(void);

/* Blocks, pinned pieces, events, streams and retained contexts that are there. */
int fake_cuda_left(void);

/* Devices whose context was current more often entered than left here. */
int fake_cuda_depth(void);

#endif
