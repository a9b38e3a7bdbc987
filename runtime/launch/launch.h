/*
 * launch.h - what a process of a run is told by whoever started it.
 *
 * Layer: launch. May include base and topo. Knows nothing of tasks or messages.
 *
 * `castell run` makes a run directory, starts the user's program several times
 * and tells each process by the environment what it is. The directory is the
 * only thing that the launcher and the processes share: who may read it belongs
 * to the run. The launcher removes it when the run is over, and a process that
 * finds it gone has outlived its run.
 */
#ifndef CST_LAUNCH_LAUNCH_H
#define CST_LAUNCH_LAUNCH_H

/* ---- The environment of each process ----------------------------------- */

#define CST_LAUNCH_RUN_DIR "CASTELL_RUN_DIR" /* the run directory, mode 0700 */
#define CST_LAUNCH_ROLE    "CASTELL_ROLE"    /* "master", "worker" or "auto" */
#define CST_LAUNCH_WORKERS "CASTELL_WORKERS" /* how many workers are started */
#define CST_LAUNCH_CARRIER "CASTELL_CARRIER" /* auto, mpi, tcp; or fabric */
#define CST_LAUNCH_GANGS   "CASTELL_GANGS"   /* fresh or inside */
#define CST_LAUNCH_TASKS   "CASTELL_MASTER_TASKS" /* "1": the master runs tasks */
#define CST_LAUNCH_CORES   "CASTELL_CORES"        /* this process's executors */

/*
 * "1/4": it is the second of four processes with tasks on its node, and opens
 * that part of its devices; where they are fewer, it shares one.
 */
#define CST_LAUNCH_PART "CASTELL_DEVICE_PART"

/* The program `castell` itself, whose helper asks SLURM for more nodes. */
#define CST_LAUNCH_CASTELL "CASTELL_RUN_CASTELL"

/*
 * A directory in memory, on each node, that goes with the run: for shared
 * memory, sockets and the like.
 */
#define CST_LAUNCH_NODE_DIR "CASTELL_NODE_DIR"

/* ---- Files in the run directory ----------------------------------------- */

#define CST_LAUNCH_SECRET "secret" /* 32 random bytes, mode 0600 */
#define CST_LAUNCH_MASTER "master" /* where it listens; written by the master */
#define CST_LAUNCH_STATUS                                                      \
    "status" /* its exit status, decimal, when it is over;
                                      written by the master if it can */
#define CST_LAUNCH_PROCESS                                                     \
    "process." /* + start number: "HOST PID" of one that
                                         runs; 0 is the master */

#endif
