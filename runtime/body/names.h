/*
 * names.h - the function, file and line of a code address of this process.
 *
 * Layer: body. May include base.
 *
 * Owner: the thread that opened it. With libdw (names_libdw.c) also static
 * functions have names, and code compiled with -g has lines; libdw is loaded
 * when first needed. Else, and without libdw on the machine, nothing is found.
 */
#ifndef CST_BODY_NAMES_H
#define CST_BODY_NAMES_H

#include <stdint.h>

struct cst_names;

/* Each is NULL, or 0, where it is not known; valid until close. */
struct cst_name {
    const char *function;
    const char *file;
    int line;
};

/* NULL when there is nothing to look names up in. */
struct cst_names *cst_names_open(void);

void cst_names_find(struct cst_names *names, uintptr_t address,
                    struct cst_name *ret_name);

/* NULL is allowed. */
void cst_names_close(struct cst_names *names);

#endif
