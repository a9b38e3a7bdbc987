/*
 * castell_opencl.h - inside a body of device(opencl). See castell_device.h.
 *
 * The handles are OpenCL's own: a program that calls OpenCL itself includes
 * <CL/cl.h> too, and links with -lOpenCL. One that only launches kernels with
 * castell_opencl_launch() needs neither, and runs on nodes without OpenCL.
 *
 * All of these return NULL, or fail, in a body on anything else; with
 * -DCASTELL_SEQUENTIAL, where nothing runs on a device, always.
 */
#ifndef CASTELL_OPENCL_H
#define CASTELL_OPENCL_H

#include "castell_device.h"

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

struct _cl_command_queue; /* NOLINT: OpenCL's names */
struct _cl_context;       /* NOLINT */
struct _cl_device_id;     /* NOLINT */
struct _cl_kernel;        /* NOLINT */

/* One argument of a kernel. Of a buffer: &buffers[i] and sizeof(void *); of
   local memory: NULL and how much. */
struct castell_opencl_argument {
    size_t size;
    const void *value;
};

/* Work items: `dimensions` of 1 to 3; local 0: OpenCL chooses. */
struct castell_opencl_range {
    uint32_t dimensions;
    size_t global[3];
    size_t local[3];
};

#ifdef CASTELL_SEQUENTIAL

static inline __attribute__((unused)) struct _cl_command_queue *
castell_opencl_queue(void)
{
    return NULL;
}

static inline __attribute__((unused)) struct _cl_context *
castell_opencl_context(void)
{
    return NULL;
}

static inline __attribute__((unused)) struct _cl_device_id *
castell_opencl_device(void)
{
    return NULL;
}

static inline __attribute__((unused)) struct _cl_kernel *
castell_opencl_kernel(const char *source, const char *name)
{
    (void)source;
    (void)name;
    return NULL;
}

static inline __attribute__((unused)) enum castell_status
castell_opencl_launch(const char *source, const char *name,
                      const struct castell_opencl_range *range,
                      const struct castell_opencl_argument *arguments,
                      uint32_t arguments_count)
{
    (void)source;
    (void)name;
    (void)range;
    (void)arguments;
    (void)arguments_count;
    return CASTELL_ERR_INVALID;
}

#else

/* The queue, in order, that the body is to enqueue in; and what it is of. */
extern struct _cl_command_queue *castell_opencl_queue(void);
extern struct _cl_context *castell_opencl_context(void);
extern struct _cl_device_id *castell_opencl_device(void);

/*
 * The kernel of that name in a source, which is built once a device, and kept on
 * disk for later runs ($XDG_CACHE_HOME/castell, ~/.cache/castell). `source` is
 * compared by its content. Set all arguments before each launch. NULL, with the
 * compiler's words in castell_error_text(): it cannot be built.
 */
extern struct _cl_kernel *castell_opencl_kernel(const char *source,
                                                const char *name);

/*
 * Build, set the arguments, enqueue. Fails with CASTELL_ERR_INVALID (not in such
 * a body, no such kernel, what OpenCL says of arguments and range) and
 * CASTELL_ERR_SYSTEM (all else that OpenCL says).
 */
CASTELL_MUST_CHECK extern enum castell_status
castell_opencl_launch(const char *source, const char *name,
                      const struct castell_opencl_range *range,
                      const struct castell_opencl_argument *arguments,
                      uint32_t arguments_count);

#endif

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
