/*
 * types.h - questions to the types of C.
 *
 * Layer: check. May include common and read.
 */
#ifndef CST_CHECK_TYPES_H
#define CST_CHECK_TYPES_H

#include "check/ast.h"
#include "check/model.h"

#include <clang-c/Index.h>

/* A pointer, or a parameter declared as an array, which is one too. */
bool cst_type_is_pointer(CXType type);
bool cst_type_is_array(CXType type);
bool cst_type_is_function_pointer(CXType type);
bool cst_type_is_record(CXType type);
bool cst_type_is_char(CXType type);
bool cst_type_is_arithmetic(CXType type);
bool cst_type_is_floating(CXType type);
bool cst_type_is_complex(CXType type);

/* What a pointer points to, or what an array is of. */
CXType cst_type_target(CXType type);

/* What arrays of arrays are of in the end; the type itself if it is none. */
CXType cst_type_innermost(CXType type);

/* Is it known how large one is, if only at run time? */
bool cst_type_has_size(CXType type);

/* Is the type, or what it is an array of, const? */
bool cst_type_is_const(CXType type);

/*
 * The type as text that declares a parameter or member of it, qualifiers and
 * all: "__typeof__(T)"; an array becomes a pointer. NULL when it has no name.
 */
const char *cst_type_text(struct cst_memory *memory, CXType type);

/* The same for the unqualified type itself. */
const char *cst_type_bare_text(struct cst_memory *memory, CXType type);

/* As the user wrote it, for messages. */
const char *cst_type_said(struct cst_memory *memory, CXType type);

enum cst_format cst_type_format(CXType type);

/* The member of a record, or an invalid type. */
CXType cst_type_member(struct cst_memory *memory, CXType type, const char *name,
                       size_t size);

/* The first member that is a pointer: its name, or NULL. */
const char *cst_type_pointer_member(struct cst_memory *memory, CXType type);

#endif
