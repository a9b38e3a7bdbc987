/*
 * opencl_bus.h - where on the PCI bus a device of OpenCL is.
 *
 * Layer: device, private to opencl*.c. Needs none of OpenCL's headers, and calls
 * nothing but what it is given.
 */
#ifndef CST_DEVICE_OPENCL_BUS_H
#define CST_DEVICE_OPENCL_BUS_H

#include "device/device.h"

struct _cl_device_id;

/* As clGetDeviceInfo(). */
typedef int cst_opencl_ask(struct _cl_device_id *id, uint32_t what, size_t size,
                           void *value, size_t *ret_size);

/* Write "0000:3b:00.0" to bus, of CST_DEVICE_BUS_SIZE bytes; nothing where the
   driver does not tell. */
void cst_opencl_find_bus(cst_opencl_ask *ask, struct _cl_device_id *id,
                         char *bus);

#endif
