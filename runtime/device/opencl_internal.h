/*
 * opencl_internal.h - OpenCL, loaded when it is needed.
 *
 * Layer: device, private to opencl*.c: no other file sees OpenCL's headers.
 *
 * Each device has a context of its own: a driver that fails in one leaves the
 * others alone.
 */
#ifndef CST_DEVICE_OPENCL_INTERNAL_H
#define CST_DEVICE_OPENCL_INTERNAL_H

#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include "device/device.h"
#include "device/sources.h"

#include <CL/cl.h>
#include <pthread.h>

/* The functions of the library that are used. */
#define CST_OPENCL_CALLS(call)                                                 \
    call(clGetPlatformIDs);                                                    \
    call(clGetDeviceIDs);                                                      \
    call(clGetDeviceInfo);                                                     \
    call(clCreateContext);                                                     \
    call(clReleaseContext);                                                    \
    call(clCreateCommandQueue);                                                \
    call(clReleaseCommandQueue);                                               \
    call(clCreateBuffer);                                                      \
    call(clReleaseMemObject);                                                  \
    call(clEnqueueWriteBuffer);                                                \
    call(clEnqueueReadBuffer);                                                 \
    call(clEnqueueWriteBufferRect);                                            \
    call(clEnqueueReadBufferRect);                                             \
    call(clEnqueueMarkerWithWaitList);                                         \
    call(clEnqueueBarrierWithWaitList);                                        \
    call(clEnqueueNDRangeKernel);                                              \
    call(clGetEventInfo);                                                      \
    call(clGetEventProfilingInfo);                                             \
    call(clWaitForEvents);                                                     \
    call(clReleaseEvent);                                                      \
    call(clFinish);                                                            \
    call(clFlush);                                                             \
    call(clCreateProgramWithSource);                                           \
    call(clCreateProgramWithBinary);                                           \
    call(clBuildProgram);                                                      \
    call(clGetProgramInfo);                                                    \
    call(clGetProgramBuildInfo);                                               \
    call(clReleaseProgram);                                                    \
    call(clCreateKernel);                                                      \
    call(clSetKernelArg);                                                      \
    call(clReleaseKernel)

#define CST_OPENCL_MEMBER(name) __typeof__(&(name)) name

struct cst_opencl {
    void *library;
    CST_OPENCL_CALLS(CST_OPENCL_MEMBER);
    cl_device_id *devices;
    uint32_t count;
};

struct cst_opencl_device {
    const struct cst_opencl *cl;
    cl_device_id id;
    cl_context context;
    cl_command_queue queues[CST_DEVICE_QUEUES];
    pthread_mutex_t lock; /* of sources, and of the arguments of kernels */
    struct cst_sources sources;
};

/* What a code of OpenCL's means: its name there. */
const char *cst_opencl_words(cl_int code);

/* The calling thread's body's device; NULL: it runs on none of OpenCL. */
struct cst_opencl_device *cst_opencl_here(void);

/* opencl_kernel.c: of close(). */
void cst_opencl_drop_programs(struct cst_opencl_device *device);

#endif
