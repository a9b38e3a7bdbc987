/*
 * text.h - text that grows.
 *
 * Layer: common. When there is no memory these functions end the program.
 */
#ifndef CST_COMMON_TEXT_H
#define CST_COMMON_TEXT_H

#include <stddef.h>

/* Start from {0}; bytes has a 0 behind it once something was added. */
struct cst_text {
    char *bytes;
    size_t size;
    size_t capacity;
};

void cst_text_add(struct cst_text *text, const char *bytes, size_t size);
void cst_text_string(struct cst_text *text, const char *string);
void cst_text_format(struct cst_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void cst_text_spaces(struct cst_text *text, size_t count);

/* As a C string literal, with its quotes. */
void cst_text_literal(struct cst_text *text, const char *string);

void cst_text_release(struct cst_text *text);

#endif
