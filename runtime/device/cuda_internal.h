/*
 * cuda_internal.h - CUDA's driver, loaded when it is needed.
 *
 * Layer: device, private to cuda*.c. What is used of the driver's interface is
 * declared here, so that every build has it, with or without NVIDIA's headers;
 * tests/device/cuda_abi_test.c compares the two where those are.
 */
#ifndef CST_DEVICE_CUDA_INTERNAL_H
#define CST_DEVICE_CUDA_INTERNAL_H

#include "base/pages.h"
#include "device/device.h"
#include "device/sources.h"

#include <pthread.h>
#include <stdatomic.h>

struct CUctx_st;
struct CUstream_st;
struct CUevent_st;
struct CUmod_st;
struct CUfunc_st;

/* Results that mean something to us. */
enum cst_cu_result {
    CST_CU_SUCCESS = 0,
    CST_CU_INVALID_VALUE = 1,
    CST_CU_OUT_OF_MEMORY = 2,
    CST_CU_DEINITIALIZED = 4,
    CST_CU_DEVICE_UNAVAILABLE = 46,
    CST_CU_NO_DEVICE = 100,
    CST_CU_ECC_UNCORRECTABLE = 214,
    CST_CU_NVLINK_UNCORRECTABLE = 220,
    CST_CU_CONTAINED = 226,
    CST_CU_NOT_FOUND = 500,
    CST_CU_NOT_READY = 600,
    CST_CU_ILLEGAL_ADDRESS = 700,
    CST_CU_LAUNCH_TIMEOUT = 702,
    CST_CU_PEER_ALREADY_ENABLED = 704,
    CST_CU_CONTEXT_IS_DESTROYED = 709,
    CST_CU_ASSERT = 710,
    CST_CU_HARDWARE_STACK_ERROR = 714,
    CST_CU_LAUNCH_FAILED = 719,
};

enum cst_cu_attribute {
    CST_CU_MULTIPROCESSORS = 16,
    CST_CU_INTEGRATED = 18,
    CST_CU_CAPABILITY_MAJOR = 75,
    CST_CU_CAPABILITY_MINOR = 76,
};

enum {
    CST_CU_STREAM_NON_BLOCKING = 1, /* beside the default stream */
    CST_CU_EVENT_BLOCKING_SYNC = 1, /* who waits sleeps */
    CST_CU_EVENT_NO_TIMING = 2,
    CST_CU_POINTER_MEMORY_TYPE = 2,
    CST_CU_HOST_PORTABLE = 1, /* pinned for every context */
    CST_CU_MEMORY_HOST = 1,
    CST_CU_MEMORY_DEVICE = 2,
    CST_CU_VERSION_MIN = 11000, /* of CUDA, that the driver must know */
};

/* Their CUDA_MEMCPY2D. */
struct cst_cu_copy_2d {
    size_t from_x;
    size_t from_y;
    int from_type;
    const void *from_host;
    uint64_t from_device;
    void *from_array;
    size_t from_pitch;
    size_t to_x;
    size_t to_y;
    int to_type;
    void *to_host;
    uint64_t to_device;
    void *to_array;
    size_t to_pitch;
    size_t width;
    size_t height;
};

/* The functions that are used: result, name with its version, parameters. */
/* clang-format off */
#define CST_CUDA_CALLS(call)                                                   \
    call(cuInit, unsigned int)                                                 \
    call(cuDriverGetVersion, int *)                                            \
    call(cuDeviceGetCount, int *)                                              \
    call(cuDeviceGet, int *, int)                                              \
    call(cuDeviceGetName, char *, int, int)                                    \
    call(cuDeviceGetPCIBusId, char *, int, int)                                \
    call(cuDeviceTotalMem_v2, size_t *, int)                                   \
    call(cuDeviceGetAttribute, int *, int, int)                                \
    call(cuDeviceCanAccessPeer, int *, int, int)                               \
    call(cuDevicePrimaryCtxRetain, struct CUctx_st **, int)                    \
    call(cuDevicePrimaryCtxRelease_v2, int)                                    \
    call(cuCtxPushCurrent_v2, struct CUctx_st *)                               \
    call(cuCtxPopCurrent_v2, struct CUctx_st **)                               \
    call(cuCtxEnablePeerAccess, struct CUctx_st *, unsigned int)               \
    call(cuMemGetInfo_v2, size_t *, size_t *)                                  \
    call(cuMemAlloc_v2, uint64_t *, size_t)                                    \
    call(cuMemFree_v2, uint64_t)                                               \
    call(cuMemHostAlloc, void **, size_t, unsigned int)                        \
    call(cuMemFreeHost, void *)                                                \
    call(cuMemHostRegister_v2, void *, size_t, unsigned int)                   \
    call(cuMemHostUnregister, void *)                                          \
    call(cuPointerGetAttribute, void *, int, uint64_t)                         \
    call(cuLaunchHostFunc, struct CUstream_st *, void (*)(void *), void *)     \
    call(cuMemcpyHtoDAsync_v2, uint64_t, const void *, size_t,                 \
         struct CUstream_st *)                                                 \
    call(cuMemcpyDtoHAsync_v2, void *, uint64_t, size_t,                       \
         struct CUstream_st *)                                                 \
    call(cuMemcpy2DAsync_v2, const struct cst_cu_copy_2d *,                    \
         struct CUstream_st *)                                                 \
    call(cuMemcpyPeerAsync, uint64_t, struct CUctx_st *, uint64_t,             \
         struct CUctx_st *, size_t, struct CUstream_st *)                      \
    call(cuStreamCreate, struct CUstream_st **, unsigned int)                  \
    call(cuStreamDestroy_v2, struct CUstream_st *)                             \
    call(cuStreamSynchronize, struct CUstream_st *)                            \
    call(cuStreamWaitEvent, struct CUstream_st *, struct CUevent_st *,         \
         unsigned int)                                                         \
    call(cuEventCreate, struct CUevent_st **, unsigned int)                    \
    call(cuEventDestroy_v2, struct CUevent_st *)                               \
    call(cuEventRecord, struct CUevent_st *, struct CUstream_st *)             \
    call(cuEventQuery, struct CUevent_st *)                                    \
    call(cuEventSynchronize, struct CUevent_st *)                              \
    call(cuEventElapsedTime, float *, struct CUevent_st *,                     \
         struct CUevent_st *)                                                  \
    call(cuModuleLoadData, struct CUmod_st **, const void *)                   \
    call(cuModuleUnload, struct CUmod_st *)                                    \
    call(cuModuleGetFunction, struct CUfunc_st **, struct CUmod_st *,          \
         const char *)                                                         \
    call(cuLaunchKernel, struct CUfunc_st *, unsigned int, unsigned int,       \
         unsigned int, unsigned int, unsigned int, unsigned int,               \
         unsigned int, struct CUstream_st *, void **, void **)                 \
    call(cuGetErrorName, int, const char **)                                   \
    call(cuGetErrorString, int, const char **)
/* clang-format on */

#define CST_CUDA_MEMBER(name, ...) int (*name)(__VA_ARGS__);

struct cst_cuda {
    void *library;
    CST_CUDA_CALLS(CST_CUDA_MEMBER)
    uint32_t count;
};

/* Events are kept: to make one costs as much as a short kernel. */
struct cst_cuda_event {
    struct cst_cuda_event *next; /* in the list of spare ones */
    struct CUevent_st *event;
};

/* A library of NVIDIA's with a handle for each device: cuBLAS, cuSOLVER. */
struct cst_cuda_handle {
    void *handle;
    int (*destroy)(void *handle);
};

enum cst_cuda_library {
    CST_CUDA_BLAS = 0,
    CST_CUDA_SOLVER,
    CST_CUDA_LIBRARIES,
};

enum { CST_CUDA_PIECES = 4 };

struct cst_cuda_moves;

/* What copies of pageable memory go through in one direction. */
struct cst_cuda_ring {
    size_t min;           /* bytes; smaller copies do not */
    size_t piece;         /* bytes */
    pthread_mutex_t lock; /* of what follows: one copy at a time is put in */
    bool refused;         /* it could not be made */
    char *memory;         /* pinned; NULL: not made yet */
    struct CUstream_st *stream;                /* of what the host does */
    struct CUevent_st *moved[CST_CUDA_PIECES]; /* that, of each piece */
    struct CUevent_st *sent[CST_CUDA_PIECES];  /* and what the device does */
    uint64_t next;                             /* of all that there were */
    struct cst_cuda_moves *first; /* what the host is to do, in that order */
    struct cst_cuda_moves *last;
};

struct cst_cuda_device {
    const struct cst_cuda *cuda;
    int number; /* the driver's */
    struct CUctx_st *context;
    struct CUstream_st *streams[CST_DEVICE_QUEUES];
    atomic_int lost; /* what it was lost with; 0: it is not */
    struct cst_pages_pinner pinner;
    struct cst_cuda_ring rings[2]; /* in, out */
    atomic_int moving;             /* pieces that the host is at work on */
    pthread_mutex_t lock;          /* of what follows */
    struct cst_cuda_event *spare;
    uint64_t peers_asked; /* by number, of the first 64: access is decided */
    /* [0]: for CST_DEVICE_RUN; then for lanes */
    struct cst_cuda_handle handles[CST_DEVICE_LANES + 1][CST_CUDA_LIBRARIES];
    struct cst_sources sources; /* what is built: modules and functions */
};

/* After such a code nothing works in the context any more. */
bool cst_cuda_is_fatal(int code);
/* Fail, in the driver's words. */
enum castell_status cst_cuda_say(const struct cst_cuda *cuda,
                                 enum castell_status status, const char *what,
                                 int code);
/* The same where the code says whom it hits; and: it may be none. */
enum castell_status cst_cuda_fail(struct cst_cuda_device *device,
                                  const char *what, int code);
enum castell_status cst_cuda_check(struct cst_cuda_device *device,
                                   const char *what, int code);

/* Make its context the thread's; and what was before again. */
enum castell_status cst_cuda_enter(struct cst_cuda_device *device);
void cst_cuda_leave(struct cst_cuda_device *device);

/* The end of a function that has entered, in which a call came to that code. */
enum castell_status cst_cuda_done(struct cst_cuda_device *device,
                                  const char *what, int code);

/* cuda_memory.c: what the table says. */
enum castell_status cst_cuda_unused(void *handle, uint64_t *ret_size);
enum castell_status cst_cuda_allocate(void *handle, size_t size,
                                      void **ret_memory);
void cst_cuda_release(void *handle, void *memory);
bool cst_cuda_pin(struct cst_pages_pinner *pinner, void *base, size_t size);
bool cst_cuda_unpin(struct cst_pages_pinner *pinner, void *base);
enum castell_status cst_cuda_copy_in(void *handle,
                                     const struct cst_device_rows *rows);
enum castell_status cst_cuda_copy_out(void *handle,
                                      const struct cst_device_rows *rows);
enum castell_status cst_cuda_copy_peer(void *handle, void *memory, void *from,
                                       void *from_memory, size_t size);

/* The same as calls of the driver: an enum cst_cu_result. */
int cst_cuda_put_copy(struct cst_cuda_device *device,
                      enum cst_device_queue queue,
                      const struct cst_device_rows *rows);

/* cuda_stage.c: put a copy in the queue by way of its ring. *ret_put false: it
   cannot be, and nothing was. Else as a wait has failed. */
int cst_cuda_stage(struct cst_cuda_device *device, enum cst_device_queue queue,
                   const struct cst_device_rows *rows, bool *ret_put);
void cst_cuda_ring_init(struct cst_cuda_ring *ring);
void cst_cuda_ring_release(struct cst_cuda_device *device,
                           struct cst_cuda_ring *ring);
/* Nothing is put there any more: wait for what the host is in the middle of. */
void cst_cuda_await_moves(struct cst_cuda_device *device);
/* Wait for what the host was to do. Its context is current. */
void cst_cuda_await_rings(struct cst_cuda_device *device);
/* For tests: from how many bytes on, and in pieces of how many, for devices
   opened later; 0: as ever. */
void cst_cuda_stage_sizes(size_t min, size_t piece);

/* cuda_queue.c: what the table says, and of close(). */
enum castell_status cst_cuda_lane(void *handle, enum cst_device_queue queue);
enum castell_status cst_cuda_record(void *handle, enum cst_device_queue queue,
                                    void **ret_event);
void cst_cuda_event_destroy(void *handle, void *given);
enum castell_status
cst_cuda_queue_wait(void *handle, enum cst_device_queue queue, void *given);
enum castell_status cst_cuda_event_query(void *handle, void *given,
                                         bool *ret_over);
enum castell_status cst_cuda_event_wait(void *handle, void *given);
uint64_t cst_cuda_event_elapsed_ns(void *handle, void *from, void *to);
enum castell_status cst_cuda_finish(void *handle, enum cst_device_queue queue);
void cst_cuda_drop_events(struct cst_cuda_device *device);
/* The end of a function that has entered, in which a wait came to that code. */
enum castell_status cst_cuda_judge(struct cst_cuda_device *device, int code);

/* cuda_libraries.c: the calling thread's body's device and queue, or NULL with an
   error text; of close(). */
struct cst_cuda_device *cst_cuda_here(enum cst_device_queue *ret_queue);
void cst_cuda_drop_handles(struct cst_cuda_device *device);

/* cuda_compile.c: code for devices of that capability, freed by cst_free();
   NULL, with an error text. Any thread. */
char *cst_cuda_compile(const char *source, int major, int minor);

/* cuda_kernel.c: of close(). */
void cst_cuda_drop_sources(struct cst_cuda_device *device);

#endif
