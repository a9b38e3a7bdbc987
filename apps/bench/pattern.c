#include "bench/pattern.h"

#include <stdlib.h>
#include <string.h>

enum { RANDOM_PERIOD = 3 };

bool pattern_type_of(const char *name, enum pattern_type *ret_type)
{
    static const char *const names[] = {
        [PATTERN_TRIVIAL] = "trivial",
        [PATTERN_STENCIL_1D] = "stencil_1d",
        [PATTERN_NEAREST] = "nearest",
        [PATTERN_FFT] = "fft",
        [PATTERN_RANDOM_NEAREST] = "random_nearest",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret_type = (enum pattern_type)i;
            return true;
        }
    }
    return false;
}

/* Add the column, unless it is beyond an edge. */
static void add(const struct pattern *pattern, struct pattern_inputs *inputs,
                int64_t column)
{
    if (column >= 0 && column < (int64_t)pattern->width)
        inputs->columns[inputs->count++] = (uint32_t)column;
}

/* Bits of the three numbers well mixed (the finalizer of splitmix64). */
static uint64_t mix(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t x = (a << 48) ^ (b << 24) ^ c;

    x += 0x9e3779b97f4a7c15U;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
}

static void add_nearest(const struct pattern *pattern, uint32_t phase,
                        int64_t column, struct pattern_inputs *inputs)
{
    int64_t first = column - pattern->radix / 2;

    for (int64_t from = first; from < first + pattern->radix; from++) {
        bool drawn = mix(phase, (uint64_t)column, (uint64_t)from) % 4 == 0;

        if (pattern->type == PATTERN_NEAREST || from == column || drawn)
            add(pattern, inputs, from);
    }
}

static void fill(const struct pattern *pattern, uint32_t phase, int64_t column,
                 struct pattern_inputs *inputs)
{
    /* Step 1, the first that reads, has distance 1. */
    int64_t distance = INT64_C(1)
                       << ((phase + pattern->period - 1) % pattern->period);

    switch (pattern->type) {
    case PATTERN_TRIVIAL:
        break;
    case PATTERN_STENCIL_1D:
        for (int64_t from = column - 1; from <= column + 1; from++)
            add(pattern, inputs, from);
        break;
    case PATTERN_NEAREST:
    case PATTERN_RANDOM_NEAREST:
        add_nearest(pattern, phase, column, inputs);
        break;
    case PATTERN_FFT:
        add(pattern, inputs, column - distance);
        add(pattern, inputs, column);
        add(pattern, inputs, column + distance);
        break;
    }
}

static uint32_t period_of(const struct pattern *pattern)
{
    uint32_t period = 1;

    if (pattern->type == PATTERN_RANDOM_NEAREST)
        return RANDOM_PERIOD;
    if (pattern->type == PATTERN_FFT)
        while ((1U << period) < pattern->width)
            period++;
    return period;
}

bool pattern_init(struct pattern *pattern, enum pattern_type type,
                  uint32_t width, uint32_t radix)
{
    *pattern = (struct pattern){.type = type, .width = width, .radix = radix};
    if (width == 0 || width > PATTERN_WIDTH_MAX || radix > PATTERN_INPUTS_MAX)
        return false;
    pattern->period = period_of(pattern);
    pattern->table =
        calloc((size_t)pattern->period * width, sizeof(*pattern->table));
    if (!pattern->table)
        return false;
    for (uint32_t phase = 0; phase < pattern->period; phase++)
        for (uint32_t column = 0; column < width; column++)
            fill(pattern, phase, column,
                 &pattern->table[(size_t)phase * width + column]);
    return true;
}

void pattern_release(struct pattern *pattern)
{
    free(pattern->table);
    pattern->table = NULL;
}
