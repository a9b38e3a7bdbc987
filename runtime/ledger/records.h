/*
 * records.h - versions, copies, data and the records of tasks, as the rooms
 * ledger and plan share them.
 *
 * Layer: ledger.
 *
 * A version lives as long as something refers to it: a datum whose content it
 * is or lies at home, a record that reads or makes it, a version cut from it, a
 * copy, a wish. A copy lives as long as its version is needed. Whatever changes
 * one of these touches the version; cst_plan_settle(), at the end of each call
 * from outside, looks at all that were touched, drops what nobody needs, and
 * forgets what cannot be needed any more.
 */
#ifndef CST_LEDGER_RECORDS_H
#define CST_LEDGER_RECORDS_H

#include "ledger/ledger.h"
#include "ledger/pool.h"
#include "sched/ready.h"

/* ---- What there is ---------------------------------------------------- */

enum cst_copy_state {
    CST_COPY_MADE,    /* a task that was assigned to the node makes it */
    CST_COPY_SENT,    /* `from` was ordered to send it */
    CST_COPY_CUT,     /* it is there when its version's origin is */
    CST_COPY_PRESENT, /* it is there */
    CST_COPY_STRAY,   /* not expected; but orders that do not count any more may
                         still bring it there */
};

/* A version in, or on the way to, one node's memory. */
struct cst_copy {
    struct cst_version *version;
    struct cst_copy *next; /* of the version */
    struct cst_plan_node *node;
    struct cst_copy *before; /* of the node */
    struct cst_copy *after;
    struct cst_copy *stacked;
    struct cst_plan_node *from; /* SENT; NULL: nobody has it, for now */
    uint32_t pushes;            /* ordered of it */
    uint8_t state;              /* enum cst_copy_state */
    bool again;                 /* it was expected in another way before */
    bool consumed; /* by the task that reads it: no source for anything */
    bool home;     /* node 0: it is in main's memory, or will be */
    bool left;     /* ... and no datum says so any more: it is saved when
                      nothing overwrites it any more */
};

struct cst_version {
    uint64_t id;
    struct cst_region region;
    struct cst_datum *datum;          /* whose content it is or was; or NULL */
    struct cst_plan_record *producer; /* NULL: cannot be made again */
    struct cst_version *origin;       /* it was cut from; or NULL */
    struct cst_version *children;     /* cut from it, through sibling */
    struct cst_version *sibling;
    struct cst_copy *copies;
    struct cst_use *uses; /* by records, unfinished or kept */
    struct cst_version *touched;
    struct cst_version *stacked;
    struct cst_version *fed;
    struct cst_version *lost; /* the next that a dead node had */
    struct cst_version *poisoned_next;
    uint32_t refs;
    uint32_t readers; /* uses by unfinished records */
    uint32_t kept;    /* uses by finished ones */
    uint32_t wished;
    bool current; /* what its datum holds */
    bool leaf;    /* of a reduction that is not folded */
    bool poisoned;
    bool wants; /* it is needed and not durable, or a part of it is: it may have
                   to be made again */
    bool is_touched;
    bool is_stacked;
    bool is_lost;
};

/* One record reads one version. */
struct cst_use {
    struct cst_version *version;
    struct cst_plan_record *record;
    struct cst_use *before; /* of the version */
    struct cst_use *after;
    uint32_t access;
    bool consumed;
};

enum cst_record_state {
    CST_RECORD_WAITING, /* never placed: in plan->ready or plan->blocked */
    CST_RECORD_PLACED,  /* on a node, in its list */
    CST_RECORD_AGAIN,   /* to be placed again, in plan->again */
    CST_RECORD_KEPT,    /* it has run; in plan->kept */
};

struct cst_plan_records {
    struct cst_plan_record *first;
    struct cst_plan_record *last;
    size_t count;
};

struct cst_plan_output {
    struct cst_version *version;
    uint32_t access;
};

struct cst_plan_record {
    struct cst_plan_record *before; /* in the one list it is in */
    struct cst_plan_record *after;
    struct cst_plan_record *idle; /* the next that makes nothing */
    struct cst_task *task;
    uint64_t id;
    struct cst_plan_node *node;       /* PLACED */
    struct cst_plan_gang *gang;       /* PLACED, and its lead has its inputs */
    struct cst_plan_replica *replica; /* of replicated kinds */
    struct cst_use *uses;             /* by access, then by address */
    struct cst_plan_output *outputs;
    uint32_t uses_count;
    uint32_t outputs_count;
    uint32_t uses_max; /* until it is placed: what was reserved */
    uint32_t outputs_max;
    uint32_t attempt;
    uint32_t failures;
    uint32_t losses;
    uint32_t avoid; /* a node that it failed on, + 1 */
    uint32_t stays; /* a node that it was taken back from, + 1 */
    uint32_t goes;  /* a node that it was taken back for, + 1 */
    uint32_t cores;
    uint32_t nodes; /* that run it together; at least 1 */
    uint32_t flags; /* enum cst_plan_flags */
    uint64_t estimate_ns;
    uint64_t bytes; /* that it accesses */
    size_t size;    /* of this block */
    uint8_t state;  /* enum cst_record_state */
    uint8_t choice;
    bool ended;     /* ops->ended() was called */
    bool seen;      /* some of what it makes has come to another node, or main:
                       an attempt has run to its end, heard of or not */
    bool cancelled; /* if it has not started */
    bool recalled;  /* ops->recall() was */
    bool leaf;      /* has leaves of reductions */
};

/*
 * A record of a replicated kind: the original, or one that runs its body on a
 * given node, where nobody sees what it makes.
 */
struct cst_plan_replica {
    struct cst_plan_record *record;
    struct cst_plan_record *original; /* NULL: it is that */
    struct cst_plan_replica *next;    /* original: in plan->replicated */
    uint32_t pending; /* original: replicas that have not ended */
    uint32_t node;    /* where it runs; original: first, if that is there */
    bool gates;       /* its node has joined, and waits for it */
};

/* What one fragment, or one that is no more, holds. */
struct cst_datum {
    uint32_t number;
    uint32_t refs; /* the fragment, versions, pieces, wishes */
    struct cst_region region;
    struct cst_fragment *fragment; /* NULL: forgotten */
    struct cst_datum *parent; /* not looked at since it was cut from that */
    struct cst_datum *pieces; /* those, through sibling */
    struct cst_datum *sibling;
    struct cst_version *current; /* NULL: main's memory holds what counts */
    struct cst_version *home;    /* the last that lay, or will lie, there */
    struct cst_plan_entry *entries;
    struct cst_datum *before; /* those with a current version */
    struct cst_datum *after;
    uint64_t generation; /* when it was last sent home to bound records */
    bool filling;        /* ops->home() has been called for `home` */
    bool split;
    bool doomed; /* nobody will read it again, once it is not in use */
};

/* A datum that a wish wants at home. */
struct cst_plan_entry {
    struct cst_plan_wish *wish;
    struct cst_datum *datum;
    struct cst_version *version;
    struct cst_plan_entry *other; /* of the datum */
    bool done;
};

struct cst_plan_wish {
    void *user;
    struct cst_plan_wish *before;
    struct cst_plan_wish *after; /* in plan->granted as well */
    size_t size;                 /* of this block */
    size_t count;
    size_t pending;
    bool poisoned;
    struct cst_plan_entry entries[];
};

/* Nodes that run one task together, or are to. */
struct cst_plan_gang {
    struct cst_plan_gang *next; /* in plan->gangs, oldest first */
    struct cst_plan_record *record;
    size_t size;           /* of this block */
    uint32_t others_count; /* 0: they are not chosen */
    uint32_t berthed;
    bool broken;   /* one of them is lost */
    bool hopeless; /* there are not enough */
    uint32_t left; /* that can run it, when hopeless */
    struct cst_plan_node *others[];
};

struct cst_plan_node {
    uint32_t number;
    struct cst_plan_gang *gang;    /* that it is chosen for, or leads */
    struct cst_plan_replica *gate; /* the original that is to run there before
                                      anything else may */
    const struct cst_limits *limits;
    struct cst_copy *copies;
    struct cst_plan_records placed;
    uint64_t done;           /* attempts that it reported */
    bool is_new;             /* nothing was taken back for it: balance.c */
    bool drains;             /* it is to leave: drain.c */
    bool drained;            /* ops->drained() was called */
    bool lets_go;            /* also of replicated tasks */
    uint32_t looks;          /* at all copies, while it drains */
    uint32_t sending_then;   /* at the last of them */
    uint64_t work_ns;        /* of those that are placed, in core time */
    uint64_t incoming_bytes; /* SENT here */
    uint32_t cores_asked;    /* of those */
    uint32_t recalls;        /* not yet answered */
    uint32_t sending;        /* SENT from here */
    uint32_t at;             /* in plan->live */
};

/* Durations of one body for tasks of one size. */
enum { CST_PLAN_SAMPLES = 5 };
struct cst_plan_estimate {
    uint64_t samples[CST_PLAN_SAMPLES];
    uint64_t median;
    uint32_t count;
};

/* How long bytes take: the median of the last few. */
struct cst_plan_speed {
    double samples[9];
    double median;
    uint32_t count;
};

struct cst_plan_reduction {
    uint64_t key;
    struct cst_version **leaves; /* by number */
    size_t max;
    size_t count;
};

struct cst_plan {
    struct cst_plan_options options;
    const struct cst_plan_ops *ops;
    void *context;

    struct cst_plan_node **nodes; /* by number; NULL: not there */
    size_t nodes_max;
    struct cst_plan_node **live;
    size_t live_count;
    size_t turn; /* for those who go to the nodes in turn */
    struct cst_plan_node *home;

    struct cst_plan_pool versions;
    struct cst_plan_pool copies;
    struct cst_plan_pool datums;
    struct cst_plan_pool blocks[CST_BLOCK_CLASSES];
    size_t blocks_bytes; /* of those too large for a class */
    struct cst_plan_ids versions_by_id;
    struct cst_plan_ids records_by_id;
    struct cst_plan_ids datums_by_number;
    struct cst_plan_ids reductions;
    struct cst_plan_ids estimates;
    uint64_t version_ids;
    uint32_t datum_numbers;

    struct cst_ready ready;       /* WAITING */
    struct cst_task_list blocked; /* WAITING, and no node had room for them */
    size_t blocked_count;
    struct cst_plan_records again;
    struct cst_plan_records kept;
    struct cst_plan_gang *gangs;
    struct cst_plan_replica *replicated; /* originals, oldest first, for nodes
                                            that join */
    size_t replicated_count;
    uint64_t replica_ids;
    struct cst_datum *written;    /* datums with a current version */
    struct cst_plan_record *idle; /* they have run, and make nothing */
    struct cst_plan_wish *wishes;
    struct cst_plan_wish *granted; /* those for which all is at home */
    bool stalled; /* a wish waits for what happens in main's memory */
    struct cst_version *touched;
    struct cst_version *poison; /* poisoned, and their readers not told */
    uint64_t generation;        /* of checkpoints; 0: none was needed */
    uint64_t generation_left;   /* records until the next one */
    uint64_t unlooked;          /* records that ended since they were summed */
    uint64_t unlooked_bytes;    /* that they made */
    uint64_t looked_at;         /* those that were summed then */

    struct cst_plan_piece *pieces; /* of the assignment being made */
    struct cst_plan_access *accesses;
    size_t pieces_max;
    size_t accesses_max;

    struct cst_plan_speed bandwidth; /* ns a byte */
    struct cst_plan_speed latency;   /* ns */
    uint64_t now_ns;
    uint64_t waiting;
    uint64_t placed;
    uint64_t recomputed;
    uint64_t pushed_bytes;
    uint32_t draining;             /* nodes */
    bool failed;                   /* ops->lost() was called */
    bool poisoned_once;            /* some version is or was */
    bool any_new;                  /* see is_new of nodes */
    bool has_shrunk;               /* a node has left, and no other will come */
    const struct cst_limits *come; /* but perhaps such, ... */
    uint32_t come_open;            /* ... of which bit s says whether any may */

    /* A record leaves the plan: room plan's own part of that. */
    void (*released)(struct cst_plan *plan, struct cst_plan_record *record);
};

/* ---- version.c -------------------------------------------------------- */

struct cst_version *cst_version_create(struct cst_plan *plan,
                                       const struct cst_region *region,
                                       struct cst_datum *datum);
void cst_version_unref(struct cst_plan *plan, struct cst_version *version);
/* Something about it has changed: look at it before the call ends. */
void cst_version_touch(struct cst_plan *plan, struct cst_version *version);
bool cst_version_needed(const struct cst_version *version);
/* Would it survive the loss of any node? */
bool cst_version_durable(const struct cst_version *version);
struct cst_copy *cst_copy_find(const struct cst_version *version,
                               const struct cst_plan_node *node);
/* One that parts can be cut from, or NULL. */
struct cst_copy *cst_copy_whole(const struct cst_version *version);
struct cst_copy *cst_copy_add(struct cst_plan *plan,
                              struct cst_version *version,
                              struct cst_plan_node *node,
                              enum cst_copy_state state);
void cst_copy_remove(struct cst_plan *plan, struct cst_copy *copy);
/* One that is not there yet will come in another way; SENT: from nobody yet. */
void cst_copy_expect(struct cst_plan *plan, struct cst_copy *copy,
                     enum cst_copy_state state);
/* It is there, and so is what was cut from it. */
void cst_copy_present(struct cst_plan *plan, struct cst_copy *copy);
/* Is it, or will it be, there as things are? */
bool cst_copy_valid(const struct cst_copy *copy);
bool cst_version_has_copy(const struct cst_version *version);
/* ... that does not come by way of the node. */
bool cst_version_has_other(const struct cst_version *version,
                           const struct cst_plan_node *node);
/* Order one for the node unless it has one; see that a copy is reserved. */
void cst_version_fetch(struct cst_plan *plan, struct cst_version *version,
                       struct cst_plan_node *node);
/* Give those that expect it, or parts of it, from nobody a source, if there is
   one now. */
void cst_version_feed(struct cst_plan *plan, struct cst_version *version);
struct cst_plan_piece cst_version_piece(const struct cst_version *version);
/* Deal with all that was touched. */
void cst_plan_settle(struct cst_plan *plan);

/* ---- datum.c ---------------------------------------------------------- */

/* The fragment's datum, made if it has none: then one is to be reserved. */
struct cst_datum *cst_datum_of(struct cst_plan *plan,
                               struct cst_fragment *fragment);
/* NULL when it has none. */
struct cst_datum *cst_datum_find(const struct cst_plan *plan,
                                 struct cst_fragment *fragment);
/* See to it that it has its own versions, if it is a piece. */
CASTELL_MUST_CHECK enum castell_status
cst_datum_resolve(struct cst_plan *plan, struct cst_datum *datum);
/* What a task reads: main's memory becomes a version if there is none. */
struct cst_version *cst_datum_read(struct cst_plan *plan,
                                   struct cst_datum *datum);
void cst_datum_set_current(struct cst_plan *plan, struct cst_datum *datum,
                           struct cst_version *version);
void cst_datum_set_home(struct cst_plan *plan, struct cst_datum *datum,
                        struct cst_version *version);
/* Nobody will ask it any more: only its versions may keep it. */
void cst_datum_retire(struct cst_plan *plan, struct cst_datum *datum);
void cst_datum_unref(struct cst_plan *plan, struct cst_datum *datum);

/* ---- record.c ------------------------------------------------------- */

void cst_records_append(struct cst_plan_records *list,
                        struct cst_plan_record *record);
void cst_records_prepend(struct cst_plan_records *list,
                         struct cst_plan_record *record);
void cst_records_remove(struct cst_plan_records *list,
                        struct cst_plan_record *record);
struct cst_plan_record *cst_record_find(const struct cst_plan *plan,
                                        uint64_t id);
/* It has run, or will not; its uses are no unfinished ones any more. */
void cst_record_finish(struct cst_plan *plan, struct cst_plan_record *record);
/* It can not be wanted again. */
void cst_record_release(struct cst_plan *plan, struct cst_plan_record *record);
bool cst_mode_reads(uint8_t mode);
bool cst_mode_writes(uint8_t mode);
/* What it is a replica of; NULL: nothing. */
struct cst_plan_record *
cst_record_original(const struct cst_plan_record *record);
/* Has it run, and is kept for nodes that join? */
bool cst_record_retained(const struct cst_plan_record *record);

/* ---- copy.c ----------------------------------------------------------- */

/* A copy that was expected at a node will not be there, nor what was to be cut
   from it; what is read there comes from elsewhere. */
void cst_copy_unmake(struct cst_plan *plan, struct cst_copy *copy);
/* See to room for copies; false: no memory, and the plan has failed. */
bool cst_plan_copy_room(struct cst_plan *plan, size_t count);
/* Something is lost for good, or there is no memory: the run fails. */
void cst_plan_fail(struct cst_plan *plan, enum castell_status status,
                   const char *text);

/* ---- measure.c -------------------------------------------------------- */

/* How long a task of that kind and choice, with so many bytes, takes; *ret_count
   is the number of measures that this comes from. */
uint64_t cst_plan_estimate(const struct cst_plan *plan,
                           const struct cst_kind *kind, uint32_t choice,
                           uint64_t bytes, uint32_t *ret_count);
void cst_plan_release_estimates(struct cst_plan *plan);
void cst_plan_measured(struct cst_plan *plan, struct cst_plan_record *record,
                       uint64_t duration_ns);
void cst_plan_speed_add(struct cst_plan_speed *speed, double sample);

/* ---- home.c ----------------------------------------------------------- */

/* Save what is wanted of what lies there, but what is being written. */
void cst_datum_clear_home(struct cst_plan *plan, struct cst_datum *datum);
/* It may have been left in main's memory: save it. */
void cst_version_leave_home(struct cst_plan *plan, struct cst_version *version);
/* Go on with the wishes for what a datum holds. */
void cst_datum_grant(struct cst_plan *plan, struct cst_datum *datum);
/* ... with those that wait for others to leave main's memory. */
void cst_plan_grant_stalled(struct cst_plan *plan);
/* Tell those for whom all is there. */
void cst_plan_tell_granted(struct cst_plan *plan);
void cst_plan_drop_wishes(struct cst_plan *plan);

#endif
