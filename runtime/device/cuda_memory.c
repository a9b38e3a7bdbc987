/*
 * Memory of CUDA's devices, and copies between it and the host's: of pinned memory
 * as they are, of much that is not by way of pinned pieces, of little by the
 * driver, in the thread that asks.
 */
#include "device/cuda_internal.h"

#include <stddef.h>

/* ---- Memory ------------------------------------------------------------- */

static uint64_t address(const void *memory)
{
    return (uint64_t)(uintptr_t)memory;
}

enum castell_status cst_cuda_unused(void *handle, uint64_t *ret_size)
{
    struct cst_cuda_device *device = handle;
    enum castell_status status = cst_cuda_enter(device);
    size_t unused = 0;
    size_t all = 0;

    if (status < 0)
        return status;
    status = cst_cuda_done(device, "how much memory is free",
                           device->cuda->cuMemGetInfo_v2(&unused, &all));
    if (status == CASTELL_OK)
        *ret_size = unused;
    return status;
}

enum castell_status cst_cuda_allocate(void *handle, size_t size,
                                      void **ret_memory)
{
    struct cst_cuda_device *device = handle;
    enum castell_status status = cst_cuda_enter(device);
    uint64_t memory = 0;

    if (status < 0)
        return status;
    status = cst_cuda_done(device, "no block of memory",
                           device->cuda->cuMemAlloc_v2(&memory, size));
    if (status < 0)
        return status;
    /* What is an address there is one here, as in all of CUDA. */
    *ret_memory =
        (void *)(uintptr_t)memory; /* NOLINT(performance-no-int-to-ptr) */
    return CASTELL_OK;
}

/* Of a lost device too: some can still be given back, else it fails. */
static bool enter_to_free(struct cst_cuda_device *device)
{
    return device->cuda->cuCtxPushCurrent_v2(device->context) == CST_CU_SUCCESS;
}

void cst_cuda_release(void *handle, void *memory)
{
    struct cst_cuda_device *device = handle;

    if (!enter_to_free(device))
        return;
    (void)cst_cuda_done(device, "a block of memory",
                        device->cuda->cuMemFree_v2(address(memory)));
}

/* ---- Pinned memory of the host ------------------------------------------- */

static struct cst_cuda_device *device_of(struct cst_pages_pinner *pinner)
{
    return (struct cst_cuda_device *)(void *)((char *)pinner -
                                              offsetof(struct cst_cuda_device,
                                                       pinner));
}

/* For every context, and without an error text: it can be done without. */
bool cst_cuda_pin(struct cst_pages_pinner *pinner, void *base, size_t size)
{
    struct cst_cuda_device *device = device_of(pinner);
    int code;

    if (!enter_to_free(device))
        return false;
    code = device->cuda->cuMemHostRegister_v2(base, size, CST_CU_HOST_PORTABLE);
    cst_cuda_leave(device);
    return code == CST_CU_SUCCESS;
}

/* In a context that is broken no call succeeds, and this one needs none. */
bool cst_cuda_unpin(struct cst_pages_pinner *pinner, void *base)
{
    struct cst_cuda_device *device = device_of(pinner);
    int code = CST_CU_INVALID_VALUE;

    if (enter_to_free(device)) {
        code = device->cuda->cuMemHostUnregister(base);
        cst_cuda_leave(device);
    }
    return code == CST_CU_SUCCESS ||
           device->cuda->cuMemHostUnregister(base) == CST_CU_SUCCESS;
}

/* ---- Copies ------------------------------------------------------------- */

int cst_cuda_put_copy(struct cst_cuda_device *device,
                      enum cst_device_queue queue,
                      const struct cst_device_rows *rows)
{
    const struct cst_cuda *cuda = device->cuda;
    struct CUstream_st *stream = device->streams[queue];
    uint64_t there = address(rows->memory) + rows->offset;
    bool in = queue == CST_DEVICE_IN;
    struct cst_cu_copy_2d copy = {
        .from_type = in ? CST_CU_MEMORY_HOST : CST_CU_MEMORY_DEVICE,
        .to_type = in ? CST_CU_MEMORY_DEVICE : CST_CU_MEMORY_HOST,
        .from_pitch = in ? rows->host_pitch : rows->memory_pitch,
        .to_pitch = in ? rows->memory_pitch : rows->host_pitch,
        .width = rows->size,
        .height = rows->rows,
    };
    size_t size = rows->size;

    if (rows->rows == 1 ||
        (rows->host_pitch == size && rows->memory_pitch == size)) {
        size *= rows->rows;
        return in ? cuda->cuMemcpyHtoDAsync_v2(there, rows->host, size, stream)
                  : cuda->cuMemcpyDtoHAsync_v2(rows->host, there, size, stream);
    }
    if (in) {
        copy.from_host = rows->host;
        copy.to_device = there;
    } else {
        copy.from_device = there;
        copy.to_host = rows->host;
    }
    return cuda->cuMemcpy2DAsync_v2(&copy, stream);
}

/* Has the program itself pinned it? */
static bool is_programs_pinned(const struct cst_cuda_device *device,
                               const char *base, size_t extent)
{
    const char *const ends[] = {base, base + extent - 1};

    for (int i = 0; i < 2; i++) {
        unsigned int type = 0;

        if (device->cuda->cuPointerGetAttribute(
                &type, CST_CU_POINTER_MEMORY_TYPE, address(ends[i])) !=
                CST_CU_SUCCESS ||
            type != CST_CU_MEMORY_HOST)
            return false;
    }
    return true;
}

/* Is it to go by way of pinned pieces? */
static bool is_staged(struct cst_cuda_device *device,
                      const struct cst_device_rows *rows)
{
    size_t size = rows->size * rows->rows;
    size_t extent = rows->rows == 1
                        ? rows->size
                        : (rows->rows - 1) * rows->host_pitch + rows->size;

    switch (cst_pages_copy(&device->pinner, rows->host, extent, size)) {
    case CST_PAGES_PINNED:
        return false;
    case CST_PAGES_PARTLY: /* such a copy the driver refuses */
        return true;
    case CST_PAGES_PAGEABLE:
        break;
    }
    return size >= device->rings[0].min &&
           !is_programs_pinned(device, rows->host, extent);
}

static enum castell_status copy_rows(struct cst_cuda_device *device,
                                     enum cst_device_queue queue,
                                     const struct cst_device_rows *rows,
                                     const char *what)
{
    enum castell_status status = cst_cuda_enter(device);
    bool staged;
    int code;

    if (status < 0)
        return status;
    staged = is_staged(device, rows);
    if (staged) {
        code = cst_cuda_stage(device, queue, rows, &staged);
        if (code != CST_CU_SUCCESS)
            return cst_cuda_judge(device, code);
    }
    if (staged)
        return cst_cuda_done(device, what, CST_CU_SUCCESS);
    return cst_cuda_done(device, what, cst_cuda_put_copy(device, queue, rows));
}

enum castell_status cst_cuda_copy_in(void *handle,
                                     const struct cst_device_rows *rows)
{
    return copy_rows(handle, CST_DEVICE_IN, rows, "a copy to it");
}

enum castell_status cst_cuda_copy_out(void *handle,
                                      const struct cst_device_rows *rows)
{
    return copy_rows(handle, CST_DEVICE_OUT, rows, "a copy from it");
}

/* Once for each pair; without it the driver goes through the host itself. */
static void open_way(struct cst_cuda_device *device,
                     const struct cst_cuda_device *from)
{
    uint64_t bit = from->number < 64 ? (uint64_t)1 << from->number : 0;
    bool asked;
    int can = 0;

    (void)pthread_mutex_lock(&device->lock);
    asked = (device->peers_asked & bit) != 0;
    device->peers_asked |= bit;
    (void)pthread_mutex_unlock(&device->lock);
    if (!asked &&
        device->cuda->cuDeviceCanAccessPeer(&can, device->number,
                                            from->number) == CST_CU_SUCCESS &&
        can)
        (void)device->cuda->cuCtxEnablePeerAccess(from->context, 0);
}

enum castell_status cst_cuda_copy_peer(void *handle, void *memory, void *from,
                                       void *from_memory, size_t size)
{
    struct cst_cuda_device *device = handle;
    struct cst_cuda_device *other = from;
    enum castell_status status = cst_cuda_enter(device);

    if (status < 0)
        return status;
    open_way(device, other);
    return cst_cuda_done(
        device, "a copy from another device",
        device->cuda->cuMemcpyPeerAsync(address(memory), device->context,
                                        address(from_memory), other->context,
                                        size, device->streams[CST_DEVICE_IN]));
}
