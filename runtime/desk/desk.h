/*
 * desk.h - where one thread and the engine hand each other tasks.
 *
 * Layer: desk. May include base and graph.
 *
 * Each thread that submits or runs tasks has a desk. It holds two rings and a
 * bell:
 *   news   from the thread to the engine: tasks submitted and tasks done, in
 *          order. One producer, the thread; one consumer at a time, whoever
 *          holds the baton.
 *   work   from the engine to the thread: tasks to run. One producer at a
 *          time, whoever holds the baton; taken by the thread, and by any other
 *          that has run out of work.
 *   bell   wakes the thread when it sleeps.
 * No call here blocks but cst_desk_sleep().
 *
 * No wake-up is lost: who sleeps first says so and then looks once more for
 * news and work; who brings news or work first stores it and then looks who
 * sleeps; and the sleeper puts a full fence between the two on both sides.
 */
#ifndef CST_DESK_DESK_H
#define CST_DESK_DESK_H

#include "castell.h"
#include "graph/task.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    CST_NEWS_MAX = 1024, /* powers of two */
    CST_WORK_MAX = 64,
    CST_NEWS_MASK = 7, /* of an enum cst_news */
    CST_LINE = 64,     /* bytes of a cache line */
};

/* What a piece of news says; the low bits of its task's address. */
enum cst_news {
    CST_NEWS_SUBMITTED = 0,
    CST_NEWS_DONE = 1,
    CST_NEWS_LENDS = 2,    /* its body waits: others may have its resources */
    CST_NEWS_REGAINS = 3,  /* and wants them back */
    CST_NEWS_REFUSED = 4,  /* the leader of its claim cannot run it now */
    CST_NEWS_RETURNED = 5, /* its device cannot run it: choose again */
};

/*
 * Is there somebody at the desk who runs tasks, and is its core promised to a
 * task of several? CST_CLAIMED may be set with each of the others. It is set by
 * the baton's holder and cleared by the claim's leader, not before a thread at
 * the desk has arrived; all else is that thread's.
 */
enum cst_serves {
    CST_AWAY = 0,
    CST_SERVES = 1 << 0,
    CST_HELPS = 1 << 1, /* for a moment: nothing is laid on the desk */
    CST_CLAIMED = 1 << 2,
};

struct cst_claim;

/*
 * What a thread waits for besides work: *word >= value. The word must stay
 * readable as long as the engine lives, for another thread may still look at
 * it when the wait is over: it lies in a task or in a desk.
 */
struct cst_wait {
    _Atomic(uint64_t) *word;
    uint64_t value;
};

struct cst_desk {
    /* Written by the thread. */
    _Alignas(CST_LINE) _Atomic(uint32_t) news_tail;
    uint32_t news_head_seen;
    uint32_t index;
    uint32_t since_poke;             /* news since the last try of the baton */
    _Atomic(uint64_t) submitted;     /* for the root task, by this thread */
    uint64_t room_until;             /* submitted, before it looks again */
    _Atomic(uint64_t) submitted_all; /* for any task */
    _Atomic(uint32_t) running;       /* bodies, one on top of the other */
    _Atomic(uint32_t) cores;         /* that the uppermost holds */
    _Atomic(uint32_t) serves;        /* enum cst_serves */
    _Atomic(bool) hungry;            /* has no task and looks for one */

    /* Written by whoever holds the baton. */
    _Alignas(CST_LINE) _Atomic(uint32_t) news_head;
    _Atomic(uint32_t) work_tail;
    _Atomic(struct cst_claim *) claim; /* its thread is to join; or NULL */
    _Atomic(uint32_t) claims_ended;    /* by their leaders */

    /* Written by whoever takes work. */
    _Alignas(CST_LINE) _Atomic(uint32_t) work_head;

    _Alignas(CST_LINE) _Atomic(uint32_t) asleep; /* the futex */
    void (*ring)(void *context);                 /* while it sleeps elsewhere */
    void *ring_context;
    _Atomic(_Atomic(uint64_t) *) wait_word; /* NULL: for nothing but work */
    _Atomic(uint64_t) wait_value;

    _Alignas(CST_LINE) _Atomic(struct cst_task *) work[CST_WORK_MAX];
    _Alignas(CST_LINE) _Atomic(uintptr_t) news[CST_NEWS_MAX];
};

/* Once, at start: see whether a sleeper can make fences for all. */
void cst_desk_setup(void);

/* Must a teller make its own, before it looks who sleeps? */
bool cst_desk_needs_fence(void);

void cst_desk_init(struct cst_desk *desk, uint32_t index);

/* The thread's side: say something. Returns false when the ring is full. */
static inline bool cst_desk_tell(struct cst_desk *desk, enum cst_news what,
                                 struct cst_task *task)
{
    uint32_t tail =
        atomic_load_explicit(&desk->news_tail, memory_order_relaxed);

    if (tail - desk->news_head_seen == CST_NEWS_MAX) {
        desk->news_head_seen =
            atomic_load_explicit(&desk->news_head, memory_order_acquire);
        if (tail - desk->news_head_seen == CST_NEWS_MAX)
            return false;
    }
    atomic_store_explicit(&desk->news[tail % CST_NEWS_MAX],
                          (uintptr_t)task | (uintptr_t)what,
                          memory_order_relaxed);
    atomic_store_explicit(&desk->news_tail, tail + 1, memory_order_release);
    desk->since_poke++;
    return true;
}

/* The baton's side: is there news? */
static inline bool cst_desk_has_news(const struct cst_desk *desk)
{
    return atomic_load_explicit(&desk->news_tail, memory_order_acquire) !=
           atomic_load_explicit(&desk->news_head, memory_order_relaxed);
}

/* Tasks in the work ring, as far as the caller can see. */
static inline uint32_t cst_desk_work_count(const struct cst_desk *desk)
{
    return atomic_load_explicit(&desk->work_tail, memory_order_acquire) -
           atomic_load_explicit(&desk->work_head, memory_order_acquire);
}

/* The baton's side: put a task on the desk; there must be room. */
static inline void cst_desk_put(struct cst_desk *desk, struct cst_task *task)
{
    uint32_t tail =
        atomic_load_explicit(&desk->work_tail, memory_order_relaxed);

    atomic_store_explicit(&desk->work[tail % CST_WORK_MAX], task,
                          memory_order_relaxed);
    atomic_store_explicit(&desk->work_tail, tail + 1, memory_order_release);
}

/* Any thread: take the oldest task of a desk, or NULL. */
static inline struct cst_task *cst_desk_take(struct cst_desk *desk)
{
    uint32_t head =
        atomic_load_explicit(&desk->work_head, memory_order_acquire);

    while (head !=
           atomic_load_explicit(&desk->work_tail, memory_order_acquire)) {
        struct cst_task *task = atomic_load_explicit(
            &desk->work[head % CST_WORK_MAX], memory_order_relaxed);

        if (atomic_compare_exchange_weak_explicit(
                &desk->work_head, &head, head + 1, memory_order_acq_rel,
                memory_order_acquire))
            return task;
    }
    return NULL;
}

/*
 * Sleep until rung. The caller has called cst_desk_doze(), then looked for
 * anything to do once more. Returns at once if it was rung since.
 */
void cst_desk_sleep(struct cst_desk *desk);

/*
 * Say that this thread is about to sleep, and until when at the latest (wait
 * may be NULL); cst_desk_rouse() takes it back.
 */
void cst_desk_doze(struct cst_desk *desk, const struct cst_wait *wait);
void cst_desk_rouse(struct cst_desk *desk);

/*
 * The thread, which dozes, sleeps in another place, where ring(context) wakes
 * it, from any thread. False: it was rung since; look for what there is. Ends
 * with cst_desk_rouse().
 */
bool cst_desk_doze_elsewhere(struct cst_desk *desk, void (*ring)(void *context),
                             void *context);

/* Any thread: wake the desk's thread if it sleeps. */
void cst_desk_ring(struct cst_desk *desk);

/* Sit down at a desk where nobody is. Returns false if somebody is, or its core
   belongs to a task of several. */
bool cst_desk_sit(struct cst_desk *desk, enum cst_serves how);

/*
 * Leave the desk. Returns NULL, or the claim that the caller has not joined and
 * is to be counted for: then it has left all the same.
 */
struct cst_claim *cst_desk_leave(struct cst_desk *desk);

static inline bool cst_desk_is_asleep(struct cst_desk *desk)
{
    return atomic_load_explicit(&desk->asleep, memory_order_relaxed) != 0;
}

static inline bool cst_wait_over(const struct cst_wait *wait)
{
    return atomic_load_explicit(wait->word, memory_order_acquire) >=
           wait->value;
}

/* Any thread: does the desk's thread sleep though its wait is over? */
bool cst_desk_overslept(struct cst_desk *desk);

/* Sleep on a futex while it holds `value`, or wake everybody who does. */
void cst_futex_wait(_Atomic(uint32_t) *word, uint32_t value);
void cst_futex_wait_for(_Atomic(uint32_t) *word, uint32_t value, uint64_t ns);
void cst_futex_wake(_Atomic(uint32_t) *word);

/* Tell the processor that this is a spinning loop. */
static inline void cst_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield" ::: "memory");
#endif
}

#endif
