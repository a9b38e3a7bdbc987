/*
 * unit_values.h - numbers with units: 64MiB, 10min, 500ms.
 *
 * Layer: check. May include common and read.
 */
#ifndef CST_CHECK_UNIT_VALUES_H
#define CST_CHECK_UNIT_VALUES_H

#include "common/report.h"
#include "common/text.h"
#include "read/lex.h"

#include <stdbool.h>

/* What an expression is a measure of; plain numbers are in the unit named. */
enum cst_measure {
    CST_MEASURE_COUNT = 0, /* no unit may be there */
    CST_MEASURE_SIZE,      /* bytes */
    CST_MEASURE_SECONDS,
    CST_MEASURE_MILLISECONDS,
    CST_MEASURE_NAME, /* no number */
};

/* Does each number have a unit that fits, or none? If not, that is said. */
bool cst_check_measure(struct cst_report *report, struct cst_tokens tokens,
                       enum cst_measure measure);

/*
 * The value of tokens that are one number, a '-' before it or not, without
 * its unit. False for anything else.
 */
bool cst_literal_value(struct cst_tokens tokens, double *ret_value);

/*
 * The same tokens, each number with a unit being written as the C expression
 * that means it.
 */
struct cst_tokens cst_without_units(struct cst_memory *memory,
                                    struct cst_tokens tokens,
                                    enum cst_measure measure);

#endif
