/*
 * check.h - from the pragmas of a unit to what they mean.
 *
 * Layer: check. May include common and read.
 */
#ifndef CST_CHECK_CHECK_H
#define CST_CHECK_CHECK_H

#include "check/model.h"

#include <stdbool.h>

struct cst_check_options {
    const char *const *flags; /* that change the language; NULL-terminated */
    bool warn_globals;        /* a body touches a variable that is not const */
    bool warn_pointers;       /* data with pointers in it */
    bool warn_addresses;      /* of task functions, taken */
    /* Ask the user's compiler whether the file is right; it shows its errors
       itself. Called when libclang found some. */
    bool (*confirm)(void *owner);
    void *owner;
};

/*
 * Check a unit that was read. Whatever is wrong is reported. Returns whether a
 * translation makes sense; *ret_model is then complete.
 */
bool cst_check(struct cst_unit *unit, const struct cst_check_options *options,
               struct cst_model *ret_model);

#endif
