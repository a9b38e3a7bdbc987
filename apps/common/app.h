/*
 * app.h - what every application needs and none is about: options, time,
 * memory, random numbers, the verdict on a result.
 *
 * Everything here is called by the main thread, except app_random(), which any
 * thread may call with a state of its own. What goes wrong is said in one
 * sentence on standard error, and the program ends: with exit status 2 for a
 * bad option or input, 1 for anything else.
 */
#ifndef APPS_COMMON_APP_H
#define APPS_COMMON_APP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum app_option_type {
    APP_WHOLE,  /* --name 12: value is an int * */
    APP_REAL,   /* --name 0.5: value is a double * */
    APP_TEXT,   /* --name text: value is a const char ** */
    APP_SWITCH, /* --name sets the int * to 1, --no-name to 0 */
};

/* One option; an array of them ends with one that has no name. */
struct app_option {
    const char *name;     /* without the "--" */
    const char *argument; /* what the help calls it; NULL for a switch */
    const char *help;
    enum app_option_type type;
    void *value;        /* holds the default */
    double least, most; /* of numbers, both allowed */
};

/* What the program is, for --help and messages. */
struct app_about {
    const char *name;  /* "matmul" */
    const char *usage; /* "[OPTION]... FILE..." */
    const char *text;  /* a sentence or two, with line breaks */
    bool takes_files;  /* else an argument that is no option is refused */
};

/*
 * Read the command line into the options' values. --help prints the options
 * and ends the program; so does what cannot be understood, with exit status 2.
 * --cores N, which every application has, sets CASTELL_CORES: call this before
 * castell_start(). Returns the index in argv of the first file, argc when none.
 */
int app_options(int argc, char **argv, const struct app_about *about,
                const struct app_option *options);

/* Print "NAME: " and the sentence on standard error; exit with that status. */
void app_die(int exit_status, const char *format, ...)
    __attribute__((noreturn, format(printf, 2, 3)));

/*
 * Begin a line on standard output: on a terminal, where the runtime's line of
 * progress stands so far.
 */
void app_begin_line(void);

/* Memory for count elements from castell_alloc(), or the end of the program. */
void *app_alloc(long count, size_t element_size);

/* Seconds since some moment. */
double app_now(void);

/* The median of count values, which it sorts. */
double app_median(double *values, int count);

/* The next of a sequence of random numbers; any state is a seed. */
uint64_t app_random(uint64_t *state);

/* The same as a number in [0, 1). */
double app_random_real(uint64_t *state);

/* || a - b || / || b ||, Frobenius, of count numbers. */
double app_difference(const double *a, const double *b, long count);

/*
 * Say whether the result holds: error <= limit. Returns what main() should
 * return for it: 0, or 1.
 */
int app_verdict(const char *what, double error, double limit);

/* FNV-1a, 64 bits: equal for equal bytes, and for hardly any others. */
uint64_t app_checksum(const void *bytes, size_t size);

#endif
