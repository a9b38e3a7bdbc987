/*
 * lex.h - the tokens of C.
 *
 * Layer: read. May include common. Total: any bytes give tokens.
 */
#ifndef CST_READ_LEX_H
#define CST_READ_LEX_H

#include "common/report.h"

#include <stdbool.h>
#include <stddef.h>

enum cst_token_kind {
    CST_TOKEN_END = 0,
    CST_TOKEN_NAME,
    CST_TOKEN_NUMBER, /* a preprocessing number: 64MiB is one */
    CST_TOKEN_STRING,
    CST_TOKEN_CHARACTER,
    CST_TOKEN_PUNCTUATOR,
    CST_TOKEN_BAD, /* a string without end, or a byte that C does not know */
};

struct cst_token {
    enum cst_token_kind kind;
    bool spaced; /* white space stands before it */
    const char *text;
    size_t size;
    struct cst_place place;
};

/* Some neighbouring tokens. */
struct cst_tokens {
    struct cst_token *items;
    size_t count;
};

/*
 * Cut text into tokens, with a CST_TOKEN_END behind them that is not counted.
 * The text must have a 0 behind it. `start` is the place of its first byte. A
 * backslash before the end of a line continues it; an end of line that is not
 * continued ends the tokens, and so does a 0. Comments are white space, over
 * several lines too. The tokens point into text.
 */
struct cst_tokens cst_lex(struct cst_memory *memory, const char *text,
                          struct cst_place start);

/* Is the token this name or punctuator? */
bool cst_token_is(const struct cst_token *token, const char *text);

/* The tokens as text, with single blanks where there was white space. */
char *cst_tokens_text(struct cst_memory *memory, struct cst_tokens tokens);

/* From the first of these tokens to the last, if they are on one line. */
struct cst_place cst_tokens_place(struct cst_tokens tokens);

#endif
