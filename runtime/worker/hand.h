/*
 * hand.h - what the thread of a device has at hand.
 *
 * Layer: worker, private.
 *
 * A few tasks at one time. Each has acquired its copies or not, and is launched
 * or not; none acquires before all older ones have. So the oldest gets what the
 * device has, sooner or later, and what has its copies needs nothing else to
 * end.
 *
 * Owner: the thread.
 */
#ifndef CST_WORKER_HAND_H
#define CST_WORKER_HAND_H

#include "depot/depot.h"
#include "worker/worker_internal.h"

enum {
    CST_AT_HAND = 6,      /* tasks */
    CST_LAUNCHED_MAX = 3, /* of them: the device has the next when one ends */
    CST_HOW_SIZE = 384,
};

enum cst_stage {
    CST_STAGE_NONE = 0,
    CST_STAGE_TAKEN,    /* from the desk */
    CST_STAGE_ACQUIRED, /* its copies are there, or on their way */
    CST_STAGE_LAUNCHED, /* its body has returned */
};

struct cst_at_hand {
    enum cst_stage stage;
    struct cst_task *task;
    uint32_t uses_max;
    struct cst_depot_use *uses; /* by access */
    void **buffers;
    size_t *pitches;
    void *event;    /* LAUNCHED: it is over then; NULL: it is over */
    uint32_t share; /* of the device, in thousandths; 0: all */
    uint32_t lane;  /* LAUNCHED, and it shares */
    enum cst_device_queue queue; /* LAUNCHED: of what it has enqueued */
    uint64_t begin_ns;
    struct cst_depot_told ran;
    bool begun; /* LAUNCHED: its body was called */
    bool told;  /* LAUNCHED: the trace was, that it has started */
    bool left;  /* LAUNCHED: by another of its devices, which is lost */
    uint32_t tries;
    enum castell_status status; /* LAUNCHED: what is known already */
    char how[CST_HOW_SIZE];
};

struct cst_hand {
    struct cst_self *self;
    struct cst_depot *depot;
    struct cst_depot_device *device;
    struct cst_at_hand ring[CST_AT_HAND]; /* the oldest at `first` */
    uint32_t first;
    uint32_t count;
    uint32_t launched;
    uint32_t sharing;  /* of them, those that share the device */
    uint32_t shares;   /* what they have of it */
    uint32_t lanes;    /* that they use: a bit for each */
    uint64_t ended_ns; /* of the last that was over */
};

static inline struct cst_at_hand *cst_hand_nth(struct cst_hand *hand,
                                               uint32_t n)
{
    return &hand->ring[(hand->first + n) % CST_AT_HAND];
}

/* device.c: has that access no copy? And its region. */
bool cst_hand_is_passed(const struct cst_task *task,
                        const struct cst_access *access, uint32_t i);
void cst_hand_region(const struct cst_access *access,
                     struct cst_region *ret_region);

/* share.c: is as much of the device left? Hold it; give it back. */
bool cst_hand_may_launch(const struct cst_hand *hand,
                         const struct cst_at_hand *at);
void cst_share_take(struct cst_hand *hand, struct cst_at_hand *at);
void cst_share_drop(struct cst_hand *hand, const struct cst_at_hand *at);
/* Choose at->queue, where what the body enqueues waits for what was to come for
   it; where no lane can be had that is CST_DEVICE_RUN. */
CASTELL_MUST_CHECK enum castell_status cst_share_use(struct cst_hand *hand,
                                                     struct cst_at_hand *at);

/* device.c: from one stage to the next. False: not before something ends. */
bool cst_hand_acquire(struct cst_hand *hand, uint32_t n);
void cst_hand_launch(struct cst_hand *hand, struct cst_at_hand *at);
bool cst_hand_is_over(struct cst_hand *hand, struct cst_at_hand *at);
void cst_hand_complete(struct cst_hand *hand, uint32_t n);

#endif
