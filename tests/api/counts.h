/*
 * counts.h - the one number of threads that OpenBLAS has for a whole process,
 * in its variant on its own threads: of the library, or of a stand-in.
 */
#ifndef CST_TEST_API_COUNTS_H
#define CST_TEST_API_COUNTS_H

#include <stdbool.h>

/* Make it part of the program; false, with the reason, where it is not here. */
bool counts_load(const char **ret_why);

/* The number in force now. */
int counts_now(void);

/* Compute something with as many threads; returns whether it is right. */
bool counts_compute(void);

#endif
