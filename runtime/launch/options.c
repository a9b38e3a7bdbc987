/*
 * Options of the command line, and the word that was meant.
 */
#include "base/fail.h"
#include "launch/launch_internal.h"

#include <string.h>

enum { WORD_MAX = 40, TOO_FAR = 99 };

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* The Damerau-Levenshtein distance, restricted: nothing is changed twice. */
uint32_t cst_word_distance(const char *a, const char *b)
{
    uint32_t rows[3][WORD_MAX + 1];
    size_t a_size = strlen(a);
    size_t b_size = strlen(b);

    if (a_size > WORD_MAX || b_size > WORD_MAX)
        return TOO_FAR;
    for (uint32_t k = 0; k <= b_size; k++)
        rows[0][k] = k;
    for (uint32_t i = 1; i <= a_size; i++) {
        uint32_t *row = rows[i % 3];
        const uint32_t *above = rows[(i + 2) % 3];
        const uint32_t *above_that = rows[(i + 1) % 3];

        row[0] = i;
        for (uint32_t k = 1; k <= b_size; k++) {
            row[k] = least(least(above[k], row[k - 1]) + 1,
                           above[k - 1] + (a[i - 1] != b[k - 1]));
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
                row[k] = least(row[k], above_that[k - 2] + 1);
        }
    }
    return rows[a_size % 3][b_size];
}

bool cst_word_is_near(const char *a, const char *b)
{
    return cst_word_distance(a, b) <= (strlen(b) > 5 ? 3U : 1U);
}

static enum castell_status refuse_unknown(const struct cst_option *options,
                                          const char *word, size_t length)
{
    const struct cst_option *nearest = NULL;
    uint32_t nearest_distance = TOO_FAR;
    char name[WORD_MAX + 1];

    if (word[1] == '-' && length - 2 <= WORD_MAX) {
        memcpy(name, word + 2, length - 2);
        name[length - 2] = '\0';
        for (const struct cst_option *o = options; o->name; o++) {
            uint32_t distance = cst_word_distance(name, o->name);

            /* What is only cut short is meant, however short. */
            if (length > 3 && strncmp(name, o->name, length - 2) == 0)
                distance = 0;
            if (distance < nearest_distance &&
                (distance == 0 || cst_word_is_near(name, o->name))) {
                nearest = o;
                nearest_distance = distance;
            }
        }
    }
    if (nearest)
        return cst_fail(CASTELL_ERR_INVALID,
                        "there is no option %.*s; did you mean --%s?",
                        (int)length, word, nearest->name);
    return cst_fail(CASTELL_ERR_INVALID,
                    "there is no option %.*s; --help lists what there is",
                    (int)length, word);
}

/* The option that a word such as --workers=3 or -n3 begins with. */
static const struct cst_option *find(const struct cst_option *options,
                                     const char *word, size_t length)
{
    for (const struct cst_option *o = options; o->name; o++) {
        if (word[1] != '-' && word[1] == o->letter)
            return o;
        if (word[1] == '-' && strlen(o->name) == length - 2 &&
            strncmp(word + 2, o->name, length - 2) == 0)
            return o;
    }
    return NULL;
}

/* One option at *argv, which moves on. */
static enum castell_status read_one(const struct cst_option *options,
                                    void *target, char ***argv)
{
    const char *word = *(*argv)++;
    size_t length = word[1] == '-' ? strcspn(word, "=") : 2;
    const struct cst_option *option = find(options, word, length);
    const char *value = word[length] == '=' ? word + length + 1 : word + length;
    char name[WORD_MAX + 3];

    if (!option)
        return refuse_unknown(options, word, length);
    memcpy(name, word, length);
    name[length] = '\0';
    if (!option->value) {
        if (word[length])
            return cst_fail(CASTELL_ERR_INVALID,
                            "%s takes no value, but got %s", name, value);
        return option->set(target, name, NULL);
    }
    if (!word[length]) {
        if (!**argv)
            return cst_fail(CASTELL_ERR_INVALID, "%s needs a value: %s %s",
                            name, name, option->value);
        value = *(*argv)++;
    }
    return option->set(target, name, value);
}

enum castell_status cst_options_read(const struct cst_option *options,
                                     void *target, char **argv,
                                     char ***ret_rest)
{
    enum castell_status status = CASTELL_OK;

    while (*argv && **argv == '-' && (*argv)[1]) {
        if (strcmp(*argv, "--") == 0) {
            argv++;
            break;
        }
        status = read_one(options, target, &argv);
        if (status < 0)
            return status;
    }
    *ret_rest = argv;
    return CASTELL_OK;
}

enum castell_status cst_options_read_all(const struct cst_option *options,
                                         void *target, char **argv,
                                         char ***ret_rest)
{
    char **to = argv;
    bool ends = false;

    *ret_rest = argv;
    while (*argv) {
        char **rest = argv;

        if (!ends && cst_options_read(options, target, argv, &rest) < 0)
            return CASTELL_ERR_INVALID;
        ends = ends || (rest > argv && strcmp(rest[-1], "--") == 0);
        argv = rest;
        if (*argv)
            *to++ = *argv++;
    }
    *to = NULL;
    return CASTELL_OK;
}
