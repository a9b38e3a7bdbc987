/*
 * model.h - what an annotated unit means: the result of checking, and all that
 * is needed to write the translation.
 *
 * Layer: check. May include common and read. Nothing of libclang is here.
 */
#ifndef CST_CHECK_MODEL_H
#define CST_CHECK_MODEL_H

#include "read/unit.h"

#include <stdbool.h>
#include <stddef.h>

/* How a value is told to another program. */
enum cst_format {
    CST_FORMAT_NONE = 0, /* it cannot be */
    CST_FORMAT_SIGNED,
    CST_FORMAT_UNSIGNED,
    CST_FORMAT_FLOATING,
    CST_FORMAT_LONG_DOUBLE,
    CST_FORMAT_STRING,
};

struct cst_parameter {
    const char *name;      /* the function's own, or one made up */
    const char *type;      /* as __typeof__(...), an array being a pointer */
    const char *bare_type; /* of a struct, without const */
    struct cst_place place;
    bool is_pointer; /* it comes from an access, not by value */
    enum cst_format format;
};

/* How the copies of a reduction are combined. */
struct cst_reduction_model {
    const char *element;   /* type, unqualified */
    const char *operation; /* "+", ..., or NULL: by a function */
    const char *function;
    bool is_floating;
    bool is_bool;
    size_t element_bits;
};

/* An access, or for a collection or many dimensions, several. */
struct cst_access_model {
    size_t parameter;
    const char *member; /* ".data" of a struct passed by value; or "" */
    enum cst_clause_kind kind;
    const struct cst_section *section; /* NULL for a file */
    unsigned long long whole_count; /* elements of an array of declared size */
    const struct cst_reduction_model *reduction;
};

/* What a constraint asks for. */
enum cst_need {
    CST_NEED_CORES = 0,
    CST_NEED_NODES,
    CST_NEED_GPUS,
    CST_NEED_MEMORY,
    CST_NEED_GPU_MEMORY,
    CST_NEED_STORAGE,
    CST_NEED_WALL_TIME,
    CST_NEED_ARCH,
    CST_NEED_FEATURE,
    CST_NEEDS_COUNT,
};

/* Clause expressions: no tokens, where there is no clause. */
struct cst_constraint_model {
    struct cst_tokens values[CST_NEEDS_COUNT];
    bool per_call; /* some value changes from call to call */
};

enum cst_failure_model {
    CST_FAILURE_FAIL = 0,
    CST_FAILURE_IGNORE,
    CST_FAILURE_CANCEL_SUCCESSORS,
};

/* A program to run: its words, with {parameter} in them. */
struct cst_command {
    struct cst_text *words;
    size_t words_count;
};

/* Programs to run as a body. */
struct cst_programs {
    struct cst_command prolog; /* no words: none */
    struct cst_command command;
    struct cst_command epilog;
    struct cst_command image; /* one word: command runs in a container of it */
    int streams[3];           /* of command: parameters, or -1 */
};

enum cst_device_model {
    CST_DEVICE_CPU = 0,
    CST_DEVICE_BINARY,
    CST_DEVICE_CONTAINER,
    CST_DEVICE_MPI,
    CST_DEVICE_CUDA,
    CST_DEVICE_OPENCL,
};

enum { CST_RANGE_MAX = 3 };

/* A kernel of OpenCL's as a body: its arguments are the function's. */
struct cst_kernel {
    const char *name;
    const char *text;           /* of its source, or NULL: */
    struct cst_tokens variable; /* a string of the program's */
    struct cst_tokens range[CST_RANGE_MAX];
    size_t range_count;
    struct cst_tokens local[CST_RANGE_MAX];
    size_t local_count; /* 0: OpenCL chooses */
};

/* A function with a body that tasks may run. */
struct cst_body_model {
    const char *name;
    struct cst_place place; /* of the name in its declaration */
    bool is_static;
    bool returns_int;
    bool is_defined; /* in this unit */
    struct cst_constraint_model constraint;
    enum cst_device_model device;
    struct cst_programs *programs; /* NULL: its own code */
    struct cst_kernel *kernel;     /* the same */
    bool async;
    struct cst_parameter *parameters;
    size_t parameters_count;
    size_t before; /* in the text: the empty line of its pragma */
    size_t after;  /* in the text: behind its declaration */
    const struct cst_site *site;
};

struct cst_task_model {
    struct cst_body_model body;
    const char *kind_name;
    struct cst_access_model *accesses;
    size_t accesses_count;
    struct cst_tokens label;
    struct cst_tokens priority;
    struct cst_tokens deadline;
    struct cst_tokens timeout;
    struct cst_tokens cost;
    struct cst_tokens condition; /* of if() */
    struct cst_tokens final;
    enum cst_failure_model on_failure;
    struct cst_tokens retries;
    unsigned default_retries;
    bool replicated, distributed, isolated;
    bool may_lack_body; /* it has implementations, and no definition here */
    struct cst_body_model **implementations;
    size_t implementations_count;
};

/* A call of a task function that becomes a submission. */
struct cst_call_model {
    const struct cst_task_model *task;
    size_t name;      /* offset of the identifier */
    size_t arguments; /* offset of the first argument, or of the ')' */
    bool has_arguments;
};

/* A pragma that stands alone. */
struct cst_statement_model {
    const struct cst_site *site;
    size_t block; /* of a group: offset of its '{' */
    bool *wholes; /* per section: a thing of its own size */
    bool found;   /* where a statement may be */
};

struct cst_model {
    struct cst_unit *unit;
    struct cst_task_model **tasks;
    size_t tasks_count;
    struct cst_call_model *calls;
    size_t calls_count;
    struct cst_statement_model *statements;
    size_t statements_count;
};

#endif
