/* tell.c - why something failed, and what a person may want to know. */
#include "conn/conn.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void cst_conns_why(struct cst_conns *conns, const char *format, ...)
{
    char text[CST_NET_WHY_MAX];
    va_list list;

    /* Through a copy: conns->why may be one of the arguments. */
    va_start(list, format);
    (void)vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    memcpy(conns->why, text, sizeof(text));
}

void cst_conns_tell(struct cst_conns *conns, enum cst_tell what,
                    const char *format, ...)
{
    char text[CST_NET_WHY_MAX];
    va_list list;

    if (!conns->log || conns->told & (UINT32_C(1) << what))
        return;
    conns->told |= UINT32_C(1) << what;
    va_start(list, format);
    (void)vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    conns->log(conns->log_owner, text);
}
