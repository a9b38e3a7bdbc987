/*
 * backtrace.h - the names of code addresses of this process.
 *
 * Layer: body. May include base.
 *
 * Threads: any.
 */
#ifndef CST_BODY_BACKTRACE_H
#define CST_BODY_BACKTRACE_H

#include <stdio.h>

/*
 * Load now what taking a backtrace needs, so that backtrace() is safe in a
 * handler of a signal later. Cheap when called again.
 */
void cst_backtrace_prepare(void);

/*
 * Print a line for each frame, innermost first, to a stream of the caller's:
 * the function, and file and line where the program has them (libdw is on this
 * machine, and the program was compiled with -g), else the object.
 * All frames but the first are return addresses.
 */
void cst_backtrace_print(FILE *stream, void *const *frames, int frames_count);

#endif
