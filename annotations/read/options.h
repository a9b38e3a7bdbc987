/*
 * options.h - the command line, sorted into what each step needs.
 *
 * Layer: read. May include common.
 *
 * castellcc understands of the compiler's options only what decides which
 * steps there are, which files are compiled and what they produce; all others
 * are handed on.
 */
#ifndef CST_READ_OPTIONS_H
#define CST_READ_OPTIONS_H

#include "common/memory.h"

#include <stdbool.h>
#include <stddef.h>

/* How far the compiler goes. */
enum cst_goal {
    CST_GOAL_LINK = 0,
    CST_GOAL_OBJECT,     /* -c */
    CST_GOAL_ASSEMBLER,  /* -S */
    CST_GOAL_CHECK,      /* -fsyntax-only */
    CST_GOAL_PREPROCESS, /* -E, -M, -MM: nothing of ours */
};

/* One input file. */
struct cst_input {
    const char *name;
    size_t index;         /* in argv */
    bool is_c;            /* source that we translate */
    bool is_cuda;         /* source for nvcc */
    bool preprocessed;    /* a .i file */
    const char *language; /* of -x; NULL: by its name */
};

/* An array of strings that ends with NULL. */
struct cst_strings {
    const char **items;
    size_t count;
};

struct cst_options {
    struct cst_strings argv; /* the user's, @files expanded, ours taken out;
                                [0] is the compiler's first word */
    size_t compiler_words;   /* argv starts with these */
    enum cst_goal goal;
    struct cst_input *inputs;
    size_t inputs_count;
    const char *output;            /* -o; NULL: none */
    struct cst_strings shared;     /* for every step but linking */
    struct cst_strings preprocess; /* for preprocessing alone */
    bool makes_dependencies;       /* -MD, -MMD, but not inside of -Wp, */
    bool names_dependencies;       /* -MF */
    bool names_target;             /* -MT, -MQ */
    bool no_warnings;              /* -w */
    bool no_global_warnings;       /* -Wno-castell-globals */
    bool no_pointer_warnings;      /* -Wno-castell-pointers */
    bool no_address_warnings;      /* -Wno-castell-addresses */
    bool translate_only;           /* --castell-translate */
    bool partial_link;             /* -r: an object is made of objects */
    struct cst_strings language;   /* what libclang needs to know */
};

/*
 * Read the command line. compiler is the compiler with its own options, in
 * one string. Returns NULL, or the sentence that says what is wrong.
 */
const char *cst_options_read(struct cst_memory *memory, const char *compiler,
                             char **argv, struct cst_options *ret_options);

void cst_strings_add(struct cst_memory *memory, struct cst_strings *strings,
                     const char *string);
void cst_strings_append(struct cst_memory *memory, struct cst_strings *strings,
                        const struct cst_strings *more);

/* The name without directories, its suffix replaced ("" takes it away). */
const char *cst_name_with_suffix(struct cst_memory *memory, const char *name,
                                 const char *suffix);

#endif
