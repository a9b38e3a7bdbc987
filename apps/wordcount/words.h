/*
 * words.h - count the words of a text; merge the counts of two.
 *
 * A word is as many letters as stand together, in lower case; a byte above 127
 * is a letter, so that UTF-8 is not torn apart. A table is a text file with one
 * line for each word, "COUNT WORD", in the order of the words' bytes.
 *
 * Any thread may call these. They return 0, or errno after saying in one
 * sentence on standard error what went wrong.
 */
#ifndef APPS_WORDCOUNT_WORDS_H
#define APPS_WORDCOUNT_WORDS_H

#include <stddef.h>

/* Count the words of a file. */
int words_count(const char *text_path, const char *table_path);

/* Add up two tables. */
int words_merge(const char *a_path, const char *b_path, const char *table_path);

/* Read a file to memory that the caller frees. */
int words_read(const char *path, char **ret_text, size_t *ret_size);

/* The first word at or after *at, in lower case from here on; moves *at behind
   it. Returns its length, 0 when there is none; it begins at *at - length. */
size_t words_next(char *text, size_t size, size_t *at);

#endif
