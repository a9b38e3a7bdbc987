/*
 * pragma_internal.h - what the files of the pragma parser share.
 *
 * Layer: read.
 */
#ifndef CST_READ_PRAGMA_INTERNAL_H
#define CST_READ_PRAGMA_INTERNAL_H

#include "read/pragma.h"

struct cst_parser {
    struct cst_memory *memory;
    struct cst_report *report;
    struct cst_pragma *pragma;
    struct cst_tokens tokens;
    size_t at;
    bool failed;
};

void cst_parser_error(struct cst_parser *parser, const struct cst_token *at,
                      const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Do brackets match, and are all tokens those of C? If not, that is said. */
bool cst_parser_balanced(struct cst_parser *parser);

/* Where the bracket at `open` closes; tokens must be balanced. */
size_t cst_parser_close(struct cst_tokens tokens, size_t open);

/* The tokens from `start` up to but without `end`. */
struct cst_tokens cst_parser_part(struct cst_tokens tokens, size_t start,
                                  size_t end);

/*
 * Where, from `start` on, this punctuator is outside of brackets; the count
 * when it is not. A ':' that belongs to a '?' is passed over.
 */
size_t cst_parser_find(struct cst_tokens tokens, size_t start,
                       const char *punctuator);

/* Read a list of sections; each has a ": n" behind it in a collection. */
void cst_parser_sections(struct cst_parser *parser, struct cst_clause *clause,
                         struct cst_tokens tokens);

void cst_parser_add_section(struct cst_parser *parser,
                            struct cst_clause *clause,
                            struct cst_section section);
void cst_parser_add_item(struct cst_parser *parser, struct cst_clause *clause,
                         struct cst_item item);

#endif
