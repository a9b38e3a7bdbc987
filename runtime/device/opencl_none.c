/*
 * Where OpenCL's headers are missing: no such device, whatever the node has.
 */
#include "base/fail.h"
#include "castell_opencl.h"
#include "device/device.h"

/* NOLINTNEXTLINE(readability-non-const-parameter): as the table has it */
static enum castell_status discover(void **ret_driver, uint32_t *ret_count)
{
    (void)ret_driver, (void)ret_count;
    return cst_fail(CASTELL_ERR_UNSATISFIABLE,
                    "this Castell was built without OpenCL");
}

const struct cst_device_ops cst_device_opencl = {
    .name = "opencl",
    .kind = CASTELL_OPENCL,
    .discover = discover,
};

struct _cl_command_queue *castell_opencl_queue(void)
{
    return NULL;
}

struct _cl_context *castell_opencl_context(void)
{
    return NULL;
}

struct _cl_device_id *castell_opencl_device(void)
{
    return NULL;
}

struct _cl_kernel *castell_opencl_kernel(const char *source, const char *name)
{
    (void)source, (void)name;
    cst_fail_text("this Castell was built without OpenCL");
    return NULL;
}

enum castell_status
castell_opencl_launch(const char *source, const char *name,
                      const struct castell_opencl_range *range,
                      const struct castell_opencl_argument *arguments,
                      uint32_t arguments_count)
{
    (void)source, (void)name, (void)range, (void)arguments;
    (void)arguments_count;
    return cst_fail(CASTELL_ERR_INVALID,
                    "this Castell was built without OpenCL");
}
