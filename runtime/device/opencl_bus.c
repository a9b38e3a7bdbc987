/*
 * opencl_bus.c - where a device of OpenCL is, by the extensions that tell.
 */
#include "device/opencl_bus.h"

#include <stdio.h>

/* Their names in headers that not every system has. */
enum {
    SUCCESS = 0,
    PCI_BUS_INFO_KHR = 0x410f, /* domain, bus, device, function */
    PCI_BUS_ID_NV = 0x4008,
    PCI_SLOT_ID_NV = 0x4009, /* device * 8 + function */
    PCI_DOMAIN_ID_NV = 0x400a,
};

/* NVIDIA's own, of drivers that do not know the other. */
static bool ask_nvidia(cst_opencl_ask *ask, struct _cl_device_id *id,
                       uint32_t *info)
{
    uint32_t slot;

    if (ask(id, PCI_BUS_ID_NV, sizeof(info[1]), &info[1], NULL) != SUCCESS ||
        ask(id, PCI_SLOT_ID_NV, sizeof(slot), &slot, NULL) != SUCCESS)
        return false;
    if (ask(id, PCI_DOMAIN_ID_NV, sizeof(info[0]), &info[0], NULL) != SUCCESS)
        info[0] = 0;
    info[1] &= 0xff;
    info[2] = slot >> 3;
    info[3] = slot & 7;
    return true;
}

void cst_opencl_find_bus(cst_opencl_ask *ask, struct _cl_device_id *id,
                         char *bus)
{
    uint32_t info[4] = {0};

    if (ask(id, PCI_BUS_INFO_KHR, sizeof(info), info, NULL) == SUCCESS ||
        ask_nvidia(ask, id, info))
        (void)snprintf(bus, CST_DEVICE_BUS_SIZE, "%04x:%02x:%02x.%x", info[0],
                       info[1], info[2], info[3]);
}
