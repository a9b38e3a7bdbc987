/*
 * emit_internal.h - what the files of this room share.
 *
 * Layer: emit.
 */
#ifndef CST_EMIT_EMIT_INTERNAL_H
#define CST_EMIT_EMIT_INTERNAL_H

#include "emit/emit.h"

/* Accesses that fit on the stack of generated code. */
#define CST_ACCESSES_FEW 16

/* Text to be put in, all on the line of one pragma. */
struct cst_writer {
    struct cst_memory *memory;
    struct cst_text text;
    const char *file;
    unsigned line;
};

/* writer.c */
void cst_writer_init(struct cst_writer *writer, struct cst_memory *memory,
                     const char *file, unsigned line);
void cst_write(struct cst_writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* An expression of the user's, in parentheses. */
void cst_write_value(struct cst_writer *writer, struct cst_tokens tokens);
void cst_write_literal(struct cst_writer *writer, const char *string);
/* "file.c:12" as a literal. */
void cst_write_where(struct cst_writer *writer, const char *file,
                     unsigned line);

/* region.c: one section. */
struct cst_region_writer {
    const char *base; /* the pointer, or array, it is of: C text */
    const struct cst_dimension *dimensions;
    size_t dimensions_count;
    size_t number;    /* makes its names different from others' */
    const char *mode; /* and what else the struct castell_access has */
    unsigned long long whole_count; /* without dimensions: elements */
};

/* How many accesses it is for one value of the loops' variables: 1. */
size_t cst_region_loops_count(const struct cst_region_writer *region);
/* Is there a length that may turn out to be 0? */
bool cst_region_may_be_empty(const struct cst_region_writer *region);
/* Declarations of its bounds. */
void cst_region_write_locals(struct cst_writer *writer,
                             const struct cst_region_writer *region);
/* An expression: is there something in it? */
void cst_region_write_filled(struct cst_writer *writer,
                             const struct cst_region_writer *region);
/* The heads of the loops over its outer dimensions. */
void cst_region_write_loops(struct cst_writer *writer,
                            const struct cst_region_writer *region);
/* {.base = ..., ...}, inside of the loops. */
void cst_region_write_access(struct cst_writer *writer,
                             const struct cst_region_writer *region);
/* Base and size, and rows and pitch if it has rows: a list of values. */
void cst_region_write_values(struct cst_writer *writer,
                             const struct cst_region_writer *region);
bool cst_region_has_rows(const struct cst_region_writer *region);
/* An expression: bytes from the base to the region. */
void cst_region_write_offset(struct cst_writer *writer,
                             const struct cst_region_writer *region);
/* Is that always 0? */
bool cst_region_starts_at_base(const struct cst_region_writer *region);

/* task.c */
bool cst_task_is_dynamic(const struct cst_task_model *task);
void cst_write_argument(struct cst_writer *writer,
                        const struct cst_task_model *task);
/* The region of an access that is no file and no collection. */
struct cst_region_writer cst_access_region(struct cst_memory *memory,
                                           const struct cst_task_model *task,
                                           size_t index);
const char *cst_mode_name(enum cst_clause_kind kind);
bool cst_has_empty_mask(struct cst_memory *memory,
                        const struct cst_task_model *task);
bool cst_access_has_offset(struct cst_memory *memory,
                           const struct cst_task_model *task, size_t index);
bool cst_has_argument(struct cst_memory *memory,
                      const struct cst_task_model *task);

/* body.c: the function that calls one implementation of a task. */
void cst_write_body(struct cst_writer *writer,
                    const struct cst_task_model *task,
                    const struct cst_body_model *body);

/* command.c: the statements of a body that runs a program. value_prefix is
   what stands before a parameter's name. */
void cst_write_command(struct cst_writer *writer,
                       const struct cst_task_model *task,
                       const struct cst_body_model *body);
/* kernel.c: the statements of a body that starts a kernel. */
void cst_write_kernel(struct cst_writer *writer,
                      const struct cst_task_model *task,
                      const struct cst_body_model *body);
/* The value of a parameter in a body: C text. */
const char *cst_body_value(struct cst_memory *memory,
                           const struct cst_task_model *task, size_t parameter);

/* kind.c */
void cst_write_constraint(struct cst_writer *writer,
                          const struct cst_constraint_model *constraint,
                          bool per_call);
void cst_write_kind(struct cst_writer *writer,
                    const struct cst_task_model *task);
/* What makes the kinds of these tasks known when the program starts. */
void cst_write_declarations(struct cst_writer *writer,
                            const struct cst_task_model *const *tasks,
                            size_t count);
void cst_write_implementation(struct cst_writer *writer,
                              const struct cst_task_model *task,
                              const struct cst_body_model *body);

/* submit.c */
void cst_write_constants(struct cst_writer *writer,
                         const struct cst_task_model *task);
void cst_write_submit_head(struct cst_writer *writer,
                           const struct cst_task_model *task);
void cst_write_submit(struct cst_writer *writer,
                      const struct cst_task_model *task);

/* reduction.c: what combines copies, for each access that needs it. */
bool cst_has_reductions(const struct cst_task_model *task);
void cst_write_reductions(struct cst_writer *writer,
                          const struct cst_task_model *task);

/* statement.c */
void cst_write_statement(struct cst_writer *writer,
                         const struct cst_statement_model *statement);
void cst_write_group_begin(struct cst_writer *writer,
                           const struct cst_statement_model *statement);

/* prelude.c: small functions that all of it uses. */
void cst_write_prelude(struct cst_writer *writer);

#endif
