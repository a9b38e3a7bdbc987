/*
 * parse.h - read what a person wrote in an option or the environment.
 *
 * Layer: base.
 *
 * Every function here is total: any text gives a value or an error whose
 * sentence names the option, quotes the text and says what to write instead.
 * `name` is the option as the person knows it: "CASTELL_MEMORY", "--cores".
 *
 * Threads: any; the functions keep nothing.
 */
#ifndef CST_BASE_PARSE_H
#define CST_BASE_PARSE_H

#include "castell.h"

#include <stdint.h>

/*
 * The value of an environment variable, or NULL when it is unset or empty.
 * For use while the runtime starts: nothing of ours changes the environment,
 * and a program that does so meanwhile in another thread has a race anyway.
 */
const char *cst_parse_environment(const char *name);

/*
 * Read a size in bytes: a number, with up to three decimals when a unit
 * follows: B; KiB, MiB, GiB, TiB, PiB (powers of 1024), of which K to P are
 * short forms, as in SLURM; kB, MB, GB, TB, PB (powers of 1000). Upper and
 * lower case are the same, and blanks may stand behind the number.
 * Fails with CASTELL_ERR_INVALID.
 */
CASTELL_MUST_CHECK enum castell_status
cst_parse_size(const char *name, const char *text, uint64_t *ret_size);

/* Read a count from min to max. Fails with CASTELL_ERR_INVALID. */
CASTELL_MUST_CHECK enum castell_status
cst_parse_count(const char *name, const char *text, uint32_t min, uint32_t max,
                uint32_t *ret_count);

#endif
