/*
 * Rules of the arena: blocks are aligned and never overlap; a block that was
 * retired is known as such, all of it and nothing else, and is not given again
 * before it is released; misuse is refused with a sentence and changes
 * nothing; memory goes back to the system. By hand, then at random against a
 * list of the blocks there are, then by several threads.
 */
#include "base/arena.h"
#include "base/memory.h"
#include "harness/tap.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCKS_MAX = 400, STEPS = 20000, THREADS = 4, THREAD_STEPS = 3000 };

static unsigned random_next(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void *take(struct cst_arena *arena, size_t size)
{
    void *block = NULL;

    if (cst_arena_alloc(arena, size, &block) < 0)
        tap_bail(castell_error_text());
    return block;
}

static void give(struct cst_arena *arena, void *block)
{
    if (cst_arena_retire(arena, block, NULL) < 0)
        tap_bail(castell_error_text());
    cst_arena_release(arena, block);
}

static void test_life(struct cst_arena *arena, size_t size)
{
    size_t before = cst_arena_bytes(arena);
    char *block = take(arena, size);
    size_t said = 0;

    memset(block, 1, size);
    ok((uintptr_t)block % CST_ARENA_ALIGNMENT == 0, "%zu bytes are aligned",
       size);
    ok(cst_arena_owns(arena, block) && !cst_arena_owns(arena, &said),
       "the arena knows its memory");
    ok(!cst_arena_is_retired(arena, block, size),
       "a used block is not retired");
    must(cst_arena_retire(arena, block, &said) == CASTELL_OK, "it is retired");
    ok(said >= size, "its size is told");
    ok(cst_arena_is_retired(arena, block, size) &&
           cst_arena_is_retired(arena, block + size - 1, 1),
       "and known to be, to its end");
    ok(take(arena, size) != (void *)block, "and not given again");
    cst_arena_release(arena, block);
    ok(cst_arena_is_retired(arena, block, size),
       "nor to be named when released");
    block = take(arena, size);
    ok(!cst_arena_is_retired(arena, block, size), "before it is given again");
    ok(cst_arena_bytes(arena) >= before + 2 * size, "the bytes are counted");
    cst_arena_check(arena);
}

static void test_misuse(struct cst_arena *arena)
{
    char *small = take(arena, 100);
    char *large = take(arena, 100000);
    char *huge = take(arena, 9 << 20);
    char *const blocks[] = {small, large, huge};
    size_t said = 77;
    int local = 0;

    for (int i = 0; i < 3; i++) {
        ok(cst_arena_retire(arena, blocks[i] + 64, &said) ==
               CASTELL_ERR_INVALID,
           "inside of a block: %s", castell_error_text());
        ok(!cst_arena_is_retired(arena, blocks[i], 100), "changes nothing");
        ok(cst_arena_retire(arena, blocks[i], NULL) == CASTELL_OK, "freed");
        ok(cst_arena_retire(arena, blocks[i], &said) == CASTELL_ERR_INVALID,
           "freed twice: %s", castell_error_text());
        cst_arena_release(arena, blocks[i]);
        ok(cst_arena_retire(arena, blocks[i], &said) == CASTELL_ERR_INVALID,
           "and once more: %s", castell_error_text());
    }
    ok(cst_arena_retire(arena, &local, &said) == CASTELL_ERR_INVALID,
       "other memory: %s", castell_error_text());
    ok(cst_arena_retire(arena, (char *)arena->base + arena->size - 64, &said) ==
           CASTELL_ERR_INVALID,
       "what nobody got: %s", castell_error_text());
    ok(said == 77, "a refusal leaves its ret_ alone");
    cst_arena_check(arena);
}

/* A region that begins in a used block and ends in a retired one. */
static void test_spanning(struct cst_arena *arena)
{
    char *first = take(arena, 65536);
    char *second = take(arena, 65536);

    if (second < first) {
        char *swap = first;

        first = second;
        second = swap;
    }
    if (cst_arena_retire(arena, second, NULL) < 0)
        tap_bail("not retired");
    ok(!cst_arena_is_retired(arena, first, 65536), "the used one alone is not");
    ok(cst_arena_is_retired(arena, first, (size_t)(second - first) + 1),
       "a byte of a retired neighbour makes it so");
    cst_arena_release(arena, second);
    give(arena, first);
}

/* The rest of a block whose place a smaller one has taken is not the new one. */
static void test_leftover(void)
{
    struct cst_arena *arena = NULL;
    char *large, *small;

    must(cst_arena_create(64 << 20, &arena) == CASTELL_OK, "an arena");
    large = take(arena, 640 << 10);
    give(arena, large);
    small = take(arena, 100 << 10);
    ok(small == large, "a smaller block takes a released one's place");
    ok(!cst_arena_is_retired(arena, small, 100 << 10), "it may be named");
    ok(cst_arena_is_retired(arena, large + (320 << 10), 1),
       "and what is left of the old one not");
    ok(cst_arena_retire(arena, large + (320 << 10), NULL) ==
               CASTELL_ERR_INVALID &&
           strstr(castell_error_text(), "freed before"),
       "nor freed: %s", castell_error_text());
    cst_arena_destroy(arena);
}

static void test_limits(void)
{
    struct cst_arena *arena = NULL;
    void *block = &arena;
    int count = 0;

    must(cst_arena_create(64 << 20, &arena) == CASTELL_OK, "a small arena");
    ok(cst_arena_alloc(arena, (size_t)1 << 40, &block) == CASTELL_ERR_NO_MEMORY,
       "too much for it: %s", castell_error_text());
    ok(cst_arena_alloc(arena, SIZE_MAX, &block) == CASTELL_ERR_NO_MEMORY,
       "too much for anything");
    ok(block == (void *)&arena, "a refusal leaves its ret_ alone");
    while (cst_arena_alloc(arena, 1 << 20, &block) == CASTELL_OK && count < 99)
        count++;
    ok(count == 32, "32 blocks of 1 MiB in the half for them, not %d", count);
    while (cst_arena_alloc(arena, 60, &block) == CASTELL_OK)
        tap_bail("small blocks come from the same half");
    ok(cst_arena_alloc(arena, 32 << 20, &block) == CASTELL_OK,
       "and one of 32 MiB in the other");
    cst_arena_check(arena);
    cst_arena_destroy(arena);
    cst_arena_destroy(NULL);
}

/* Whether the system has a page for the address. */
static bool resident(const char *address)
{
    unsigned char vector = 0;
    char *page = (char *)((uintptr_t)address & ~(uintptr_t)4095);

    if (mincore(page, 1, &vector) != 0)
        tap_bail("mincore");
    return vector & 1;
}

static void test_return(struct cst_arena *arena)
{
    size_t size = (size_t)100 << 20;
    char *block = take(arena, size);

    memset(block, 1, size);
    ok(resident(block + size / 2), "100 MiB that were written are there");
    give(arena, block);
    ok(!resident(block + size / 2), "and go back to the system when released");
}

/* ---- at random, against a list ---- */

struct block {
    char *start;
    size_t size;
    unsigned char fill;
    bool retired;
};

struct model {
    struct block blocks[BLOCKS_MAX];
    int count;
    unsigned seed;
};

static size_t random_size(unsigned *seed)
{
    switch (random_next(seed) % 8) {
    case 0:
        return 1 + random_next(seed) % 300000;
    case 1:
        return (4 << 20) - 2 + random_next(seed) % 4000000;
    default:
        return random_next(seed) % 20000;
    }
}

/* Only the ends are written and looked at, so that it is quick. */
static void mark(const struct block *block)
{
    if (block->size == 0)
        return;
    block->start[0] = (char)block->fill;
    block->start[block->size - 1] = (char)block->fill;
}

static bool marked(const struct block *block)
{
    return block->size == 0 ||
           (block->start[0] == (char)block->fill &&
            block->start[block->size - 1] == (char)block->fill);
}

static bool overlaps(const struct model *model, const struct block *new)
{
    for (int i = 0; i < model->count; i++) {
        const struct block *block = &model->blocks[i];

        if (new->start < block->start + block->size &&
            block->start < new->start + new->size)
            return true;
    }
    return false;
}

static bool step(struct cst_arena *arena, struct model *model)
{
    struct block *block;
    bool right;

    if (model->count < BLOCKS_MAX && random_next(&model->seed) % 5 < 2) {
        block = &model->blocks[model->count];
        block->size = random_size(&model->seed);
        block->start = take(arena, block->size);
        block->fill = (unsigned char)random_next(&model->seed);
        block->retired = false;
        right = !overlaps(model, block);
        model->count++;
        mark(block);
        return right && !cst_arena_is_retired(arena, block->start, block->size);
    }
    if (model->count == 0)
        return true;
    block = &model->blocks[random_next(&model->seed) % (unsigned)model->count];
    right = marked(block) &&
            cst_arena_is_retired(arena, block->start, block->size) ==
                (block->retired && block->size > 0);
    if (!block->retired) {
        block->retired = true;
        return right &&
               cst_arena_retire(arena, block->start, NULL) == CASTELL_OK;
    }
    cst_arena_release(arena, block->start);
    *block = model->blocks[--model->count];
    return right;
}

static void test_random(void)
{
    struct model *model = calloc(1, sizeof(*model));
    struct cst_arena *arena = NULL;
    int wrong = 0;

    must(model && cst_arena_create(0, &arena) == CASTELL_OK, "an arena");
    model->seed = 1;
    for (int i = 0; i < STEPS; i++) {
        wrong += !step(arena, model);
        if (i % 64 == 0)
            cst_arena_check(arena);
    }
    ok(wrong == 0, "%d random steps, %d wrong", STEPS, wrong);
    while (model->count > 0) {
        struct block *block = &model->blocks[--model->count];

        if (!block->retired && cst_arena_retire(arena, block->start, NULL) < 0)
            tap_bail("not retired");
        cst_arena_release(arena, block->start);
    }
    ok(cst_arena_bytes(arena) == 0, "nothing is left");
    cst_arena_check(arena);
    cst_arena_destroy(arena);
    free(model);
}

struct thread_run {
    struct cst_arena *arena;
    unsigned seed;
    int wrong;
    atomic_bool over;
};

static void *run_thread(void *argument)
{
    struct thread_run *run = argument;
    struct block blocks[16] = {{0}};

    for (int i = 0; i < THREAD_STEPS; i++) {
        struct block *block = &blocks[random_next(&run->seed) % 16];

        if (block->start) {
            run->wrong +=
                !marked(block) ||
                (block->size > 0 &&
                 cst_arena_is_retired(run->arena, block->start, block->size));
            give(run->arena, block->start);
        }
        block->size = random_next(&run->seed) % 40000;
        block->start = take(run->arena, block->size);
        block->fill = (unsigned char)random_next(&run->seed);
        mark(block);
    }
    for (int i = 0; i < 16; i++) {
        if (blocks[i].start)
            give(run->arena, blocks[i].start);
    }
    return NULL;
}

static void test_threads(struct cst_arena *arena)
{
    struct thread_run runs[THREADS];
    pthread_t threads[THREADS];
    int wrong = 0;

    for (unsigned i = 0; i < THREADS; i++) {
        runs[i] = (struct thread_run){.arena = arena, .seed = i};
        if (pthread_create(&threads[i], NULL, run_thread, &runs[i]) != 0)
            tap_bail("no thread");
    }
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
        wrong += runs[i].wrong;
    }
    ok(wrong == 0, "%d threads at once", THREADS);
    cst_arena_check(arena);
}

/* Without memory there is an error, and the arena is as it was. */
static void test_no_memory(void)
{
    struct cst_arena *arena = NULL;
    void *blocks[3] = {NULL};
    uint64_t n = 1;

    for (;; n++) {
        enum castell_status status;

        cst_alloc_fail_after(n);
        status = arena ? CASTELL_OK : cst_arena_create(0, &arena);
        for (int i = 0; i < 3 && status == CASTELL_OK; i++) {
            if (!blocks[i])
                status =
                    cst_arena_alloc(arena, (size_t)200 << 8 * i, &blocks[i]);
        }
        if (status == CASTELL_OK)
            break;
        if (status != CASTELL_ERR_NO_MEMORY || cst_alloc_fail_pending())
            tap_bail("an allocation failed, and not that error");
        if (arena)
            cst_arena_check(arena);
    }
    cst_alloc_fail_after(0);
    ok(n > 4 && blocks[0] && blocks[1] && blocks[2],
       "each of %ju allocations may fail", (uintmax_t)n);
    cst_arena_destroy(arena);
}

static void *alloc_always(void *argument)
{
    struct thread_run *run = argument;

    while (!atomic_load(&run->over))
        give(run->arena, take(run->arena, random_next(&run->seed) % 40000));
    return NULL;
}

/* A child that is forked while another thread is at it can use the arena. */
static void test_fork(struct cst_arena *arena)
{
    struct thread_run run = {.arena = arena};
    pthread_t thread;
    int wrong = 0;

    if (pthread_create(&thread, NULL, alloc_always, &run) != 0)
        tap_bail("no thread");
    for (int i = 0; i < 200; i++) {
        int status = -1;
        pid_t child = fork();

        if (child == 0) {
            (void)alarm(10);
            give(arena, take(arena, 1000));
            cst_arena_check(arena);
            _exit(0);
        }
        wrong += waitpid(child, &status, 0) != child || status != 0;
    }
    atomic_store(&run.over, true);
    (void)pthread_join(thread, NULL);
    ok(wrong == 0, "the arena works in a child");
}

int main(void)
{
    static const size_t sizes[] = {
        1,     64,    65,    512,    513,     1000,          8192,
        16384, 16385, 65536, 100000, 4 << 20, (4 << 20) + 1, 9 << 20};
    struct cst_arena *arena = NULL;

    must(cst_arena_create(0, &arena) == CASTELL_OK, "an arena");
    ok(arena->size == CST_ARENA_RANGE, "of a tebibyte, if not sanitized");
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        test_life(arena, sizes[i]);
    ok(take(arena, 0) != take(arena, 0), "blocks of no bytes differ");
    test_misuse(arena);
    test_spanning(arena);
    test_return(arena);
    test_threads(arena);
    test_fork(arena);
    cst_arena_destroy(arena);
    test_no_memory();
    test_leftover();
    test_limits();
    test_random();
    return tap_done();
}
