/*
 * pages.h - memory of the runtime's own that devices may pin.
 *
 * Layer: base.
 *
 * A device copies pinned memory several times as fast as other memory, and
 * without a thread that waits. But to pin costs as much as to copy once or more: so a
 * range is pinned when all of it was copied CST_PAGES_COPIES times, counted in
 * bytes, and what goes to a device and home once never is.
 *
 * Who has memory in whole pages (the arena, a node's store) offers it, and
 * withdraws it before the system gets its pages back: what is pinned then is not
 * any more. Who copies asks at each copy. At most half of the machine's memory
 * is pinned. A range that cannot be pinned is tried once. While nobody is there
 * who pins, nothing is remembered.
 *
 * Threads: any. One lock (CST_RANK_PAGES), which is not held while something is
 * pinned or unpinned. In a child of fork() nothing is offered or pinned.
 */
#ifndef CST_BASE_PAGES_H
#define CST_BASE_PAGES_H

#include <stdbool.h>
#include <stddef.h>

enum {
    CST_PAGES_MIN = 1 << 20, /* bytes; less is not worth it */
    CST_PAGES_COPIES = 2,
};

/*
 * These pages may be pinned from now on. They overlap nothing that is offered.
 * Less than CST_PAGES_MIN is not, nor what there is no memory to remember.
 */
void cst_pages_offer(void *base, size_t size);

/* All that was offered of these bytes is not any more, nor is it pinned. No
   copy of it is under way, or begun later. */
void cst_pages_withdraw(const void *base, size_t size);

/* Who pins; what one has pinned is pinned for all. False: it cannot. What cannot
   be unpinned counts as partly pinned for good, whatever lies there later. */
struct cst_pages_pinner {
    bool (*pin)(struct cst_pages_pinner *pinner, void *base, size_t size);
    bool (*unpin)(struct cst_pages_pinner *pinner, void *base);
    bool joined; /* ours */
};

/* From now on what is offered is remembered. Kept until cst_pages_leave(). */
void cst_pages_join(struct cst_pages_pinner *pinner);

enum cst_pages_kind {
    CST_PAGES_PAGEABLE, /* all */
    CST_PAGES_PINNED,   /* all, until it is withdrawn */
    CST_PAGES_PARTLY,   /* some of it */
};

/* Of `extent` bytes, `size` are to be copied; they may get pinned first. */
enum cst_pages_kind cst_pages_copy(struct cst_pages_pinner *pinner,
                                   const void *base, size_t extent,
                                   size_t size);

/* Unpin what this one has pinned; it is not called any more. One that has not
   joined may leave. */
void cst_pages_leave(struct cst_pages_pinner *pinner);

/* For tests: let so much be pinned, whatever the machine is; 0: as ever. */
void cst_pages_limit(size_t size);

/* Bytes that are pinned now. */
size_t cst_pages_pinned(void);

/* Before pthread_atfork() for a lock of a lower rank: they are taken backwards. */
void cst_pages_init(void);

#endif
