/*
 * utf8.h - which bytes are characters: names are the user's, and any bytes.
 *
 * Layer: trace.
 */
#ifndef CST_TRACE_UTF8_H
#define CST_TRACE_UTF8_H

#include <stddef.h>

/* What stands for a byte that is none: U+FFFD. */
#define CST_TRACE_UTF8_BAD "\xef\xbf\xbd"

/* The length of the character at bytes, of which there are size; 0: none. */
size_t cst_trace_utf8_length(const unsigned char *bytes, size_t size);

#endif
