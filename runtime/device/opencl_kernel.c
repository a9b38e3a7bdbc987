/*
 * Kernels of OpenCL: built once a device, and kept on disk as the driver's own
 * binary, under a name that is a hash of the device, its driver and the source.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "castell_opencl.h"
#include "device/cache.h"
#include "device/opencl_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_SIZE = 256, LOG_SHOWN = 400, LOG_MAX = 1 << 20 };

/* ---- On disk ------------------------------------------------------------ */

/* What a binary depends on beside its source. */
static void describe_compiler(const struct cst_opencl_device *device,
                              char text[TEXT_SIZE])
{
    char name[TEXT_SIZE / 2] = "";
    char version[TEXT_SIZE / 2 - 2] = "";

    (void)device->cl->clGetDeviceInfo(device->id, CL_DEVICE_NAME,
                                      sizeof(name) - 1, name, NULL);
    (void)device->cl->clGetDeviceInfo(device->id, CL_DRIVER_VERSION,
                                      sizeof(version) - 1, version, NULL);
    (void)snprintf(text, TEXT_SIZE, "%s\n%s", name, version);
}

static cl_program from_disk(const struct cst_opencl_device *device,
                            const char *compiler, const char *source)
{
    const unsigned char *binaries[1];
    cl_program program;
    cl_int code = CL_SUCCESS;
    size_t size = 0;
    void *binary = cst_cache_read("opencl", compiler, source, &size);

    if (!binary)
        return NULL;
    binaries[0] = binary;
    program = device->cl->clCreateProgramWithBinary(
        device->context, 1, &device->id, &size, binaries, NULL, &code);
    cst_free(binary);
    if (program && device->cl->clBuildProgram(program, 1, &device->id, NULL,
                                              NULL, NULL) != CL_SUCCESS) {
        (void)device->cl->clReleaseProgram(program);
        program = NULL;
    }
    return program;
}

static void to_disk(const struct cst_opencl_device *device,
                    const char *compiler, const char *source,
                    cl_program program)
{
    unsigned char *binaries[1];
    size_t size = 0;

    if (device->cl->clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES,
                                     sizeof(size), &size, NULL) != CL_SUCCESS ||
        size == 0)
        return;
    binaries[0] = cst_alloc(size);
    if (!binaries[0])
        return;
    if (device->cl->clGetProgramInfo(program, CL_PROGRAM_BINARIES,
                                     sizeof(binaries), (void *)binaries,
                                     NULL) == CL_SUCCESS)
        cst_cache_write("opencl", compiler, source, binaries[0], size);
    cst_free(binaries[0]);
}

/* ---- Building ----------------------------------------------------------- */

/* The end of the compiler's words is where its verdict is. */
static void say_build(const struct cst_opencl_device *device,
                      cl_program program, cl_int code)
{
    size_t size = 0;
    char *log;

    (void)device->cl->clGetProgramBuildInfo(
        program, device->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &size);
    log = size < LOG_MAX ? cst_zalloc(size + 1) : NULL;
    if (log)
        (void)device->cl->clGetProgramBuildInfo(
            program, device->id, CL_PROGRAM_BUILD_LOG, size, log, NULL);
    size = log ? strlen(log) : 0;
    cst_fail_text("OpenCL: a source cannot be built: %s (%d)%s%s",
                  cst_opencl_words(code), code, size > 0 ? ": " : "",
                  size > LOG_SHOWN ? log + size - LOG_SHOWN : (log ? log : ""));
    cst_free(log);
}

static cl_program build(const struct cst_opencl_device *device,
                        const char *source)
{
    const struct cst_opencl *cl = device->cl;
    char compiler[TEXT_SIZE];
    cl_program program;
    cl_int code = CL_SUCCESS;

    describe_compiler(device, compiler);
    program = from_disk(device, compiler, source);
    if (program)
        return program;
    program =
        cl->clCreateProgramWithSource(device->context, 1, &source, NULL, &code);
    if (!program) {
        cst_fail_text("OpenCL: no program: %s (%d)", cst_opencl_words(code),
                      code);
        return NULL;
    }
    code = cl->clBuildProgram(program, 1, &device->id, NULL, NULL, NULL);
    if (code != CL_SUCCESS) {
        say_build(device, program, code);
        (void)cl->clReleaseProgram(program);
        return NULL;
    }
    to_disk(device, compiler, source, program);
    return program;
}

static void *build_program(void *device, const char *source)
{
    return build(device, source);
}

static void unload_program(void *handle, void *program)
{
    const struct cst_opencl_device *device = handle;

    (void)device->cl->clReleaseProgram(program);
}

static void *find_kernel(void *handle, void *program, const char *name)
{
    const struct cst_opencl_device *device = handle;
    cl_int code = CL_SUCCESS;
    cl_kernel kernel = device->cl->clCreateKernel(program, name, &code);

    if (!kernel)
        cst_fail_text("OpenCL: there is no kernel %s: %s (%d)", name,
                      cst_opencl_words(code), code);
    return kernel;
}

static void release_kernel(void *handle, void *kernel)
{
    const struct cst_opencl_device *device = handle;

    (void)device->cl->clReleaseKernel(kernel);
}

static const struct cst_sources_ops sources_ops = {
    build_program, unload_program, find_kernel, release_kernel};

void cst_opencl_drop_programs(struct cst_opencl_device *device)
{
    cst_sources_drop(&device->sources, &sources_ops, device);
}

/* ---- For bodies --------------------------------------------------------- */

struct _cl_command_queue *castell_opencl_queue(void)
{
    struct cst_opencl_device *device = cst_opencl_here();

    return device ? device->queues[cst_device_here()->queue] : NULL;
}

struct _cl_context *castell_opencl_context(void)
{
    struct cst_opencl_device *device = cst_opencl_here();

    return device ? device->context : NULL;
}

struct _cl_device_id *castell_opencl_device(void)
{
    struct cst_opencl_device *device = cst_opencl_here();

    return device ? device->id : NULL;
}

struct _cl_kernel *castell_opencl_kernel(const char *source, const char *name)
{
    struct cst_opencl_device *device = cst_opencl_here();
    cl_kernel kernel;

    if (!device) {
        cst_fail_text("castell_opencl_kernel() was not called by a body of "
                      "device(opencl)");
        return NULL;
    }
    (void)pthread_mutex_lock(&device->lock);
    kernel = cst_sources_kernel(&device->sources, &sources_ops, device, source,
                                name);
    (void)pthread_mutex_unlock(&device->lock);
    return kernel;
}

enum castell_status
castell_opencl_launch(const char *source, const char *name,
                      const struct castell_opencl_range *range,
                      const struct castell_opencl_argument *arguments,
                      uint32_t arguments_count)
{
    struct cst_opencl_device *device = cst_opencl_here();
    cl_kernel kernel = castell_opencl_kernel(source, name);
    cl_int code = CL_SUCCESS;

    if (!kernel)
        return CASTELL_ERR_INVALID;
    for (uint32_t i = 0; i < arguments_count; i++) {
        code = device->cl->clSetKernelArg(kernel, i, arguments[i].size,
                                          arguments[i].value);
        if (code != CL_SUCCESS)
            return cst_fail(CASTELL_ERR_INVALID,
                            "OpenCL: argument %u of kernel %s: %s (%d)", i,
                            name, cst_opencl_words(code), code);
    }
    code = device->cl->clEnqueueNDRangeKernel(
        castell_opencl_queue(), kernel, range->dimensions, NULL, range->global,
        range->local[0] > 0 ? range->local : NULL, 0, NULL, NULL);
    if (code == CL_SUCCESS)
        return CASTELL_OK;
    return cst_fail(
        code <= CL_INVALID_VALUE ? CASTELL_ERR_INVALID : CASTELL_ERR_SYSTEM,
        "OpenCL: kernel %s: %s (%d)", name, cst_opencl_words(code), code);
}
