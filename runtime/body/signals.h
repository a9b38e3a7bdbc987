/*
 * signals.h - the names of signals, for messages.
 *
 * Layer: body. Pure.
 */
#ifndef CST_BODY_SIGNALS_H
#define CST_BODY_SIGNALS_H

/* "SIGSEGV (invalid memory reference)"; "an unnamed signal" for others. */
const char *cst_signal_text(int number);

#endif
