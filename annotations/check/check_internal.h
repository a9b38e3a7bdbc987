/*
 * check_internal.h - what the files of this room share.
 *
 * Layer: check.
 */
#ifndef CST_CHECK_CHECK_INTERNAL_H
#define CST_CHECK_CHECK_INTERNAL_H

#include "check/ast.h"
#include "check/check.h"
#include "check/types.h"

/* A function that a pragma annotates. */
struct cst_subject {
    struct cst_body_model *body;
    struct cst_task_model *task; /* its own, or the one it implements */
    bool implements;
    CXCursor cursor;                  /* the annotated declaration */
    CXCursor canonical;               /* of the function */
    CXType *types;                    /* of the parameters */
    const struct cst_clause **claims; /* the clause of each parameter */
};

struct cst_checker {
    struct cst_unit *unit;
    struct cst_memory *memory;
    struct cst_report *report;
    const struct cst_check_options *options;
    struct cst_model *model;
    struct cst_ast ast;
    struct cst_subject **subjects;
    size_t subjects_count;
};

/* functions.c: make the subjects, from sites and declarations. */
void cst_check_functions(struct cst_checker *checker);

/* accesses.c: the clauses that name parameters. */
void cst_check_accesses(struct cst_checker *checker,
                        struct cst_subject *subject);

/* reduction.c: the operator or function of a reduction on that element. */
const struct cst_reduction_model *
cst_check_reduction(struct cst_checker *checker,
                    const struct cst_clause *clause, CXType element);

/* settings.c: all other clauses. */
void cst_check_settings(struct cst_checker *checker,
                        struct cst_subject *subject);

/* device.c */
void cst_check_device(struct cst_checker *checker, struct cst_subject *subject);
/* Of an implementation or a task, when all accesses are known. */
void cst_check_buffers(struct cst_checker *checker,
                       const struct cst_subject *subject);

/* constraint.c */
void cst_check_constraint(struct cst_checker *checker,
                          struct cst_subject *subject);

/* command.c */
void cst_check_command(struct cst_checker *checker,
                       struct cst_subject *subject);

/* uses.c: walk over all code: calls, addresses, globals, statements. */
void cst_check_uses(struct cst_checker *checker);

/* The way from a declaration at file scope down to where a walk is. */
struct cst_frame {
    CXCursor cursor;
    unsigned index;    /* among its parent's children */
    unsigned children; /* seen so far */
};

struct cst_path {
    struct cst_frame *frames;
    size_t count;
    size_t room;
};

/* value.c: is the value used of the expression that the path ends with? */
bool cst_value_is_used(const struct cst_checker *checker,
                       const struct cst_path *path);

/* statement.c: pragmas that stand alone. A walk tells of each block. */
void cst_statements_start(struct cst_checker *checker);
void cst_statements_block(struct cst_checker *checker,
                          const struct cst_path *path);
void cst_statements_finish(struct cst_checker *checker);

/* complaint.c: what libclang did not understand. */
void cst_complaint_check(struct cst_checker *checker);

/*
 * Is every name in these tokens one that the function knows? Those that are
 * not are reported. *ret_constant tells whether all are constants.
 */
bool cst_check_names(struct cst_checker *checker,
                     const struct cst_subject *subject,
                     struct cst_tokens tokens, bool *ret_constant);

/* The parameter of that name, or parameters_count. */
size_t cst_find_parameter(const struct cst_body_model *body, const char *name,
                          size_t size);

#endif
