/*
 * fake_device.h - devices in main memory that do everything as late as they may.
 *
 * What is put in a queue is done only when somebody looks at an event, and then
 * in an order of chance among the queues; so a wait that is missing shows as
 * wrong data. A device can be told to be lost after some number of calls.
 *
 * One thread.
 */
#ifndef CST_TEST_FAKE_DEVICE_H
#define CST_TEST_FAKE_DEVICE_H

#include "device/device.h"

extern const struct cst_device_ops fake_ops;

enum { FAKE_DEVICES = 2 };

/* For all devices that are opened from now on: the seed of chance. */
void fake_begin(uint64_t seed);

/* Lose a device at its n-th call from now on; 0: never. */
void fake_lose_after(void *handle, uint32_t calls);

/* What a kernel does to block `n` of those that it was given. */
typedef void fake_kernel(unsigned char *const *blocks, const void *argument);

/* Put a kernel in the queue; the argument is copied, `blocks` too. */
void fake_launch(void *handle, fake_kernel *kernel, void *const *blocks,
                 uint32_t blocks_count, const void *argument,
                 size_t argument_size);

/* What a copy takes, from one event to the next; 0: it is not known. */
extern uint64_t fake_elapsed_ns;

/* Blocks that are allocated now, in all. */
uint32_t fake_blocks(void);

#endif
