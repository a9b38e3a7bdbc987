#include "check/unit_values.h"

#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    const char *factor; /* in C */
    const char *floating_factor;
};

static const struct unit sizes[] = {
    {"KiB", "1024ULL", "1024.0"},
    {"MiB", "1048576ULL", "1048576.0"},
    {"GiB", "1073741824ULL", "1073741824.0"},
    {"TiB", "1099511627776ULL", "1099511627776.0"},
    {"KB", "1000ULL", "1000.0"},
    {"MB", "1000000ULL", "1000000.0"},
    {"GB", "1000000000ULL", "1000000000.0"},
    {"TB", "1000000000000ULL", "1000000000000.0"},
    {"B", "1ULL", "1.0"},
    {NULL, NULL, NULL},
};

static const struct unit seconds[] = {
    {"ms", "0.001", "0.001"},  {"s", "1.0", "1.0"}, {"min", "60.0", "60.0"},
    {"h", "3600.0", "3600.0"}, {NULL, NULL, NULL},
};

static const struct unit milliseconds[] = {
    {"ms", "1.0", "1.0"},
    {"s", "1000.0", "1000.0"},
    {"min", "60000.0", "60000.0"},
    {"h", "3600000.0", "3600000.0"},
    {NULL, NULL, NULL},
};

static const struct unit *units_of(enum cst_measure measure)
{
    static const struct unit none[] = {{NULL, NULL, NULL}};

    switch (measure) {
    case CST_MEASURE_SIZE:
        return sizes;
    case CST_MEASURE_SECONDS:
        return seconds;
    case CST_MEASURE_MILLISECONDS:
        return milliseconds;
    case CST_MEASURE_COUNT:
    case CST_MEASURE_NAME:
    default:
        return none;
    }
}

/* Where in a number its digits end and a unit, or suffix of C, starts. */
static size_t digits_size(const struct cst_token *token)
{
    size_t size = 0;

    if (token->size > 2 && token->text[0] == '0' &&
        (token->text[1] == 'x' || token->text[1] == 'X'))
        return token->size; /* hexadecimal: no unit */
    while (size < token->size &&
           ((token->text[size] >= '0' && token->text[size] <= '9') ||
            token->text[size] == '.'))
        size++;
    /* An exponent: 1e9 */
    if (size + 1 < token->size && (token->text[size] | 32) == 'e') {
        size_t digit = size + 1;

        digit += token->text[digit] == '+' || token->text[digit] == '-';
        if (digit < token->size && token->text[digit] >= '0' &&
            token->text[digit] <= '9')
            return token->size;
    }
    return size;
}

static const struct unit *find_unit(const struct cst_token *token,
                                    enum cst_measure measure)
{
    size_t digits = digits_size(token);
    const struct unit *unit = units_of(measure);

    while (unit->name && (strlen(unit->name) != token->size - digits ||
                          memcmp(unit->name, token->text + digits,
                                 token->size - digits) != 0))
        unit++;
    return unit->name ? unit : NULL;
}

/* u, l, ul, ll, ull, f: what C knows. */
static bool is_plain(const struct cst_token *token)
{
    for (size_t i = digits_size(token); i < token->size; i++)
        if (!strchr("uUlLfF", token->text[i]))
            return false;
    return true;
}

bool cst_check_measure(struct cst_report *report, struct cst_tokens tokens,
                       enum cst_measure measure)
{
    for (size_t i = 0; i < tokens.count; i++) {
        const struct cst_token *token = &tokens.items[i];

        if (token->kind == CST_TOKEN_STRING) {
            cst_report_error(report, token->place,
                             "a number should stand here, not a string");
            return false;
        }
        if (token->kind != CST_TOKEN_NUMBER || is_plain(token) ||
            find_unit(token, measure))
            continue;
        cst_report_error(report, token->place,
                         measure == CST_MEASURE_COUNT
                             ? "'%.*s': this is a count, without a unit"
                         : measure == CST_MEASURE_SIZE
                             ? "'%.*s': the units of size are KiB MiB GiB TiB "
                               "KB MB GB TB"
                             : "'%.*s': the units of time are ms s min h",
                         (int)token->size, token->text);
        return false;
    }
    return true;
}

bool cst_literal_value(struct cst_tokens tokens, double *ret_value)
{
    size_t at = tokens.count == 2 && cst_token_is(&tokens.items[0], "-");
    const struct cst_token *token = &tokens.items[at];

    if (tokens.count != at + 1 || token->kind != CST_TOKEN_NUMBER)
        return false;
    *ret_value = strtod(token->text, NULL);
    if (at)
        *ret_value = -*ret_value;
    return true;
}

struct cst_tokens cst_without_units(struct cst_memory *memory,
                                    struct cst_tokens tokens,
                                    enum cst_measure measure)
{
    struct cst_tokens copy = {.count = tokens.count};

    copy.items =
        cst_memory_take(memory, (tokens.count + 1) * sizeof(struct cst_token));
    for (size_t i = 0; i < tokens.count; i++) {
        struct cst_token *token = &copy.items[i];
        const struct unit *unit;
        size_t digits;

        *token = tokens.items[i];
        if (token->kind != CST_TOKEN_NUMBER)
            continue;
        unit = find_unit(token, measure);
        if (!unit)
            continue;
        digits = digits_size(token);
        token->text = cst_memory_format(
            memory, "(%.*s*%s)", (int)digits, token->text,
            memchr(token->text, '.', digits) ? unit->floating_factor
                                             : unit->factor);
        token->size = strlen(token->text);
    }
    return copy;
}
