/*
 * json.h - write JSON whatever the names are.
 *
 * For report and top.
 */
#ifndef CST_REPORT_JSON_H
#define CST_REPORT_JSON_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Write bytes as a JSON string, with its quotes. What is not UTF-8 becomes
 * U+FFFD, one for each byte. In a page of HTML nothing in it ends its script.
 */
void cst_report_json_string(FILE *file, const char *bytes, size_t size);

/* Write nanoseconds as microseconds, "12.345", exactly. */
void cst_report_json_us(FILE *file, uint64_t ns);

#endif
