/*
 * Pinned memory of the host, of a libcuda.so.1 without a GPU; see fake_cuda.h.
 */
#include "device/fake_internal.h"

#include <stdint.h>
#include <stdlib.h>

enum { ALREADY_REGISTERED = 712, NOT_REGISTERED = 713 };

/* Allocated here, or registered: the program's own. */
struct pinned {
    struct pinned *next;
    char *base;
    size_t size;
    struct CUctx_st *context;
    bool registered;
};

static struct pinned *all;
static int misuses;
static int copies[2]; /* of pageable memory, of pinned */

/* NOLINTNEXTLINE(readability-non-const-parameter): it is kept */
static void add(char *base, size_t size, bool registered)
{
    struct pinned *pinned = malloc(sizeof(*pinned));

    if (!pinned)
        abort();
    *pinned = (struct pinned){all, base, size, fake_current(), registered};
    all = pinned;
    fake_left++;
}

static struct pinned *overlapping(const char *base, size_t size)
{
    struct pinned *pinned = all;

    while (pinned &&
           !(base < pinned->base + pinned->size && pinned->base < base + size))
        pinned = pinned->next;
    return pinned;
}

/* Of a copy that has not been done, nothing may be taken away. */
static bool take(const char *base, bool registered)
{
    struct pinned **at = &all;
    struct pinned *pinned;

    while (*at && ((*at)->base != base || (*at)->registered != registered))
        at = &(*at)->next;
    pinned = *at;
    if (!pinned)
        return false;
    misuses += fake_is_copied(pinned->base, pinned->size);
    *at = pinned->next;
    if (!registered)
        free(pinned->base);
    free(pinned);
    fake_left--;
    return true;
}

void fake_host_drop(const struct CUctx_st *context)
{
    struct pinned *pinned = all;

    while (pinned) {
        struct pinned *next = pinned->next;

        if (pinned->context == context)
            (void)take(pinned->base, pinned->registered);
        pinned = next;
    }
}

int fake_host_copy(const char *base, size_t extent)
{
    const struct pinned *pinned = overlapping(base, extent);

    if (pinned &&
        (base < pinned->base || base + extent > pinned->base + pinned->size))
        return INVALID_VALUE;
    copies[pinned != NULL]++;
    return 0;
}

int cuMemHostAlloc(void **host, size_t size, unsigned int flags)
{
    int code = fake_begin("cuMemHostAlloc");

    if (code == 0 && (size == 0 || flags != CST_CU_HOST_PORTABLE))
        code = INVALID_VALUE;
    if (code == 0) {
        *host = malloc(size);
        if (!*host)
            abort();
        add(*host, size, false);
    }
    return fake_end(code);
}

int cuMemFreeHost(void *host)
{
    int code = fake_begin("cuMemFreeHost");

    /* Also in a broken context: its end would do it. */
    if (!take(host, false))
        code = INVALID_VALUE;
    return fake_end(code);
}

int cuMemHostRegister_v2(void *host, size_t size, unsigned int flags)
{
    int code = fake_begin("cuMemHostRegister_v2");

    if (code == 0 && (size == 0 || flags != CST_CU_HOST_PORTABLE))
        code = INVALID_VALUE;
    if (code == 0 && overlapping(host, size))
        code = ALREADY_REGISTERED;
    if (code == 0)
        add(host, size, true);
    return fake_end(code);
}

/* As the real one it needs no context, and works in none that is broken. */
int cuMemHostUnregister(void *host)
{
    int code;

    (void)pthread_mutex_lock(&fake_lock);
    code = fake_planned("cuMemHostUnregister");
    if (code == 0 && fake_current())
        code = fake_current()->fatal;
    if (code == 0 && !take(host, true)) {
        code = NOT_REGISTERED;
        misuses++;
    }
    return fake_end(code);
}

int cuPointerGetAttribute(void *value, int which, uint64_t address)
{
    int code;

    (void)pthread_mutex_lock(&fake_lock);
    code = fake_planned("cuPointerGetAttribute");
    if (code == 0 && (which != CST_CU_POINTER_MEMORY_TYPE ||
                      /* NOLINTNEXTLINE(performance-no-int-to-ptr) */
                      !overlapping((const char *)(uintptr_t)address, 1)))
        code = INVALID_VALUE;
    if (code == 0)
        *(unsigned int *)value = CST_CU_MEMORY_HOST;
    return fake_end(code);
}

/* ---- For tests ----------------------------------------------------------- */

PUBLIC int fake_cuda_misuses(void)
{
    return misuses;
}

PUBLIC int fake_cuda_copies(bool pinned)
{
    int count;

    (void)pthread_mutex_lock(&fake_lock);
    count = copies[pinned];
    (void)fake_end(0);
    return count;
}

PUBLIC size_t fake_cuda_registered(void)
{
    size_t size = 0;

    (void)pthread_mutex_lock(&fake_lock);
    for (const struct pinned *pinned = all; pinned; pinned = pinned->next)
        size += pinned->registered ? pinned->size : 0;
    (void)fake_end(0);
    return size;
}
