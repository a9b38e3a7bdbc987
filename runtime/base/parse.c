#include "base/parse.h"

#include "base/fail.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Text longer than this is cut where an error quotes it. */
#define QUOTED "\"%.40s\""

enum { DECIMALS_MAX = 3, DECIMALS_SCALE = 1000 };

struct unit {
    char name[4];
    uint64_t size;
};

/* The largest times DECIMALS_SCALE still fits 64 bits. */
static const struct unit units[] = {
    {"", 1},
    {"B", 1},
    {"K", UINT64_C(1) << 10},
    {"KiB", UINT64_C(1) << 10},
    {"kB", UINT64_C(1000)},
    {"M", UINT64_C(1) << 20},
    {"MiB", UINT64_C(1) << 20},
    {"MB", UINT64_C(1000000)},
    {"G", UINT64_C(1) << 30},
    {"GiB", UINT64_C(1) << 30},
    {"GB", UINT64_C(1000000000)},
    {"T", UINT64_C(1) << 40},
    {"TiB", UINT64_C(1) << 40},
    {"TB", UINT64_C(1000000000000)},
    {"P", UINT64_C(1) << 50},
    {"PiB", UINT64_C(1) << 50},
    {"PB", UINT64_C(1000000000000000)},
};

const char *cst_parse_environment(const char *name)
{
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe) */

    return value && *value ? value : NULL;
}

/* What stopped a run of digits. */
enum digits { DIGITS_NONE, DIGITS_TOO_LARGE, DIGITS_READ };

/* Read the digits at *text and move it behind them. */
static enum digits read_digits(const char **text, uint64_t *ret_value)
{
    enum digits result = DIGITS_NONE;
    uint64_t value = 0;

    for (; **text >= '0' && **text <= '9'; (*text)++) {
        uint64_t digit = (uint64_t)(**text - '0');

        if (value > (UINT64_MAX - digit) / 10)
            result = DIGITS_TOO_LARGE;
        if (result == DIGITS_TOO_LARGE)
            continue;
        value = value * 10 + digit;
        result = DIGITS_READ;
    }
    if (result == DIGITS_READ)
        *ret_value = value;
    return result;
}

/* Read ".5" as 500 thousandths and move *text behind it; nothing is 0. */
static bool read_decimals(const char **text, uint64_t *ret_thousandths)
{
    const char *first;
    uint64_t value = 0;
    size_t digits;

    *ret_thousandths = 0;
    if (**text != '.')
        return true;
    first = ++*text;
    if (read_digits(text, &value) != DIGITS_READ)
        return false;
    digits = (size_t)(*text - first);
    if (digits > DECIMALS_MAX)
        return false;
    for (; digits < DECIMALS_MAX; digits++)
        value *= 10;
    *ret_thousandths = value;
    return true;
}

static const struct unit *find_unit(const char *text)
{
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcasecmp(text, units[i].name) == 0)
            return &units[i];
    return NULL;
}

static enum castell_status refuse_size(const char *name, const char *text,
                                       const char *why)
{
    return cst_fail(CASTELL_ERR_INVALID,
                    "%s is " QUOTED "%s: give a size such as 8GiB, 512MB or "
                    "1024",
                    name, text, why);
}

enum castell_status cst_parse_size(const char *name, const char *text,
                                   uint64_t *ret_size)
{
    const char *rest = text;
    const struct unit *unit;
    uint64_t whole = 0;
    uint64_t thousandths = 0;
    uint64_t part;

    switch (read_digits(&rest, &whole)) {
    case DIGITS_NONE:
        return refuse_size(name, text, "");
    case DIGITS_TOO_LARGE:
        return refuse_size(name, text, ", more than 16 EiB");
    case DIGITS_READ:
        break;
    }
    if (!read_decimals(&rest, &thousandths))
        return refuse_size(name, text, "");
    rest += strspn(rest, " \t");
    unit = find_unit(rest);
    if (!unit || (unit->size == 1 && thousandths > 0))
        return refuse_size(name, text, "");

    part = thousandths * unit->size / DECIMALS_SCALE;
    if (whole > (UINT64_MAX - part) / unit->size)
        return refuse_size(name, text, ", more than 16 EiB");
    *ret_size = whole * unit->size + part;
    return CASTELL_OK;
}

enum castell_status cst_parse_count(const char *name, const char *text,
                                    uint32_t min, uint32_t max,
                                    uint32_t *ret_count)
{
    const char *rest = text;
    uint64_t count = 0;

    if (read_digits(&rest, &count) != DIGITS_READ || *rest || count < min ||
        count > max)
        return cst_fail(CASTELL_ERR_INVALID,
                        "%s is " QUOTED ": give a whole number from %u to %u",
                        name, text, min, max);
    *ret_count = (uint32_t)count;
    return CASTELL_OK;
}
