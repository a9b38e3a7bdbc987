/*
 * side.h - one process of a run, for tests of net: an owner that notes what it
 * is told, and processes that are forked to be workers.
 */
#ifndef CST_TEST_NET_SIDE_H
#define CST_TEST_NET_SIDE_H

#include "net/net.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { SIDE_PEERS = 2048 };

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

struct side {
    struct cst_net *net;
    struct cst_net_owner owner;
    void *user;

    uint32_t joined; /* so many times */
    uint32_t gone;
    uint32_t there; /* joined and not gone */
    uint32_t last_joined;
    uint32_t last_gone;
    enum cst_net_end last_end;
    char last_why[CST_NET_WHY_MAX];
    bool is_over;
    enum cst_net_over over;
    uint64_t messages;
    uint64_t sent;
    uint64_t not_sent;
    uint64_t dropped;
    uint32_t logged;
    char last_log[CST_NET_WHY_MAX];
    char log[4096]; /* all of it, a line each */
    bool refuse_all;
    uint8_t state[SIDE_PEERS]; /* 0, 1 joined, 2 gone */
    uint32_t errors;           /* what was told out of order */
};

/* The directory of a run, with a secret. */
char *side_directory(void);
void side_remove(char *directory);

/* An owner that counts; the table may be changed before opening. */
void side_init(struct side *side);

/* Quick heartbeats, and this directory. */
struct cst_net_options side_options(const char *directory);

/* Poll and sleep until *word >= value, or so many ms have passed. */
bool side_until(struct side *side, const uint32_t *word, uint32_t value,
                uint32_t ms);
bool side_until64(struct side *side, const uint64_t *word, uint64_t value,
                  uint32_t ms);

/* Poll and sleep for that long. */
void side_run(struct side *side, uint32_t ms);

/* One poll, or a sleep of at most 10 ms when there is nothing. */
void side_step(struct side *side);

/*
 * Fork a process that runs `work` and exits with what it returns; 99 when it
 * takes longer than 150 s.
 */
pid_t side_fork(int (*work)(const char *directory, void *argument),
                const char *directory, void *argument);

/* Its exit status, 128 + the signal that ended it, or -1 after so many ms. The
   master polls meanwhile when `side` is not NULL. */
int side_reap(struct side *side, pid_t pid, uint32_t ms);

/* The byte at that offset of what `seed` makes. */
uint8_t side_byte(uint32_t seed, size_t offset);

/* Fill rows with bytes that `seed` makes, or check that they are these. */
bool side_rows(const struct cst_rows *rows, uint32_t seed, bool fill);

/* From now on nobody of no more rights than ours may read our memory, nor we
   that of others. */
void side_guard(void);

/* How many descriptors are open. */
uint32_t side_descriptors(void);

#endif
