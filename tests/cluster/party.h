/*
 * party.h - runs of several processes for tests: the test program itself is
 * every process, as castell run starts it, over TCP.
 */
#ifndef CST_TEST_CLUSTER_PARTY_H
#define CST_TEST_CLUSTER_PARTY_H

#include "castell.h"

#include <sys/types.h>

enum { PARTY_MAX = 64 };

struct party {
    char directory[64];
    int count;
    pid_t workers[PARTY_MAX];
};

/* In a worker: serve and do not return. Else nothing. Call it first. */
void party_attend(void);

/* Make a run directory and start workers of `cores` executors each; this
   process is then the master, once it calls castell_start_with(). */
void party_begin(struct party *party, int workers, int cores, int master_cores);

/* One more worker. */
void party_add(struct party *party, int cores);

/* After castell_stop(): wait for the workers. Returns how many ended badly. */
int party_end(struct party *party);

#endif
