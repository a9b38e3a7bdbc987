/*
 * words.h - lists of words, as of a command, and the options for sbatch.
 *
 * Layer: slurm, private. Pure.
 */
#ifndef CST_SLURM_WORDS_H
#define CST_SLURM_WORDS_H

#include "castell.h"

#include <stdbool.h>
#include <stddef.h>

/* list is NULL-terminated when there are any. Empty when all is zero. */
struct cst_list {
    char **list;
    size_t count;
    size_t capacity;
    bool bad; /* there was no memory for a word */
};

void cst_list_add(struct cst_list *words, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void cst_list_release(struct cst_list *words);

/*
 * Cut a text in words as a shell does: blanks between, quotes of both kinds, a
 * backslash. Fails with CASTELL_ERR_INVALID (a quote without its end) or
 * CASTELL_ERR_NO_MEMORY; then there is nothing to release.
 */
CASTELL_MUST_CHECK enum castell_status
cst_list_split(const char *text, struct cst_list *ret_words);

/* Is one of the words that option of sbatch: "--mem", or 'c' for -c? */
bool cst_list_has_option(const struct cst_list *words, const char *name,
                         char letter);

/* What is said of it, where it was said last; NULL: nothing. */
const char *cst_list_option(const struct cst_list *words, const char *name,
                            char letter);

/* Do they say how much memory; or make a part of a node out of it? */
bool cst_list_names_memory(const struct cst_list *words);
bool cst_list_names_part(const struct cst_list *words);

#endif
