#include "base/pages.h"

#include "base/fail.h"
#include "base/lock.h"
#include "base/memory.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

struct range {
    char *base;
    size_t size;
    size_t copied;                   /* of it, before it was pinned */
    struct cst_pages_pinner *pinner; /* NULL: it is not pinned */
    bool busy;    /* it is being pinned or unpinned; so it stays */
    bool refused; /* it cannot be pinned */
    bool stuck;   /* it could not be unpinned */
};

/* One for all, as the arena's lock is. */
static struct cst_lock lock;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct range *ranges; /* by address */
static size_t ranges_count;
static size_t ranges_max;
static _Atomic(uint32_t) pinners;
static size_t pinned;
static size_t limit;

/* ---- fork() -------------------------------------------------------------- */

static void before_fork(void) CST_UNCHECKED
{
    cst_lock_take(&lock);
}

static void after_fork(void) CST_UNCHECKED
{
    cst_lock_drop(&lock);
}

/* No driver of devices works in a child. */
static void begin_child(void) CST_UNCHECKED
{
    ranges_count = 0;
    pinned = 0;
    atomic_store(&pinners, 0);
    cst_lock_drop(&lock);
}

/*
 * Before Linux 5.12 a process that has forked and then writes to a pinned page
 * gets another page in its place, and the device keeps the old one.
 */
static bool survives_fork(void)
{
    struct utsname name;
    unsigned major = 0;
    unsigned minor = 0;

    return uname(&name) == 0 &&
           /* NOLINTNEXTLINE(cert-err34-c): what it cannot read stays 0 */
           sscanf(name.release, "%u.%u", &major, &minor) == 2 &&
           (major > 5 || (major == 5 && minor >= 12));
}

static size_t usual_limit(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page = sysconf(_SC_PAGESIZE);

    return pages > 0 && page > 0 && survives_fork()
               ? (size_t)pages / 2 * (size_t)page
               : 0;
}

static void init(void)
{
    cst_lock_init(&lock, CST_RANK_PAGES, "pages");
    limit = usual_limit();
    /* Without memory for that a child may find the lock taken for ever. */
    (void)pthread_atfork(before_fork, after_fork, begin_child);
}

void cst_pages_init(void)
{
    (void)pthread_once(&once, init);
}

/* ---- Ranges -------------------------------------------------------------- */

/* The first that ends behind this address. */
static size_t find_locked(const char *base)
{
    size_t low = 0;
    size_t high = ranges_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (ranges[middle].base + ranges[middle].size <= base)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The one that begins there, or NULL. */
static struct range *at_locked(const char *base)
{
    size_t at = find_locked(base);

    return at < ranges_count && ranges[at].base == base ? &ranges[at] : NULL;
}

static bool grow_locked(void)
{
    size_t most = ranges_max ? ranges_max * 2 : 16;
    struct range *more;

    if (ranges_count < ranges_max)
        return true;
    more = cst_realloc(ranges, most * sizeof(*ranges));
    if (!more)
        return false;
    ranges = more;
    ranges_max = most;
    return true;
}

void cst_pages_offer(void *base, size_t size)
{
    size_t at;

    if (size < CST_PAGES_MIN || atomic_load(&pinners) == 0)
        return;
    cst_lock_take(&lock);
    at = find_locked(base);
    /* Only what is stuck may still be there. */
    if ((at == ranges_count || (char *)base + size <= ranges[at].base) &&
        grow_locked()) {
        memmove(&ranges[at + 1], &ranges[at],
                (ranges_count++ - at) * sizeof(*ranges));
        ranges[at] = (struct range){.base = base, .size = size};
    }
    cst_lock_drop(&lock);
}

/* Others may move it, or take it away, whenever the lock is not held. */
static void unpin_locked(char *base) CST_UNCHECKED
{
    struct cst_pages_pinner *pinner;
    struct range *range;
    bool good;

    while ((range = at_locked(base)) && range->busy)
        (void)pthread_cond_wait(&changed, &lock.mutex);
    if (!range || !range->pinner)
        return;
    pinner = range->pinner;
    range->busy = true;
    cst_lock_drop(&lock);
    good = pinner->unpin(pinner, base);
    cst_lock_take(&lock);
    range = at_locked(base);
    range->busy = false;
    range->pinner = NULL;
    range->stuck = !good;
    range->refused = true;
    pinned -= range->size;
    (void)pthread_cond_broadcast(&changed);
}

static void remove_locked(size_t at)
{
    memmove(&ranges[at], &ranges[at + 1],
            (--ranges_count - at) * sizeof(*ranges));
    if (ranges_count > 0)
        return;
    cst_free(ranges);
    ranges = NULL;
    ranges_max = 0;
}

void cst_pages_withdraw(const void *base, size_t size)
{
    const char *from = base;
    const char *end = from + size;
    size_t at;

    if (size < CST_PAGES_MIN)
        return;
    cst_pages_init();
    cst_lock_take(&lock);
    while ((at = find_locked(from)) < ranges_count && ranges[at].base < end) {
        char *first = ranges[at].base;

        unpin_locked(first);
        at = find_locked(first);
        from = first + ranges[at].size;
        if (!ranges[at].stuck)
            remove_locked(at);
    }
    cst_lock_drop(&lock);
}

/* ---- Pinning ------------------------------------------------------------- */

static void pin_locked(struct cst_pages_pinner *pinner, size_t at) CST_UNCHECKED
{
    struct range range = ranges[at];
    bool good;

    ranges[at].busy = true;
    pinned += range.size; /* so that others do not go beyond the limit */
    cst_lock_drop(&lock);
    good = pinner->pin(pinner, range.base, range.size);
    cst_lock_take(&lock);
    at = find_locked(range.base);
    ranges[at].busy = false;
    ranges[at].refused = !good;
    ranges[at].pinner = good ? pinner : NULL;
    if (!good)
        pinned -= range.size;
    (void)pthread_cond_broadcast(&changed);
}

static enum cst_pages_kind kind_of(const struct range *range)
{
    if (range->pinner && !range->busy)
        return CST_PAGES_PINNED;
    /* What becomes pinned need not be waited for. */
    return range->busy || range->stuck ? CST_PAGES_PARTLY : CST_PAGES_PAGEABLE;
}

/* Is it to be pinned now? */
static bool is_worth_it(struct range *range, size_t size)
{
    if (range->pinner || range->busy || range->refused)
        return false;
    if (range->copied / CST_PAGES_COPIES >= range->size && pinned <= limit &&
        range->size <= limit - pinned)
        return true;
    if (range->copied / CST_PAGES_COPIES < range->size)
        range->copied += size;
    return false;
}

enum cst_pages_kind cst_pages_copy(struct cst_pages_pinner *pinner,
                                   const void *base, size_t extent, size_t size)
{
    const char *from = base;
    const char *end = from + extent;
    enum cst_pages_kind kind = CST_PAGES_PAGEABLE;
    size_t at;

    cst_pages_init();
    cst_lock_take(&lock);
    at = find_locked(from);
    if (at < ranges_count && ranges[at].base <= from &&
        end <= ranges[at].base + ranges[at].size) {
        if (is_worth_it(&ranges[at], size))
            pin_locked(pinner, at);
        kind = kind_of(&ranges[find_locked(from)]);
    } else {
        for (; at < ranges_count && ranges[at].base < end; at++)
            if (kind_of(&ranges[at]) != CST_PAGES_PAGEABLE)
                kind = CST_PAGES_PARTLY;
    }
    cst_lock_drop(&lock);
    return kind;
}

/* ---- Who pins ------------------------------------------------------------ */

void cst_pages_join(struct cst_pages_pinner *pinner)
{
    pinner->joined = true;
    cst_pages_init();
    (void)atomic_fetch_add(&pinners, 1);
}

void cst_pages_leave(struct cst_pages_pinner *pinner)
{
    if (!pinner->joined)
        return;
    pinner->joined = false;
    cst_lock_take(&lock);
    for (size_t i = 0; i < ranges_count;) {
        if (ranges[i].pinner == pinner) {
            unpin_locked(ranges[i].base);
            i = 0; /* they may have moved */
        } else {
            i++;
        }
    }
    (void)atomic_fetch_sub(&pinners, 1);
    cst_lock_drop(&lock);
}

void cst_pages_limit(size_t size)
{
    cst_pages_init();
    cst_lock_take(&lock);
    limit = size ? size : usual_limit();
    cst_lock_drop(&lock);
}

size_t cst_pages_pinned(void)
{
    size_t size;

    cst_pages_init();
    cst_lock_take(&lock);
    size = pinned;
    cst_lock_drop(&lock);
    return size;
}
