#include "common/app.h"

#include <castell.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *program_name = "app";

void app_die(int exit_status, const char *format, ...)
{
    va_list arguments;

    fflush(stdout);
    fprintf(stderr, "%s: ", program_name);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(exit_status);
}

/* ---- Options ------------------------------------------------------------ */

static void print_default(const struct app_option *option)
{
    switch (option->type) {
    case APP_WHOLE:
        if (*(int *)option->value > 0)
            printf(" [%d]", *(int *)option->value);
        break;
    case APP_REAL:
        if (*(double *)option->value > 0)
            printf(" [%g]", *(double *)option->value);
        break;
    case APP_TEXT:
        if (*(const char **)option->value)
            printf(" [%s]", *(const char **)option->value);
        break;
    case APP_SWITCH:
        break;
    }
}

static void print_help(const struct app_about *about,
                       const struct app_option *options)
{
    printf("Usage: %s %s\n%s\n\nOptions:\n", about->name, about->usage,
           about->text);
    for (const struct app_option *option = options; option->name; option++) {
        char left[64];

        snprintf(left, sizeof(left), "--%s%s %s",
                 option->type == APP_SWITCH ? "[no-]" : "", option->name,
                 option->argument ? option->argument : "");
        printf("  %-20s  %s", left, option->help);
        print_default(option);
        putchar('\n');
    }
    printf("  %-20s  %s\n", "--cores N", "executors, as CASTELL_CORES=N");
    printf("  %-20s  %s\n", "--help", "this text");
}

static void set_number(const struct app_option *option, const char *text)
{
    bool is_whole = option->type == APP_WHOLE;
    char *end = NULL;
    double number = strtod(text, &end);

    if (end == text || *end || !(number >= option->least) ||
        number > option->most || (is_whole && number - floor(number) > 0))
        app_die(2, "--%s takes a %snumber from %.10g to %.10g, not '%s'",
                option->name, is_whole ? "whole " : "", option->least,
                option->most, text);
    if (is_whole)
        *(int *)option->value = (int)number;
    else
        *(double *)option->value = number;
}

static void set_option(const struct app_option *option, const char *text)
{
    if (!text || (!*text && option->type != APP_TEXT))
        app_die(2, "--%s needs a value: --%s %s", option->name, option->name,
                option->argument);
    if (option->type == APP_TEXT)
        *(const char **)option->value = text;
    else
        set_number(option, text);
}

/* The option that `name`, size bytes, calls; NULL when none does. */
static const struct app_option *find_option(const struct app_option *options,
                                            const char *name, size_t size)
{
    for (const struct app_option *option = options; option->name; option++) {
        if (strlen(option->name) == size && !memcmp(option->name, name, size))
            return option;
    }
    return NULL;
}

/* A switch is spelt --name or --no-name. */
static bool set_switch(const struct app_option *options, const char *name)
{
    bool on = strncmp(name, "no-", 3) != 0;
    const char *bare = on ? name : name + 3;
    const struct app_option *option = find_option(options, bare, strlen(bare));

    if (!option || option->type != APP_SWITCH)
        return false;
    *(int *)option->value = on;
    return true;
}

int app_options(int argc, char **argv, const struct app_about *about,
                const struct app_option *options)
{
    int cores = 0;
    const struct app_option every[] = {
        {"cores", "N", "", APP_WHOLE, &cores, 1, 4096},
        {0},
    };
    int i = 1;

    program_name = about->name;
    for (; i < argc && argv[i][0] == '-' && argv[i][1] == '-'; i++) {
        const char *name = argv[i] + 2;
        size_t size = strcspn(name, "=");
        const struct app_option *option = find_option(options, name, size);

        if (!strcmp(name, "help")) {
            print_help(about, options);
            exit(0);
        }
        if (!*name) { /* "--": files from here on */
            i++;
            break;
        }
        if (set_switch(options, name))
            continue;
        if (!option)
            option = find_option(every, name, size);
        if (!option || option->type == APP_SWITCH)
            app_die(2, "no option '%s'; --help lists them", argv[i]);
        if (name[size] == '=')
            set_option(option, name + size + 1);
        else
            set_option(option, ++i < argc ? argv[i] : NULL);
    }
    if (i < argc && !about->takes_files)
        app_die(2, "'%s' is no option; --help lists them", argv[i]);
    if (cores > 0) {
        char text[16];

        snprintf(text, sizeof(text), "%d", cores);
        setenv("CASTELL_CORES", text, 1);
    }
    return i;
}

void app_begin_line(void)
{
    if (isatty(STDOUT_FILENO))
        fputs("\r\033[K", stdout); /* to the margin; erase the line */
}

/* ---- Memory, time, numbers ---------------------------------------------- */

void *app_alloc(long count, size_t element_size)
{
    void *memory = NULL;

    if (count >= 0 && (size_t)count <= SIZE_MAX / 2 / element_size)
        memory = castell_alloc((size_t)count * element_size);
    if (!memory)
        app_die(1, "no memory for %ld elements of %zu bytes", count,
                element_size);
    return memory;
}

double app_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

double app_median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof(*values), compare_doubles);
    if (count % 2 == 1)
        return values[count / 2];
    return (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t app_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

double app_random_real(uint64_t *state)
{
    return (double)(app_random(state) >> 11) * 0x1p-53;
}

double app_difference(const double *a, const double *b, long count)
{
    double difference = 0;
    double norm = 0;

    for (long i = 0; i < count; i++) {
        difference += (a[i] - b[i]) * (a[i] - b[i]);
        norm += b[i] * b[i];
    }
    return sqrt(difference) / (norm > 0 ? sqrt(norm) : 1);
}

int app_verdict(const char *what, double error, double limit)
{
    bool holds = error <= limit; /* false for NaN */

    app_begin_line();
    printf("%s: %s %.3g, at most %g allowed\n", holds ? "verified" : "WRONG",
           what, error, limit);
    return holds ? 0 : 1;
}

uint64_t app_checksum(const void *bytes, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (const uint8_t *byte = bytes; size > 0; byte++, size--)
        hash = (hash ^ *byte) * 0x100000001b3u;
    return hash;
}
