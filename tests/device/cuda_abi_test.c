/*
 * What cuda_internal.h says of CUDA's driver is what NVIDIA's header says of it;
 * checked where that is.
 */
#include "device/cuda_internal.h"
#include "harness/tap.h"

#if __has_include(<cuda.h>)
#include <cuda.h>

#define SAME_PLACE(theirs, ours)                                               \
    ok(offsetof(CUDA_MEMCPY2D, theirs) ==                                      \
           offsetof(struct cst_cu_copy_2d, ours),                              \
       #theirs)
#define SAME(theirs, ours) ok((int)(theirs) == (int)(ours), #theirs)

static void test_copy(void)
{
    ok(sizeof(CUDA_MEMCPY2D) == sizeof(struct cst_cu_copy_2d), "its size");
    SAME_PLACE(srcXInBytes, from_x);
    SAME_PLACE(srcMemoryType, from_type);
    SAME_PLACE(srcHost, from_host);
    SAME_PLACE(srcDevice, from_device);
    SAME_PLACE(srcPitch, from_pitch);
    SAME_PLACE(dstMemoryType, to_type);
    SAME_PLACE(dstHost, to_host);
    SAME_PLACE(dstDevice, to_device);
    SAME_PLACE(dstPitch, to_pitch);
    SAME_PLACE(WidthInBytes, width);
    SAME_PLACE(Height, height);
}

static void test_results(void)
{
    SAME(CUDA_ERROR_INVALID_VALUE, CST_CU_INVALID_VALUE);
    SAME(CUDA_ERROR_OUT_OF_MEMORY, CST_CU_OUT_OF_MEMORY);
    SAME(CUDA_ERROR_DEINITIALIZED, CST_CU_DEINITIALIZED);
    SAME(CUDA_ERROR_DEVICE_UNAVAILABLE, CST_CU_DEVICE_UNAVAILABLE);
    SAME(CUDA_ERROR_NO_DEVICE, CST_CU_NO_DEVICE);
    SAME(CUDA_ERROR_ECC_UNCORRECTABLE, CST_CU_ECC_UNCORRECTABLE);
    SAME(CUDA_ERROR_NVLINK_UNCORRECTABLE, CST_CU_NVLINK_UNCORRECTABLE);
    SAME(CUDA_ERROR_CONTAINED, CST_CU_CONTAINED);
    SAME(CUDA_ERROR_NOT_FOUND, CST_CU_NOT_FOUND);
    SAME(CUDA_ERROR_NOT_READY, CST_CU_NOT_READY);
    SAME(CUDA_ERROR_ILLEGAL_ADDRESS, CST_CU_ILLEGAL_ADDRESS);
    SAME(CUDA_ERROR_LAUNCH_TIMEOUT, CST_CU_LAUNCH_TIMEOUT);
    SAME(CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED, CST_CU_PEER_ALREADY_ENABLED);
    SAME(CUDA_ERROR_CONTEXT_IS_DESTROYED, CST_CU_CONTEXT_IS_DESTROYED);
    SAME(CUDA_ERROR_ASSERT, CST_CU_ASSERT);
    SAME(CUDA_ERROR_HARDWARE_STACK_ERROR, CST_CU_HARDWARE_STACK_ERROR);
    SAME(CUDA_ERROR_LAUNCH_FAILED, CST_CU_LAUNCH_FAILED);
}

static void test_numbers(void)
{
    SAME(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, CST_CU_MULTIPROCESSORS);
    SAME(CU_DEVICE_ATTRIBUTE_INTEGRATED, CST_CU_INTEGRATED);
    SAME(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, CST_CU_CAPABILITY_MAJOR);
    SAME(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, CST_CU_CAPABILITY_MINOR);
    SAME(CU_STREAM_NON_BLOCKING, CST_CU_STREAM_NON_BLOCKING);
    SAME(CU_EVENT_DISABLE_TIMING, CST_CU_EVENT_NO_TIMING);
    SAME(CU_MEMHOSTREGISTER_PORTABLE, CST_CU_HOST_PORTABLE);
    SAME(CU_POINTER_ATTRIBUTE_MEMORY_TYPE, CST_CU_POINTER_MEMORY_TYPE);
    SAME(CU_EVENT_BLOCKING_SYNC, CST_CU_EVENT_BLOCKING_SYNC);
    SAME(CU_MEMHOSTALLOC_PORTABLE, CST_CU_HOST_PORTABLE);
    SAME(CU_MEMHOSTREGISTER_PORTABLE, CST_CU_HOST_PORTABLE);
    SAME(CU_MEMORYTYPE_HOST, CST_CU_MEMORY_HOST);
    SAME(CU_MEMORYTYPE_DEVICE, CST_CU_MEMORY_DEVICE);
    ok(sizeof(CUdeviceptr) == sizeof(uint64_t) && sizeof(CUdevice) == 4,
       "sizes");
}

int main(void)
{
    test_copy();
    test_results();
    test_numbers();
    return tap_done();
}

#else

int main(void)
{
    tap_skip("the driver's interface", "no cuda.h");
    return tap_done();
}

#endif
