/*
 * execute.h - run another program and wait for it.
 *
 * Layer: body. May include base.
 *
 * Threads: any, many at once.
 */
#ifndef CST_BODY_EXECUTE_H
#define CST_BODY_EXECUTE_H

/*
 * What castell_execute() of castell.h says: the exit status, 128 + the signal
 * that ended the program, or 127 when it could not be started. The last two
 * are also said on standard error, in one line that names the program and why;
 * the error text then says the same.
 */
int cst_execute(const char *const *argv, const char *in_path,
                const char *out_path, const char *err_path);

#endif
