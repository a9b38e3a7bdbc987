/*
 * container.h - run another program in a container and wait for it.
 *
 * Layer: body. May include base.
 *
 * Threads: any, many at once.
 */
#ifndef CST_BODY_CONTAINER_H
#define CST_BODY_CONTAINER_H

/* What castell_execute_in() of castell.h says; else as cst_execute(). */
int cst_execute_in(const char *image, const char *const *argv,
                   const char *const *paths, const char *in_path,
                   const char *out_path, const char *err_path);

#endif
