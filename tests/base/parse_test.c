/*
 * Options are read exactly: every unit by its size, the limits of 64 and 32
 * bits to the last one, and each text that is no size or count is refused with
 * a sentence that names the option, quotes the text and gives an example.
 * Random texts are held against a model that reads decimals with long double.
 */
#include "base/fail.h"
#include "base/parse.h"
#include "harness/tap.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_sizes(void)
{
    static const struct {
        const char *text;
        uint64_t size;
    } cases[] = {
        {"0", 0},
        {"1024", 1024},
        {"1 ", 1},
        {"7B", 7},
        {"8GiB", UINT64_C(8) << 30},
        {"8 GiB", UINT64_C(8) << 30},
        {"8g", UINT64_C(8) << 30},
        {"512MB", 512000000},
        {"512mb", 512000000},
        {"64MiB", 64 << 20},
        {"3k", 3 << 10},
        {"3KiB", 3 << 10},
        {"3kB", 3000},
        {"2T", UINT64_C(2) << 40},
        {"2TB", UINT64_C(2000000000000)},
        {"1PiB", UINT64_C(1) << 50},
        {"1PB", UINT64_C(1000000000000000)},
        {"1.5GiB", UINT64_C(3) << 29},
        {"0.25K", 256},
        {"2.125 kB", 2125},
        {"000000000000000000000000000001", 1},
        {"18446744073709551615", UINT64_MAX},
        {"16383.999PiB",
         (UINT64_C(16383) << 50) + (UINT64_C(999) << 50) / 1000},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t size = 77;

        ok(cst_parse_size("X", cases[i].text, &size) == CASTELL_OK &&
               size == cases[i].size,
           "\"%s\" is %" PRIu64 " bytes", cases[i].text, cases[i].size);
    }
}

static void test_no_sizes(void)
{
    static const char *const cases[] = {
        "",        " ",         "abc",      "GiB",
        "-1",      "+1",        " 1",       "1GiB ",
        "1XB",     "1.5",       "1.5B",     "1.GiB",
        ".5GiB",   "1.2345GiB", "1e9",      "0x10",
        "1,5GiB",  "1GiBGiB",   "1\n",      "1.5.5GB",
        "1KiBits", "8GiB;ls",   "\xff\xff", "1.99999999999999999999G",
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t size = 77;

        ok(cst_parse_size("CASTELL_MEMORY", cases[i], &size) ==
                   CASTELL_ERR_INVALID &&
               size == 77,
           "case %zu is no size", i);
        ok(strstr(castell_error_text(), "CASTELL_MEMORY is \"") &&
               strstr(castell_error_text(), cases[i]) &&
               strstr(castell_error_text(), "give a size such as 8GiB"),
           "and the error helps (case %zu)", i);
    }
}

static void test_too_large(void)
{
    static const char *const cases[] = {
        "18446744073709551616",
        "184467440737095516150",
        "16384PiB",
        "18446744073709551615K",
        "999999999999999999999999999999999999999999999999999999999999999999GiB",
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t size = 77;

        ok(cst_parse_size("X", cases[i], &size) == CASTELL_ERR_INVALID &&
               size == 77 && strstr(castell_error_text(), "more than 16 EiB"),
           "too large: %s", castell_error_text());
    }
}

static bool counts(const char *text, uint32_t min, uint32_t max,
                   uint32_t expected)
{
    uint32_t count = expected + 1;

    return cst_parse_count("X", text, min, max, &count) == CASTELL_OK &&
           count == expected;
}

static bool refuses(const char *text, uint32_t min, uint32_t max)
{
    uint32_t count = 77;

    return cst_parse_count("CASTELL_CORES", text, min, max, &count) ==
               CASTELL_ERR_INVALID &&
           count == 77;
}

static void test_counts(void)
{
    ok(counts("1", 1, 4, 1) && counts("4", 1, 4, 4), "the limits are counts");
    ok(counts("4294967295", 0, UINT32_MAX, UINT32_MAX), "32 bits are a count");
    ok(refuses("0", 1, 4) && refuses("5", 1, 4), "outside of them is refused");
    ok(strcmp(castell_error_text(),
              "CASTELL_CORES is \"5\": give a whole number from 1 to 4") == 0,
       "with a sentence: %s", castell_error_text());
    ok(refuses("4294967296", 0, UINT32_MAX), "33 bits are no count");
    ok(refuses("18446744073709551616", 0, UINT32_MAX), "nor are 65");
    ok(refuses("", 0, 9) && refuses("x", 0, 9) && refuses("-1", 0, 9) &&
           refuses("1x", 0, 9) && refuses("1.0", 0, 9) && refuses(" 1", 0, 9),
       "text that is no number is no count");
}

static void test_environment(void)
{
    must(setenv("CST_PARSE_TEST", "12", 1) == 0, "a variable is set");
    ok(strcmp(cst_parse_environment("CST_PARSE_TEST"), "12") == 0,
       "and its value found");
    must(setenv("CST_PARSE_TEST", "", 1) == 0, "it is set to nothing");
    ok(!cst_parse_environment("CST_PARSE_TEST"), "and then has no value");
    must(unsetenv("CST_PARSE_TEST") == 0, "it is unset");
    ok(!cst_parse_environment("CST_PARSE_TEST"), "and then has no value");
}

static bool agrees(uint64_t whole, unsigned thousandths, size_t power)
{
    static const char *const names[] = {"K", "M", "G", "T", "P"};
    long double model = (long double)whole + (long double)thousandths / 1000;
    char text[64];
    uint64_t size = 0;

    for (size_t i = 0; i <= power; i++)
        model *= 1024;
    (void)snprintf(text, sizeof(text), "%" PRIu64 ".%03u%s", whole, thousandths,
                   names[power]);
    if (cst_parse_size("X", text, &size) != CASTELL_OK)
        return model >= 18446744073709551615.0L;
    return model - (long double)size < 1.001L &&
           (long double)size - model < 0.001L;
}

static void test_random(void)
{
    uint64_t state = 42;
    unsigned wrong = 0;

    for (unsigned i = 0; i < 100000; i++) {
        uint64_t whole;

        state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
        whole = state >> (24 + (state >> 33) % 40);
        if (!agrees(whole, (unsigned)(state >> 40) % 1000, (state >> 20) % 5))
            wrong++;
    }
    ok(wrong == 0, "100000 random sizes agree with the model (%u do not)",
       wrong);
}

int main(void)
{
    test_sizes();
    test_no_sizes();
    test_too_large();
    test_counts();
    test_environment();
    test_random();
    return tap_done();
}
