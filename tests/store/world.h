/*
 * world.h - what the tests of store/ know of versions, and the owner that a
 * store has in them.
 */
#ifndef CST_TESTS_STORE_WORLD_H
#define CST_TESTS_STORE_WORLD_H

#include "store/store.h"

enum {
    BLOCKS = 6, /* beside one another, in rows of one matrix */
    ROWS = 3,
    WIDTH = 16,      /* of a block */
    PITCH = 1 << 13, /* so that several rows come from the system */
    VERSIONS = 1 << 14,
    JOBS = 12,
    STEPS = 6000,
    SENDS = 4096,
};

/* What the test knows of a version: its one byte everywhere. */
struct fact {
    uint32_t block;
    uint8_t value;
    bool here;     /* made, or arrived */
    bool coming;   /* somebody waits for it, and it must be received */
    bool gone;     /* no order may name it */
    uint32_t jobs; /* that read it */
    uint32_t sends;
};

struct job {
    struct cst_store_job *job;
    uint32_t first, count; /* blocks */
    bool fired;
    bool failed;
};

struct world {
    struct cst_store *store;
    uint64_t random;
    bool has_home;
    char *matrix; /* main's memory, or only its addresses */
    struct fact facts[VERSIONS];
    uint64_t next;
    uint64_t current[BLOCKS];
    uint64_t home[BLOCKS];    /* the version that lies there; 0: none */
    uint64_t filling[BLOCKS]; /* that is to come home */
    struct job jobs[JOBS];
    uint64_t sending[SENDS];
    struct cst_rows rows[SENDS];
    int sending_count;
    int wrong, fired, recalled;
};
extern struct world t;

uint32_t draw(uint32_t below);
struct cst_region region_of(uint32_t block, uint32_t count);
struct cst_piece piece_of(uint64_t version);
/* Has each byte of a block that value? */
bool is_all(const char *base, uint8_t value);
void fill(char *base, uint8_t value);
uint64_t new_version(uint32_t block);

/* A store with no home, and one with. */
extern const struct cst_store_ops away_ops;
extern const struct cst_store_ops home_ops;

#endif
