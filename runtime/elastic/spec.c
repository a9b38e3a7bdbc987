#include "elastic/spec.h"

#include "base/fail.h"
#include "base/parse.h"
#include "elastic/elastic.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char how[] =
    "a class of nodes is written \"NAME: OPTIONS; max N\", with options of "
    "sbatch, as in \"gpu: --gres=gpu:1; max 4\"";

/* ---- The parts --------------------------------------------------------------- */

/* Text without blanks at its ends; false: it is too long. */
static bool copy(char *to, size_t size, const char *from, const char *end)
{
    while (from < end && isspace((unsigned char)*from))
        from++;
    while (end > from && isspace((unsigned char)end[-1]))
        end--;
    if ((size_t)(end - from) >= size)
        return false;
    memcpy(to, from, (size_t)(end - from));
    to[end - from] = '\0';
    return true;
}

static bool is_name(const char *name)
{
    return *name && name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
                                      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789-_.")] == '\0';
}

/* "max 4" behind the last semicolon, or comma; else the end of the text. */
static enum castell_status read_max(const char *text, uint32_t *ret_max,
                                    const char **ret_end)
{
    const char *at = strrchr(text, ';');
    const char *comma = strrchr(text, ',');
    const char *word;

    *ret_end = text + strlen(text);
    if (comma && (!at || comma > at)) {
        word = comma + 1 + strspn(comma + 1, " \t");
        if (strncmp(word, "max ", 4) == 0)
            at = comma;
    }
    if (!at)
        return CASTELL_OK;
    word = at + 1 + strspn(at + 1, " \t");
    if (strncmp(word, "max ", 4) != 0)
        return cst_fail(CASTELL_ERR_INVALID, "\"%s\" is not \"max N\": %s",
                        word, how);
    word += 4 + strspn(word + 4, " \t");
    *ret_end = at;
    return cst_parse_count("max", word, 1, CST_ELASTIC_NODES_MAX, ret_max);
}

/* ---- What the options say ------------------------------------------------------ */

/* Minutes, as SLURM reads times: M, M:S, H:M:S, D-H, D-H:M, D-H:M:S. */
static uint32_t read_minutes(const char *text)
{
    const char *dash = strchr(text, '-');
    unsigned long parts[3] = {0};
    unsigned long days = dash ? strtoul(text, NULL, 10) : 0;
    const char *at = dash ? dash + 1 : text;
    int count = 0;
    char *end;

    do {
        parts[count++] = strtoul(at, &end, 10);
        at = end + 1;
    } while (*end == ':' && count < 3);
    if (dash)
        return (uint32_t)(days * 1440 + parts[0] * 60 + parts[1]);
    if (count == 3)
        return (uint32_t)(parts[0] * 60 + parts[1]);
    return (uint32_t)parts[0];
}

static uint64_t read_memory(const char *text)
{
    static const char units[] = "KMGT";
    char *end;
    uint64_t size = strtoull(text, &end, 10);
    const char *unit =
        *end ? strchr(units, toupper((unsigned char)*end)) : units + 1;

    return unit ? size << (10 * (unit - units + 1)) : size;
}

/* "gpu", "gpu:2", "gpu:a100:2", "a100:2", "2". */
static uint32_t read_gpus(const char *text)
{
    const char *last = strrchr(text, ':');
    const char *number = last ? last + 1 : text;
    unsigned long count = strtoul(number, NULL, 10);

    return count > 0 && count < 1000 ? (uint32_t)count : 1;
}

static void read_features(char *to, const char *text)
{
    size_t used = strlen(to);

    if (used > 0 && used + 1 < CST_ELASTIC_FEATURES_SIZE)
        to[used++] = ',';
    for (; *text && used + 1 < CST_ELASTIC_FEATURES_SIZE; text++) {
        to[used++] = strchr("&|[]()", *text) ? ',' : *text;
    }
    to[used] = '\0';
}

/* sbatch takes every beginning of a long name for the name. */
static bool is_called(const char *word, const char *name, const char *letter)
{
    enum { LONG_ENOUGH = 5 };
    size_t length = strlen(word);

    return strcmp(word, name) == 0 || strcmp(word, letter) == 0 ||
           (length >= LONG_ENOUGH && strncmp(word, name, length) == 0);
}

static void read_option(struct cst_elastic_spec *spec, const char *name,
                        const char *value)
{
    if (is_called(name, "--time", "-t"))
        spec->minutes = read_minutes(value);
    else if (is_called(name, "--cpus-per-task", "-c"))
        spec->cores = (uint32_t)strtoul(value, NULL, 10);
    else if (strcmp(name, "--mem") == 0)
        spec->memory = read_memory(value);
    else if ((is_called(name, "--gres", "") && strncmp(value, "gpu", 3) == 0) ||
             strcmp(name, "--gpus-per-node") == 0 ||
             is_called(name, "--gpus", "-G"))
        spec->gpus = read_gpus(value);
    else if (is_called(name, "--constraint", "-C"))
        read_features(spec->features, value);
}

/* One word as a shell cuts it, cut out of the text, without its quotes; NULL:
   there is none. */
static char *next_word(char **rest)
{
    char *at = *rest + strspn(*rest, " \t");
    char *const word = at;
    char *to = at;
    char quote = '\0';

    if (!*at)
        return NULL;
    for (; *at && (quote || !strchr(" \t", *at)); at++) {
        if (quote ? *at == quote : (*at == '"' || *at == '\'')) {
            quote = quote ? '\0' : *at;
            continue;
        }
        if (*at == '\\' && quote != '\'' && at[1])
            at++;
        *to++ = *at;
    }
    *rest = at + (*at != '\0');
    *to = '\0';
    return word;
}

/* Words "--name=value", "--name value", "-n value", "-nvalue". */
static void read_options(struct cst_elastic_spec *spec)
{
    char text[CST_ELASTIC_OPTIONS_SIZE];
    char *rest = text;
    char *word;

    memcpy(text, spec->options, sizeof(text));
    word = next_word(&rest);
    while (word) {
        char *next = next_word(&rest);
        char *value = strchr(word, '=');
        char letter[3] = {word[0], word[0] ? word[1] : '\0', '\0'};

        if (strncmp(word, "--", 2) == 0 && value) {
            *value = '\0';
            read_option(spec, word, value + 1);
        } else if (word[0] == '-' && word[1] != '-' && strlen(word) > 2) {
            read_option(spec, letter, word + 2);
        } else if (next) {
            read_option(spec, word, next);
        }
        word = next;
    }
}

enum castell_status cst_elastic_spec_read(const char *text,
                                          struct cst_elastic_spec *ret_spec)
{
    const char *colon = strchr(text, ':');
    struct cst_elastic_spec spec = {.nodes_max = 0};
    enum castell_status status;
    const char *end;

    if (!colon || !copy(spec.name, sizeof(spec.name), text, colon) ||
        !is_name(spec.name))
        return cst_fail(CASTELL_ERR_INVALID, "\"%s\" has no name: %s", text,
                        how);
    status = read_max(colon + 1, &spec.nodes_max, &end);
    if (status != CASTELL_OK)
        return status;
    if (!copy(spec.options, sizeof(spec.options), colon + 1, end))
        return cst_fail(CASTELL_ERR_INVALID,
                        "the options of class %s are too long", spec.name);
    read_options(&spec);
    *ret_spec = spec;
    return CASTELL_OK;
}
