/*
 * pages_test.c - what was copied often enough is pinned, once, within the
 * limit, and is not any more when its pages go.
 */
#include "base/memory.h"
#include "base/pages.h"
#include "harness/tap.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MIB = 1 << 20, RANGES = 12, STEPS = 20000, ROUNDS = 3000 };

/* Nothing is read or written there. */
static char *const there = (char *)((uintptr_t)1 << 40); /* NOLINT */

static int pins;
static int unpins;
static bool refuses;
static bool sticks;

static bool pin(struct cst_pages_pinner *pinner, void *base, size_t size)
{
    (void)pinner, (void)base, (void)size;
    pins++;
    return !refuses;
}

static bool unpin(struct cst_pages_pinner *pinner, void *base)
{
    (void)pinner, (void)base;
    unpins++;
    return !sticks;
}

static struct cst_pages_pinner first = {.pin = pin, .unpin = unpin};
static struct cst_pages_pinner second = {.pin = pin, .unpin = unpin};

/* Counts as if it were copied as often as it takes, but for once. */
static enum cst_pages_kind copy(const char *base, size_t size)
{
    return cst_pages_copy(&first, base, size, size * CST_PAGES_COPIES);
}

static void begin(void)
{
    pins = unpins = 0;
    refuses = sticks = false;
    cst_pages_limit((size_t)100 * MIB);
    cst_pages_join(&first);
}

static void end(const char *what)
{
    cst_pages_leave(&first);
    ok(cst_pages_pinned() == 0, "%s: nothing is pinned at the end", what);
    cst_pages_withdraw(there, (size_t)1000 * MIB);
}

static void test_when(void)
{
    enum cst_pages_kind at_first;

    cst_pages_offer(there, MIB);
    begin();
    (void)copy(there, MIB);
    ok(copy(there, MIB) == CST_PAGES_PAGEABLE && pins == 0,
       "what was offered before anybody could pin is not known");
    cst_pages_offer(there, MIB - 1);
    (void)copy(there, MIB - 1);
    ok(copy(there, MIB - 1) == CST_PAGES_PAGEABLE, "nor what is small");
    cst_pages_offer(there, (size_t)4 * MIB);
    for (int i = 0; i < 4; i++)
        ok(copy(there + i * MIB, MIB) == CST_PAGES_PAGEABLE && pins == 0,
           "copied so often it is not pinned");
    ok(copy(there + MIB, 7) == CST_PAGES_PINNED && pins == 1 &&
           cst_pages_pinned() == (size_t)4 * MIB,
       "then it is");
    ok(copy(there, (size_t)4 * MIB) == CST_PAGES_PINNED && pins == 1,
       "all of it, and once");
    ok(copy(there - 1, 2) == CST_PAGES_PARTLY &&
           copy(there + (size_t)4 * MIB - 1, 2) == CST_PAGES_PARTLY &&
           copy(there - 1, (size_t)9 * MIB) == CST_PAGES_PARTLY &&
           copy(there - 1, 1) == CST_PAGES_PAGEABLE &&
           copy(there + (size_t)4 * MIB, 1) == CST_PAGES_PAGEABLE,
       "what goes beyond it is so in part");
    cst_pages_withdraw(there, (size_t)4 * MIB);
    ok(unpins == 1 && copy(there, 1) == CST_PAGES_PAGEABLE,
       "it is not when it has gone");
    cst_pages_offer(there, MIB);
    at_first = copy(there, MIB);
    ok(at_first == CST_PAGES_PAGEABLE && copy(there, MIB) == CST_PAGES_PINNED &&
           pins == 2,
       "what lies there next begins anew");
    end("at its time");
}

static void test_refusals(void)
{
    begin();
    refuses = true;
    cst_pages_offer(there, MIB);
    for (int i = 0; i < 4; i++)
        ok(copy(there, MIB) == CST_PAGES_PAGEABLE, "it cannot be pinned");
    ok(pins == 1 && cst_pages_pinned() == 0, "that is tried once");
    refuses = false;
    cst_pages_limit((size_t)3 * MIB - 1);
    cst_pages_offer(there + MIB, MIB);
    cst_pages_offer(there + (size_t)2 * MIB, (size_t)2 * MIB);
    (void)copy(there + MIB, MIB);
    (void)copy(there + (size_t)2 * MIB, (size_t)2 * MIB);
    ok(copy(there + (size_t)2 * MIB, 1) == CST_PAGES_PINNED &&
           copy(there + MIB, 1) == CST_PAGES_PAGEABLE,
       "there is a limit");
    cst_pages_withdraw(there + (size_t)2 * MIB, (size_t)2 * MIB);
    ok(copy(there + MIB, 1) == CST_PAGES_PINNED, "until some goes");
    end("a limit");
}

/* The driver would not let go of it: what it does to copies of that memory is not
 * known. */
static void test_stuck(void)
{
    begin();
    sticks = true;
    cst_pages_offer(there, MIB);
    (void)copy(there, MIB);
    ok(copy(there, MIB) == CST_PAGES_PINNED, "it is pinned");
    cst_pages_withdraw(there, MIB);
    ok(copy(there, 1) == CST_PAGES_PARTLY, "it could not be unpinned");
    cst_pages_offer(there, (size_t)2 * MIB);
    ok(copy(there, (size_t)2 * MIB) == CST_PAGES_PARTLY && pins == 1,
       "nor can what lies there next");
    end("stuck");
}

static void test_two(void)
{
    begin();
    cst_pages_join(&second);
    for (int i = 0; i < 4; i++) {
        struct cst_pages_pinner *who = i % 2 ? &second : &first;

        cst_pages_offer(there + (size_t)(8 + i) * MIB, MIB);
        (void)cst_pages_copy(who, there + (size_t)(8 + i) * MIB, MIB,
                             (size_t)MIB * CST_PAGES_COPIES);
        (void)cst_pages_copy(who, there + (size_t)(8 + i) * MIB, MIB,
                             (size_t)MIB * CST_PAGES_COPIES);
    }
    ok(copy(there + (size_t)9 * MIB, MIB) == CST_PAGES_PINNED,
       "pinned by one is pinned for all");
    cst_pages_leave(&second);
    cst_pages_leave(&second);
    ok(unpins == 2 && copy(there + (size_t)9 * MIB, 1) == CST_PAGES_PAGEABLE &&
           copy(there + (size_t)8 * MIB, 1) == CST_PAGES_PINNED,
       "who leaves unpins its own");
    end("two");
}

static void test_fork(void)
{
    pid_t child;
    int status = 1;

    begin();
    cst_pages_offer(there + (size_t)20 * MIB, MIB);
    (void)copy(there + (size_t)20 * MIB, MIB);
    (void)copy(there + (size_t)20 * MIB, MIB);
    child = fork();
    if (child == 0) {
        bool none = copy(there + (size_t)20 * MIB, 1) == CST_PAGES_PAGEABLE &&
                    cst_pages_pinned() == 0;

        cst_pages_withdraw(there, (size_t)100 * MIB);
        _exit(none && unpins == 0 ? 0 : 1);
    }
    ok(child > 0 && waitpid(child, &status, 0) == child && status == 0,
       "a child has nothing pinned, and unpins nothing");
    ok(copy(there + (size_t)20 * MIB, 1) == CST_PAGES_PINNED, "its parent has");
    end("fork");
}

/* ---- By chance ----------------------------------------------------------- */

static struct {
    size_t size; /* 0: it is not offered */
    size_t copied;
    bool pinned;
} model[RANGES];

static void test_chance(void)
{
    uint64_t state = 7;
    int wrong = 0;

    begin();
    for (int i = 0; i < STEPS; i++) {
        uint32_t which, what;
        char *base;

        state = state * 6364136223846793005u + 1442695040888963407u;
        which = (uint32_t)(state >> 33) % RANGES;
        what = (uint32_t)(state >> 50) % 8;
        base = there + (size_t)(32 + which * 4) * MIB;
        if (model[which].size == 0) {
            model[which].size = (size_t)(1 + what % 4) * MIB;
            model[which].copied = 0;
            model[which].pinned = false;
            cst_pages_offer(base, model[which].size);
        } else if (what == 0) {
            cst_pages_withdraw(base, model[which].size);
            model[which].size = 0;
        } else {
            bool now = model[which].copied >= model[which].size;
            enum cst_pages_kind kind = copy(base + 5, MIB / 4 * what / 2);

            model[which].pinned = model[which].pinned || now;
            model[which].copied += MIB / 4 * what / 2;
            wrong += (kind == CST_PAGES_PINNED) != model[which].pinned;
        }
        wrong += pins - unpins < 0 || pins - unpins > RANGES;
    }
    ok(wrong == 0, "%d random steps, %d wrong", STEPS, wrong);
    end("by chance");
    ok(pins == unpins, "what was pinned was unpinned: %d, %d", pins, unpins);
}

/* ---- Threads ------------------------------------------------------------- */

static _Atomic(int) held[4]; /* pinned now, by whose it is */

static size_t which_of(const void *base)
{
    return (size_t)((const char *)base - there) / MIB / 8;
}

static bool pin_slowly(struct cst_pages_pinner *pinner, void *base, size_t size)
{
    (void)pinner, (void)size;
    (void)usleep(10);
    held[which_of(base)]++;
    return true;
}

static bool unpin_slowly(struct cst_pages_pinner *pinner, void *base)
{
    (void)pinner;
    (void)usleep(10);
    held[which_of(base)]--;
    return true;
}

static struct cst_pages_pinner slow = {.pin = pin_slowly,
                                       .unpin = unpin_slowly};
static _Atomic(int) strange;
static _Atomic(bool) over;

static void *use(void *argument)
{
    size_t who = *(const size_t *)argument;
    char *base = there + who * 8 * MIB;

    for (int i = 0; i < ROUNDS / 10; i++) {
        cst_pages_offer(base, (size_t)2 * MIB);
        for (int j = 0; j < 4; j++) {
            enum cst_pages_kind kind = cst_pages_copy(
                &slow, base, MIB, (size_t)MIB * CST_PAGES_COPIES);

            strange += kind == CST_PAGES_PINNED && held[who] != 1;
            strange += kind == CST_PAGES_PAGEABLE && j == 3;
        }
        cst_pages_withdraw(base, (size_t)2 * MIB);
        strange += held[who] != 0;
    }
    return NULL;
}

/* Looks at what others have. */
static void *look(void *argument)
{
    (void)argument;
    while (!over)
        for (int i = 0; i < 4; i++)
            (void)cst_pages_copy(&slow, there + (size_t)(i * 8) * MIB, 1, 0);
    return NULL;
}

static void test_threads(void)
{
    static const size_t numbers[] = {0, 1, 2, 3};
    pthread_t threads[5];

    begin();
    cst_pages_join(&slow);
    for (int i = 0; i < 4; i++)
        must(pthread_create(&threads[i], NULL, use,
                            (void *)(uintptr_t)&numbers[i]) == 0,
             "a thread");
    must(pthread_create(&threads[4], NULL, look, NULL) == 0, "a thread");
    for (int i = 0; i < 4; i++)
        (void)pthread_join(threads[i], NULL);
    over = true;
    (void)pthread_join(threads[4], NULL);
    cst_pages_leave(&slow);
    ok(strange == 0, "each sees its own pinned, and unpinned: %d do not",
       (int)strange);
    end("threads");
}

/* ---- Memory -------------------------------------------------------------- */

static void test_memory(void)
{
    begin();
    cst_alloc_fail_after(1);
    cst_pages_offer(there + (size_t)200 * MIB, MIB);
    cst_alloc_fail_after(0);
    (void)copy(there + (size_t)200 * MIB, MIB);
    ok(copy(there + (size_t)200 * MIB, MIB) == CST_PAGES_PAGEABLE,
       "without memory nothing is remembered");
    end("memory");
}

int main(void)
{
    test_memory();
    test_when();
    test_refusals();
    test_two();
    test_fork();
    test_chance();
    test_threads();
    test_stuck();
    return tap_done();
}
