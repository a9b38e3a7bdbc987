/*
 * pragma.h - what a #pragma castell says.
 *
 * Layer: read. May include common. Pure: tokens in, structs and reports out;
 * knows nothing of the function that follows. Total: any tokens give a pragma
 * or a report.
 */
#ifndef CST_READ_PRAGMA_H
#define CST_READ_PRAGMA_H

#include "common/report.h"
#include "read/lex.h"

#include <stdbool.h>
#include <stddef.h>

enum cst_pragma_kind {
    CST_PRAGMA_NONE = 0, /* it was wrong, which was reported */
    CST_PRAGMA_TASK,
    CST_PRAGMA_IMPLEMENTS,
    /* Stand-alone ones: */
    CST_PRAGMA_WAIT_ON,
    CST_PRAGMA_DELETE,
    CST_PRAGMA_CHECKPOINT,
    CST_PRAGMA_RESTORE,
    CST_PRAGMA_BARRIER,
    CST_PRAGMA_GROUP,
    CST_PRAGMA_WAIT_GROUP,
    CST_PRAGMA_CANCEL_GROUP,
};

enum cst_clause_kind {
    /* With sections: */
    CST_CLAUSE_IN = 0,
    CST_CLAUSE_OUT,
    CST_CLAUSE_INOUT,
    CST_CLAUSE_CONCURRENT,
    CST_CLAUSE_COMMUTATIVE,
    CST_CLAUSE_IN_DELETE,
    CST_CLAUSE_REDUCTION,
    CST_CLAUSE_COLLECTION_IN,
    CST_CLAUSE_COLLECTION_OUT,
    CST_CLAUSE_COLLECTION_INOUT,
    /* With names of parameters: */
    CST_CLAUSE_FILE_IN,
    CST_CLAUSE_FILE_OUT,
    CST_CLAUSE_FILE_INOUT,
    CST_CLAUSE_DIR_IN,
    CST_CLAUSE_DIR_OUT,
    CST_CLAUSE_DIR_INOUT,
    CST_CLAUSE_STDIN,
    CST_CLAUSE_STDOUT,
    CST_CLAUSE_STDERR,
    /* With one expression: */
    CST_CLAUSE_PRIORITY,
    CST_CLAUSE_DEADLINE,
    CST_CLAUSE_TIMEOUT,
    CST_CLAUSE_COST,
    CST_CLAUSE_IF,
    CST_CLAUSE_FINAL,
    /* Others: */
    CST_CLAUSE_CONSTRAINT,
    CST_CLAUSE_IMPLEMENTS,
    CST_CLAUSE_DEVICE,
    CST_CLAUSE_ON_FAILURE,
    CST_CLAUSE_LABEL,
    CST_CLAUSE_COMMAND,
    CST_CLAUSE_PROLOG,
    CST_CLAUSE_EPILOG,
    CST_CLAUSE_IMAGE,
    CST_CLAUSE_KERNEL,
    CST_CLAUSE_SOURCE,
    CST_CLAUSE_RANGE,
    CST_CLAUSE_LOCAL,
    CST_CLAUSE_ASYNC,
    CST_CLAUSE_REPLICATED,
    CST_CLAUSE_DISTRIBUTED,
    CST_CLAUSE_ISOLATED,
};

/* [lower:length], or an index [lower]. */
struct cst_dimension {
    struct cst_tokens lower; /* none: 0 */
    struct cst_tokens length;
    bool is_index;
    struct cst_place place; /* of the bracket */
};

/*
 * What stands in a clause for a region: head and then dimensions; `*head`
 * (is_element); or head alone.
 */
struct cst_section {
    struct cst_tokens head;   /* never empty */
    struct cst_tokens object; /* all before the first [lower:length] */
    bool is_element;
    struct cst_dimension *dimensions;
    size_t dimensions_count;
    struct cst_tokens element_count; /* of a collection, behind the ':' */
    struct cst_tokens all;
};

/* key = value in constraint(); item or item(value) in on_failure(); the path and
   the step in checkpoint(), both with a value alone. */
struct cst_item {
    struct cst_token key;
    struct cst_tokens value;
    bool has_value;
};

struct cst_clause {
    enum cst_clause_kind kind;
    struct cst_token name; /* of the clause */
    struct cst_tokens all; /* between its parentheses */
    struct cst_section *sections;
    size_t sections_count;
    struct cst_token operation; /* of a reduction */
    struct cst_item *items;
    size_t items_count;
};

struct cst_pragma {
    enum cst_pragma_kind kind;
    struct cst_place place; /* of the word after "castell" */
    struct cst_clause *clauses;
    size_t clauses_count;
    struct cst_tokens tokens;
};

/*
 * Understand the tokens behind "#pragma castell". `place` is where to point
 * when there are none. What is wrong is reported, all of it; then the kind is
 * CST_PRAGMA_NONE.
 */
void cst_pragma_parse(struct cst_memory *memory, struct cst_report *report,
                      struct cst_tokens tokens, struct cst_place place,
                      struct cst_pragma *ret_pragma);

/* Does it save or restore? */
bool cst_pragma_is_checkpoint(enum cst_pragma_kind kind);

/* Is it one of the stand-alone pragmas? */
bool cst_pragma_stands_alone(enum cst_pragma_kind kind);

/* Is this a word that starts a pragma or a clause? */
bool cst_pragma_is_word(const struct cst_token *token);

/* The first clause of that kind behind `after` (NULL: of all), or NULL. */
const struct cst_clause *cst_pragma_find(const struct cst_pragma *pragma,
                                         enum cst_clause_kind kind,
                                         const struct cst_clause *after);

/* Does the clause hold sections? Does it name parameters that are files? */
bool cst_clause_has_sections(enum cst_clause_kind kind);
bool cst_clause_is_collection(enum cst_clause_kind kind);
bool cst_clause_is_file(enum cst_clause_kind kind); /* or a directory */
bool cst_clause_is_directory(enum cst_clause_kind kind);

#endif
