#include "desk/desk.h"

#include "base/fail.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { AWAKE = 0, ASLEEP = 1, ELSEWHERE = 2 };

void cst_desk_init(struct cst_desk *desk, uint32_t index)
{
    memset(desk, 0, sizeof(*desk));
    desk->index = index;
}

void cst_futex_wait(_Atomic(uint32_t) *word, uint32_t value)
{
    /* EAGAIN (it changed) and EINTR are as good as being woken. */
    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

void cst_futex_wait_for(_Atomic(uint32_t) *word, uint32_t value, uint64_t ns)
{
    struct timespec timeout = {(time_t)(ns / 1000000000),
                               (long)(ns % 1000000000)};

    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &timeout, NULL,
                  0);
}

void cst_futex_wake(_Atomic(uint32_t) *word)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/*
 * A fence for both sides, paid by the one that is about to sleep: it happens
 * rarely, and telling news happens for every task. Where the system has no such
 * call, each teller makes a fence of its own.
 */
static bool fence_is_ours;

void cst_desk_setup(void)
{
    fence_is_ours =
        syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0,
                0) == 0;
}

bool cst_desk_needs_fence(void)
{
    return !fence_is_ours;
}

static void fence_all(void)
{
    if (fence_is_ours)
        (void)syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
    else
        atomic_thread_fence(memory_order_seq_cst);
}

void cst_desk_doze(struct cst_desk *desk, const struct cst_wait *wait)
{
    atomic_store_explicit(&desk->wait_value, wait ? wait->value : 0,
                          memory_order_relaxed);
    atomic_store_explicit(&desk->wait_word, wait ? wait->word : NULL,
                          memory_order_relaxed);
    atomic_store_explicit(&desk->asleep, ASLEEP, memory_order_seq_cst);
    fence_all();
}

void cst_desk_rouse(struct cst_desk *desk)
{
    atomic_store_explicit(&desk->asleep, AWAKE, memory_order_release);
}

bool cst_desk_doze_elsewhere(struct cst_desk *desk, void (*ring)(void *context),
                             void *context)
{
    uint32_t asleep = ASLEEP;

    desk->ring = ring;
    desk->ring_context = context;
    return atomic_compare_exchange_strong(&desk->asleep, &asleep, ELSEWHERE);
}

void cst_desk_sleep(struct cst_desk *desk)
{
    while (atomic_load_explicit(&desk->asleep, memory_order_acquire) == ASLEEP)
        cst_futex_wait(&desk->asleep, ASLEEP);
}

void cst_desk_ring(struct cst_desk *desk)
{
    uint32_t asleep =
        atomic_exchange_explicit(&desk->asleep, AWAKE, memory_order_acq_rel);

    if (asleep == ASLEEP)
        cst_futex_wake(&desk->asleep);
    else if (asleep == ELSEWHERE)
        desk->ring(desk->ring_context);
}

bool cst_desk_overslept(struct cst_desk *desk)
{
    struct cst_wait wait;

    if (atomic_load_explicit(&desk->asleep, memory_order_acquire) == AWAKE)
        return false;
    wait.word = atomic_load_explicit(&desk->wait_word, memory_order_relaxed);
    wait.value = atomic_load_explicit(&desk->wait_value, memory_order_relaxed);
    return wait.word && cst_wait_over(&wait);
}

bool cst_desk_sit(struct cst_desk *desk, enum cst_serves how)
{
    uint32_t away = CST_AWAY;

    return atomic_compare_exchange_strong(&desk->serves, &away, how);
}

struct cst_claim *cst_desk_leave(struct cst_desk *desk)
{
    uint32_t serves = atomic_load(&desk->serves);

    for (;;) {
        struct cst_claim *claim;

        serves &= ~(uint32_t)CST_CLAIMED;
        if (atomic_compare_exchange_strong(&desk->serves, &serves, CST_AWAY))
            return NULL;
        /* It is being made, or has just ended: both take a moment. */
        claim = atomic_load(&desk->claim);
        if (!claim) {
            cst_pause();
            continue;
        }
        atomic_store(&desk->claim, NULL);
        atomic_store(&desk->serves, CST_CLAIMED);
        return claim;
    }
}
