/*
 * unit.h - one C file after preprocessing, and the pragmas in it.
 *
 * Layer: read. May include common.
 *
 * What the compiler's preprocessor gave becomes `text`:
 *   - #define and #undef lines are gone: they told what macros there are;
 *   - a line of the user's has its own white space again, as far as it is
 *     what stands in the file, so that columns are right;
 *   - a pragma that annotates a function is an empty line;
 *   - one that stands alone is a probe: a block statement that names its
 *     expressions, so that whoever parses the text learns their types.
 * Lines keep their numbers, by line markers.
 */
#ifndef CST_READ_UNIT_H
#define CST_READ_UNIT_H

#include "common/report.h"
#include "common/text.h"
#include "read/pragma.h"

#include <stdbool.h>
#include <stddef.h>

/* A stretch of text whose lines are numbered one after another. */
struct cst_run {
    size_t offset;
    const char *file;
    unsigned line;
    bool system; /* in a header of the system */
};

/* A pragma and where it stands in the text. */
struct cst_site {
    struct cst_pragma pragma;
    const char *file;
    unsigned line;
    bool system;
    bool header_seen; /* castell.h was included before it */
    size_t offset;    /* of its empty line, or of its probe */
    size_t size;      /* of the probe, without the end of its last line */
    size_t raw_start; /* in what the preprocessor gave */
};

struct cst_unit {
    struct cst_memory *memory;
    struct cst_report *report;
    const char *name; /* of the file, as on the command line */
    const char *raw;  /* what the preprocessor gave, with a 0 */
    size_t raw_size;
    struct cst_site *sites;
    size_t sites_count;
    bool sequential;   /* CASTELL_SEQUENTIAL is defined */
    size_t header_end; /* where the text goes on behind castell.h; 0: none */
    struct cst_text text;
    struct cst_run *runs;
    size_t runs_count;
};

/* Expands the macros of a text: returns what the preprocessor makes of it,
   which has to live as long as the unit. */
typedef const char *cst_unit_expand(void *owner, const struct cst_text *text);

/*
 * Find the pragmas in unit->raw and understand them. expand is called at most
 * once; NULL from it is an error that it has reported.
 */
void cst_unit_read(struct cst_unit *unit, cst_unit_expand *expand, void *owner);

/* Are there pragmas of ours in what the preprocessor gave? */
bool cst_unit_has_pragmas(const struct cst_unit *unit);

/* The place of a byte of unit->text, and whether it is in a system header. */
struct cst_place cst_unit_place(const struct cst_unit *unit, size_t offset);
bool cst_unit_is_system(const struct cst_unit *unit, size_t offset);

/* Add a line marker: what follows is on this line. Starts on a new line. */
void cst_unit_mark(struct cst_text *text, const char *file, unsigned line,
                   bool system);

/*
 * Add tokens in parentheses, the first at its own line and column, so that
 * whatever the compiler finds wrong with them is shown there. The text is then
 * in need of another marker.
 */
void cst_unit_add_tokens(struct cst_text *text, struct cst_tokens tokens,
                         bool system);

#endif
