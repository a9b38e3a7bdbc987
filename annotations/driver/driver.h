/*
 * driver.h - the steps that castellcc takes.
 *
 * Layer: driver, the highest. May include all rooms of annotations/.
 *
 * For each C file: preprocess it; if there are pragmas of ours in it, read,
 * check and translate them and let the compiler compile the translation; if
 * there are none, leave the file to the compiler as it is. Then link.
 */
#ifndef CST_DRIVER_DRIVER_H
#define CST_DRIVER_DRIVER_H

#include "common/report.h"
#include "common/text.h"
#include "read/options.h"

#include <stdbool.h>

/* Where castell.h and the library are. */
struct cst_places {
    const char *include;
    const char *library;
};

struct cst_driver {
    struct cst_memory memory;
    struct cst_sources sources;
    struct cst_report report;
    struct cst_options options;
    struct cst_places places;
};

/* What became of an input. */
enum cst_outcome {
    CST_OUTCOME_UNTOUCHED = 0, /* nothing of ours is in it */
    CST_OUTCOME_TRANSLATED,
    CST_OUTCOME_WRONG,      /* which was said */
    CST_OUTCOME_UNREADABLE, /* the compiler is to say why */
};

/*
 * Preprocess and translate an input. The translation is in *ret_text when the
 * outcome is CST_OUTCOME_TRANSLATED; for CST_OUTCOME_UNTOUCHED it is what the
 * preprocessor gave.
 */
enum cst_outcome cst_translate(struct cst_driver *driver,
                               const struct cst_input *input,
                               struct cst_text *ret_text);

/* The compiler and all options that matter when something is compiled. */
struct cst_strings cst_compile_command(struct cst_driver *driver,
                                       bool preprocesses);

/* cuda.c: compile a .cu file to an object by nvcc; return the exit status. */
int cst_cuda_compile(struct cst_driver *driver, const struct cst_input *input,
                     const char *object);
/* What programs with such objects are linked with. */
void cst_cuda_link(struct cst_driver *driver, struct cst_strings *command);

/* Do all of it; return the exit status. */
int cst_drive(struct cst_driver *driver);

#endif
