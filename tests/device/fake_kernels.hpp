/*
 * fake_kernels.hpp - what sources in CUDA's C++ are compiled with on the host, for
 * tests; in C++. A kernel is called for one thread after another: none can wait for
 * others of its block.
 */
#ifndef CST_TESTS_FAKE_KERNELS_H
#define CST_TESTS_FAKE_KERNELS_H

#include <cmath>
#include <tuple>
#include <utility>

using std::exp;
using std::fmax;
using std::log;
using std::sqrt;

struct fake_place {
    unsigned x, y, z;
};

static thread_local fake_place threadIdx, blockIdx, blockDim, gridDim;

#define __global__
#define __device__

/* A launch: its size, and the values that the arguments had then. */
struct fake_launch {
    fake_place blocks, threads;
    virtual ~fake_launch() {}
    virtual void call() = 0;
};

template <class... Parameters> struct fake_call : fake_launch {
    void (*kernel)(Parameters...);
    std::tuple<Parameters...> values;

    template <size_t... I>
    fake_call(void (*kernel)(Parameters...), void **arguments,
              std::index_sequence<I...>)
        : kernel(kernel), values(*(Parameters *)arguments[I]...)
    {
    }

    void call() override
    {
        std::apply(kernel, values);
    }
};

template <class... Parameters>
static void *fake_bind(void (*kernel)(Parameters...), void **arguments,
                       const unsigned *blocks, const unsigned *threads)
{
    auto *made = new fake_call<Parameters...>(
        kernel, arguments, std::index_sequence_for<Parameters...>{});

    made->blocks = {blocks[0], blocks[1], blocks[2]};
    made->threads = {threads[0], threads[1], threads[2]};
    return static_cast<fake_launch *>(made);
}

#define FAKE_KERNEL(name)                                                      \
    extern "C" void *fake_bind_##name(void **arguments,                        \
                                      const unsigned *blocks,                  \
                                      const unsigned *threads)                 \
    {                                                                          \
        return fake_bind(name, arguments, blocks, threads);                    \
    }

extern "C" __attribute__((unused)) int fake_run(void *bound)
{
    fake_launch *launch = static_cast<fake_launch *>(bound);

    gridDim = launch->blocks;
    blockDim = launch->threads;
    for (blockIdx.z = 0; blockIdx.z < gridDim.z; blockIdx.z++)
        for (blockIdx.y = 0; blockIdx.y < gridDim.y; blockIdx.y++)
            for (blockIdx.x = 0; blockIdx.x < gridDim.x; blockIdx.x++)
                for (threadIdx.z = 0; threadIdx.z < blockDim.z; threadIdx.z++)
                    for (threadIdx.y = 0; threadIdx.y < blockDim.y;
                         threadIdx.y++)
                        for (threadIdx.x = 0; threadIdx.x < blockDim.x;
                             threadIdx.x++)
                            launch->call();
    delete launch;
    return 0;
}

#endif
