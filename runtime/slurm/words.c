/* words.c - lists of words, and which of them sbatch may have from users. */
#include "slurm/words.h"

#include "base/fail.h"
#include "base/memory.h"
#include "slurm/slurm.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static bool make_room(struct cst_list *words)
{
    size_t capacity = words->capacity ? 2 * words->capacity : 16;
    char **list;

    if (words->bad)
        return false;
    if (words->count + 1 < words->capacity)
        return true;
    list = cst_realloc(words->list, capacity * sizeof(*list));
    words->bad = !list;
    if (!list)
        return false;
    words->list = list;
    words->capacity = capacity;
    return true;
}

void cst_list_add(struct cst_list *words, const char *format, ...)
{
    char *word = NULL;
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length >= 0 && make_room(words))
        word = cst_alloc((size_t)length + 1);
    words->bad = words->bad || !word;
    if (!word)
        return;
    va_start(arguments, format);
    (void)vsnprintf(word, (size_t)length + 1, format, arguments);
    va_end(arguments);
    words->list[words->count++] = word;
    words->list[words->count] = NULL;
}

void cst_list_release(struct cst_list *words)
{
    for (size_t i = 0; i < words->count; i++)
        cst_free(words->list[i]);
    cst_free(words->list);
    *words = (struct cst_list){0};
}

/* Copy one word to `word`, without its quotes; NULL: a quote has no end. */
static const char *read_word(const char *at, char *word)
{
    char quote = '\0';

    for (; *at && (quote || !strchr(" \t\n", *at)); at++) {
        if (quote ? *at == quote : (*at == '"' || *at == '\'')) {
            quote = quote ? '\0' : *at;
            continue;
        }
        if (*at == '\\' && quote != '\'' && at[1])
            at++;
        *word++ = *at;
    }
    *word = '\0';
    return quote ? NULL : at;
}

enum castell_status cst_list_split(const char *text, struct cst_list *ret_words)
{
    struct cst_list words = {0};
    char word[CST_SLURM_OPTIONS_MAX + 1];

    if (strlen(text) > CST_SLURM_OPTIONS_MAX)
        return cst_fail(CASTELL_ERR_INVALID,
                        "options of sbatch have at most %d letters",
                        CST_SLURM_OPTIONS_MAX);
    for (const char *at = text + strspn(text, " \t\n"); at && *at;) {
        at = read_word(at, word);
        if (at) {
            cst_list_add(&words, "%s", word);
            at += strspn(at, " \t\n");
        } else {
            cst_list_release(&words);
            return cst_fail(CASTELL_ERR_INVALID,
                            "a quote has no end in the options of sbatch: %s",
                            text);
        }
    }
    if (words.bad) {
        cst_list_release(&words);
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for options");
    }
    *ret_words = words;
    return CASTELL_OK;
}

/* sbatch takes every beginning of a name for the name. */
static bool is_option(const char *word, const char *name, char letter)
{
    size_t length = strcspn(word, "=");

    if (word[0] == '-' && word[1] != '-')
        return letter && word[1] == letter;
    return length > 3 && strncmp(word, name, length) == 0;
}

bool cst_list_has_option(const struct cst_list *words, const char *name,
                         char letter)
{
    for (size_t i = 0; i < words->count; i++)
        if (is_option(words->list[i], name, letter))
            return true;
    return false;
}

const char *cst_list_option(const struct cst_list *words, const char *name,
                            char letter)
{
    const char *value = NULL;

    for (size_t i = 0; i < words->count; i++) {
        const char *word = words->list[i];
        const char *equals = strchr(word, '=');

        if (!is_option(word, name, letter))
            continue;
        if (word[1] == '-' && equals)
            value = equals + 1;
        else if (word[1] != '-' && word[2])
            value = word + 2;
        else
            value = words->list[i + 1]; /* or the NULL at the end */
    }
    return value;
}

bool cst_list_names_memory(const struct cst_list *words)
{
    for (size_t i = 0; i < words->count; i++)
        if (strncmp(words->list[i], "--mem", 5) == 0)
            return true;
    return false;
}

bool cst_list_names_part(const struct cst_list *words)
{
    return cst_list_has_option(words, "--cpus-per-task", 'c') ||
           cst_list_has_option(words, "--ntasks", 'n') ||
           cst_list_has_option(words, "--exclusive", 0) ||
           cst_list_has_option(words, "--oversubscribe", 's') ||
           cst_list_has_option(words, "--mincpus", 0) ||
           cst_list_has_option(words, "--cpus-per-gpu", 0);
}

static enum castell_status check_word(const char *word, const char *before)
{
    /* What is ours to say, and what would make sbatch wait or do nothing. */
    static const struct {
        const char *name;
        char letter;
    } ours[] = {
        {"--nodes", 'N'},   {"--array", 'a'},   {"--job-name", 'J'},
        {"--wrap", 0},      {"--output", 'o'},  {"--error", 'e'},
        {"--input", 'i'},   {"--requeue", 0},   {"--wait", 'W'},
        {"--chdir", 'D'},   {"--test-only", 0}, {"--help", 'h'},
        {"--version", 'V'}, {"--usage", 0},     {"--ntasks-per-node", 0},
    };

    if (word[0] != '-') {
        if (before && before[0] == '-' && !strchr(before, '='))
            return CASTELL_OK;
        return cst_fail(CASTELL_ERR_INVALID,
                        "options of sbatch begin with -, \"%s\" does not",
                        word);
    }
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (is_option(word, ours[i].name, ours[i].letter))
            return cst_fail(CASTELL_ERR_INVALID,
                            "%s is not for you to say: each extra job is one "
                            "node with one worker",
                            word);
    return CASTELL_OK;
}

enum castell_status cst_slurm_check_options(const char *sbatch_options)
{
    enum castell_status status;
    struct cst_list words;

    for (const char *c = sbatch_options; *c; c++)
        if ((unsigned char)*c < ' ' && *c != '\t')
            return cst_fail(CASTELL_ERR_INVALID,
                            "options of sbatch stand in one line");
    status = cst_list_split(sbatch_options, &words);
    if (status != CASTELL_OK)
        return status;
    for (size_t i = 0; i < words.count && status == CASTELL_OK; i++)
        status = check_word(words.list[i], i > 0 ? words.list[i - 1] : NULL);
    cst_list_release(&words);
    return status;
}

enum castell_status cst_slurm_check_expansion(const char *sbatch_options)
{
    /* SLURM merges no job that has one of these; and only what is in the same
       partition. */
    static const struct {
        const char *name;
        char letter;
    } never[] = {
        {"--gres", 0},
        {"--gpus", 'G'},
        {"--gpus-per-node", 0},
        {"--gpus-per-task", 0},
        {"--gpus-per-socket", 0},
        {"--cpus-per-gpu", 0},
        {"--exclusive", 0},
        {"--partition", 'p'},
        {"--tres-per-task", 0},
        {"--clusters", 'M'},
        {"--dependency", 'd'},
    };
    enum castell_status status = cst_slurm_check_options(sbatch_options);
    struct cst_list words;

    if (status == CASTELL_OK)
        status = cst_list_split(sbatch_options, &words);
    if (status != CASTELL_OK)
        return status;
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        if (status == CASTELL_OK &&
            cst_list_has_option(&words, never[i].name, never[i].letter))
            status = cst_fail(CASTELL_ERR_INVALID,
                              "SLURM can make no job larger by nodes with %s: "
                              "such a class needs --grow=jobs",
                              never[i].name);
    cst_list_release(&words);
    return status;
}
