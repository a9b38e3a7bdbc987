/*
 * For builds without libdw.
 */
#include "body/names.h"

#include <stddef.h>

struct cst_names *cst_names_open(void)
{
    return NULL;
}

void cst_names_find(struct cst_names *names, uintptr_t address,
                    struct cst_name *ret_name)
{
    (void)names;
    (void)address;
    *ret_name = (struct cst_name){0};
}

void cst_names_close(struct cst_names *names)
{
    (void)names;
}
