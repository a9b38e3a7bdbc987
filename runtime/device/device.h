/*
 * device.h - one table of what an accelerator can do; its drivers fill it in.
 *
 * Layer: device. May include base, topo, data.
 *
 * cuda.c and opencl.c implement struct cst_device_ops, each by a library that is
 * loaded when the run starts, so one binary serves nodes with and without it.
 * Nothing outside of these files knows which is in use. The table knows nothing
 * of tasks, regions or versions: only memory, copies, queues and events.
 *
 * Words: a *driver* is the loaded library of one maker of devices; a *device* one
 *   accelerator, from open() to close(); *memory* a block of it; a *queue* does
 *   what is put in it one after the other; an *event* is over when all that was
 *   in its queue before it is done.
 * Threads: any thread may call any function, for different devices and for one,
 *   but close() and release() come last. What needs to be current in a thread (a
 *   context) each function makes current itself.
 * Failure: the status says who is hit, the error text is the device's words:
 *   CASTELL_ERR_NO_MEMORY    of the device; all goes on. Some may be freed.
 *   CASTELL_ERR_TASK_FAILED  what was in the queue before failed; the device
 *                            goes on.
 *   CASTELL_ERR_NODE_LOST    the device is lost: every later call fails so, but
 *                            free(), event_destroy() and close() still work.
 *   CASTELL_ERR_SYSTEM       this call was refused; nothing has changed.
 */
#ifndef CST_DEVICE_DEVICE_H
#define CST_DEVICE_DEVICE_H

#include "castell.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CST_DEVICE_NAME_SIZE = 128, CST_DEVICE_BUS_SIZE = 32 };

/* What a device says of itself. */
struct cst_device_info {
    char name[CST_DEVICE_NAME_SIZE];   /* "NVIDIA H200" */
    char bus[CST_DEVICE_BUS_SIZE];     /* "0000:3b:00.0", for its distance to
                                          NUMA nodes; "" when unknown */
    char version[CST_DEVICE_BUS_SIZE]; /* compute capability "9.0", OpenCL
                                          "3.0": a feature of the node */
    uint64_t memory;                   /* bytes in all */
    uint64_t allocation_max;           /* of one block of it */
    uint32_t units;                    /* multiprocessors, compute units */
    bool shares_memory; /* it is the host's processor or shares its memory */
};

enum { CST_DEVICE_LANES = 4 }; /* so many bodies share one at most */

/* Each in order; those of one device run beside one another. */
enum cst_device_queue {
    CST_DEVICE_RUN = 0, /* kernels: what bodies enqueue */
    CST_DEVICE_IN,      /* copies to the device, from host or peer */
    CST_DEVICE_OUT,     /* copies to the host */
    CST_DEVICE_LANE,    /* from here on: kernels of bodies that share it with
                           others; there once lane() was called */
    CST_DEVICE_QUEUES = CST_DEVICE_LANE + CST_DEVICE_LANES,
};

/* Rows of bytes, here and there. Of one row no pitch is read. */
struct cst_device_rows {
    void *memory;        /* of the device, as allocate() gave it */
    size_t offset;       /* in memory */
    size_t memory_pitch; /* from row to row in memory */
    void *host;
    size_t host_pitch;
    size_t size; /* of a row */
    size_t rows; /* >= 1 */
};

struct cst_device_ops {
    const char *name; /* "cuda": also the feature that a node with it has */
    enum castell_device kind;

    /*
     * Load the library and count the devices that the environment lets this
     * process use (CUDA_VISIBLE_DEVICES, which SLURM's GRES sets too). Where
     * there is no library, or it is too old: CASTELL_ERR_UNSATISFIABLE, with a
     * sentence that is kept for who asks for such a device. No device is no
     * failure: *ret_count is 0.
     */
    enum castell_status (*discover)(void **ret_driver, uint32_t *ret_count);
    void (*release)(void *driver);
    enum castell_status (*describe)(void *driver, uint32_t index,
                                    struct cst_device_info *ret_info);

    /* Begin and end to use a device: its context and its queues. */
    enum castell_status (*open)(void *driver, uint32_t index,
                                void **ret_device);
    void (*close)(void *device);

    /* Bytes that nobody has now, of this process or another. May be NULL, or
       fail: that is not known. */
    enum castell_status (*unused)(void *device, uint64_t *ret_size);

    /*
     * A block of device memory, aligned for any kernel. The pointer is what a
     * body gets in buffers[]: a CUdeviceptr, a cl_mem. free() may wait for what
     * is under way. Blocks are kept and reused: neither call is on a hot path.
     */
    enum castell_status (*allocate)(void *device, size_t size,
                                    void **ret_memory);
    void (*free)(void *device, void *memory);

    /*
     * Put a copy of rows in CST_DEVICE_IN or CST_DEVICE_OUT; return at once,
     * unless it is a short one of host memory that the driver wants to see to
     * first. How host memory gets fit to be copied fast is the driver's care
     * (base/pages.h). It must stay as it is until an event behind it.
     */
    enum castell_status (*copy_in)(void *device,
                                   const struct cst_device_rows *rows);
    enum castell_status (*copy_out)(void *device,
                                    const struct cst_device_rows *rows);

    /*
     * In CST_DEVICE_IN of `device`: copy from another device of this driver.
     * NULL, or CASTELL_ERR_SYSTEM: these two cannot; go through the host.
     */
    enum castell_status (*copy_peer)(void *device, void *memory, void *from,
                                     void *from_memory, size_t size);

    /* Make a lane, unless it is there. May be NULL, or fail: what was to be put
       there goes in CST_DEVICE_RUN. By one thread at a time. */
    enum castell_status (*lane)(void *device, enum cst_device_queue queue);

    /*
     * Put an event in a queue. *ret_event is valid until event_destroy(), also
     * while it is not over.
     */
    enum castell_status (*record)(void *device, enum cst_device_queue queue,
                                  void **ret_event);
    void (*event_destroy)(void *device, void *event);

    /* What is put in the queue from now on starts when the event, of this
       device or of another of this driver, is over. Does not block. */
    enum castell_status (*queue_wait)(void *device, enum cst_device_queue queue,
                                      void *event);

    /*
     * Is it over? And: block until it is. Several threads may. Fail as what is
     * said above; a kernel that failed before the event shows here.
     */
    enum castell_status (*event_query)(void *device, void *event,
                                       bool *ret_over);
    enum castell_status (*event_wait)(void *device, void *event);

    /* Nanoseconds from one event of a queue to a later one, both over; 0 where
       that is not known. May be NULL. */
    uint64_t (*event_elapsed_ns)(void *device, void *from, void *to);

    /*
     * Before and after a body, in its thread: what CUDA calls need to be
     * current. leave() also sends off what the body has put in the queue, and
     * fails as said above where a kernel could not be started.
     */
    enum castell_status (*enter)(void *device);
    enum castell_status (*leave)(void *device);

    /*
     * Wait for all that is in a queue: the last thing of a body that is not
     * `async`, and what is left where no event can be had. Fails as
     * event_wait().
     */
    enum castell_status (*finish)(void *device, enum cst_device_queue queue);
};

/* One of the devices of a body. */
struct cst_device_one {
    void *device;    /* as open() gave it */
    uint32_t number; /* among the node's devices, from 0 */
};

/*
 * What the calling thread's body runs on, for castell_cuda_stream() and the
 * like; NULL outside of bodies of devices.
 */
struct cst_device_here {
    const struct cst_device_ops *ops;
    struct cst_device_one now;         /* the one in use: it is entered */
    const struct cst_device_one *team; /* all; the first has the buffers */
    uint32_t team_count;
    enum cst_device_queue queue; /* for what it enqueues */
    const size_t *pitches;       /* by access, in bytes; rows are packed */
    uint32_t accesses_count;
};

const struct cst_device_here *cst_device_here(void);

/* `now` is kept until the next call, and castell_device_use() changes which it
   is; NULL: the body has ended. */
void cst_device_set_here(struct cst_device_here *now);

extern const struct cst_device_ops cst_device_cuda;
extern const struct cst_device_ops cst_device_opencl;

/* All, NULL-terminated: a device that two find is the first's. */
extern const struct cst_device_ops *const cst_device_drivers[];

#endif
