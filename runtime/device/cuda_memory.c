/*
 * Memory of CUDA's devices, pinned memory of the host, and copies between them.
 */
#include "device/cuda_internal.h"

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

enum castell_status cst_cuda_stage_allocate(void *handle, size_t size,
                                            void **ret_host)
{
    struct cst_cuda_device *device = handle;
    enum castell_status status = cst_cuda_enter(device);

    if (status < 0)
        return status;
    return cst_cuda_done(
        device, "no pinned memory",
        device->cuda->cuMemHostAlloc(ret_host, size, CST_CU_HOST_PORTABLE));
}

void cst_cuda_stage_free(void *handle, void *host)
{
    struct cst_cuda_device *device = handle;

    if (!enter_to_free(device))
        return;
    (void)cst_cuda_done(device, "pinned memory",
                        device->cuda->cuMemFreeHost(host));
}

enum castell_status cst_cuda_pin(void *handle, void *host, size_t size)
{
    struct cst_cuda_device *device = handle;
    enum castell_status status = cst_cuda_enter(device);

    if (status < 0)
        return status;
    return cst_cuda_done(
        device, "memory cannot be pinned",
        device->cuda->cuMemHostRegister_v2(host, size, CST_CU_HOST_PORTABLE));
}

void cst_cuda_unpin(void *handle, void *host)
{
    struct cst_cuda_device *device = handle;

    if (!enter_to_free(device))
        return;
    (void)cst_cuda_done(device, "pinned memory",
                        device->cuda->cuMemHostUnregister(host));
}

/* ---- Copies ------------------------------------------------------------- */

enum castell_status cst_cuda_copy_in(void *handle,
                                     const struct cst_device_rows *rows)
{
    struct cst_cuda_device *device = handle;
    struct CUstream_st *stream = device->streams[CST_DEVICE_IN];
    const struct cst_cu_copy_2d copy = {
        .from_type = CST_CU_MEMORY_HOST,
        .from_host = rows->host,
        .from_pitch = rows->host_pitch,
        .to_type = CST_CU_MEMORY_DEVICE,
        .to_device = address(rows->memory) + rows->offset,
        .to_pitch = rows->memory_pitch,
        .width = rows->size,
        .height = rows->rows,
    };
    enum castell_status status = cst_cuda_enter(device);

    if (status < 0)
        return status;
    return cst_cuda_done(
        device, "a copy to it",
        rows->rows == 1 ? device->cuda->cuMemcpyHtoDAsync_v2(
                              copy.to_device, rows->host, rows->size, stream)
                        : device->cuda->cuMemcpy2DAsync_v2(&copy, stream));
}

enum castell_status cst_cuda_copy_out(void *handle,
                                      const struct cst_device_rows *rows)
{
    struct cst_cuda_device *device = handle;
    struct CUstream_st *stream = device->streams[CST_DEVICE_OUT];
    const struct cst_cu_copy_2d copy = {
        .from_type = CST_CU_MEMORY_DEVICE,
        .from_device = address(rows->memory) + rows->offset,
        .from_pitch = rows->memory_pitch,
        .to_type = CST_CU_MEMORY_HOST,
        .to_host = rows->host,
        .to_pitch = rows->host_pitch,
        .width = rows->size,
        .height = rows->rows,
    };
    enum castell_status status = cst_cuda_enter(device);

    if (status < 0)
        return status;
    return cst_cuda_done(
        device, "a copy from it",
        rows->rows == 1 ? device->cuda->cuMemcpyDtoHAsync_v2(
                              rows->host, copy.from_device, rows->size, stream)
                        : device->cuda->cuMemcpy2DAsync_v2(&copy, stream));
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
