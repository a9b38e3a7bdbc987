/*
 * ast.h - the unit's text as libclang understands it.
 *
 * Layer: check. May include common and read.
 *
 * libclang is not the compiler that the user chose: where the two disagree the
 * user's is right. What libclang cannot understand is an error only where it
 * hides a use of a task (cst_uses_check()).
 */
#ifndef CST_CHECK_AST_H
#define CST_CHECK_AST_H

#include "read/unit.h"

#include <clang-c/Index.h>

/* A declaration at file scope. */
struct cst_declaration {
    CXCursor cursor;
    size_t start;
    size_t end;
};

struct cst_ast {
    struct cst_unit *unit;
    CXIndex index;
    CXTranslationUnit translation;
    struct cst_declaration *declarations; /* as they stand in the text */
    size_t declarations_count;
    struct cst_names *names; /* made when first asked for */
    const char *complaint;   /* the first error in code of the user's; NULL */
    size_t complaint_at;
};

/*
 * Parse unit->text. flags are options of the compiler that change the
 * language, NULL-terminated. Returns false, and reports, when there is no
 * parse at all.
 */
bool cst_ast_parse(struct cst_unit *unit, const char *const *flags,
                   struct cst_ast *ret_ast);
void cst_ast_release(struct cst_ast *ast);

/* Where in the text a cursor starts and ends. */
size_t cst_ast_offset(CXCursor cursor);
size_t cst_ast_end(CXCursor cursor);
/* Where the name that it declares or uses stands. */
size_t cst_ast_name_offset(CXCursor cursor);

/* A copy of a string of libclang's, which is disposed of. */
const char *cst_ast_string(struct cst_memory *memory, CXString string);

/* What a name at file scope is. */
enum cst_name_kind {
    CST_NAME_UNKNOWN = 0,
    CST_NAME_TYPE,
    CST_NAME_CONSTANT, /* of an enum */
    CST_NAME_OBJECT,   /* a variable or function */
};

enum cst_name_kind cst_ast_name(struct cst_ast *ast, const char *name,
                                size_t size);

/* The function of that name, as it was first declared; or a null cursor. */
CXCursor cst_ast_function(struct cst_ast *ast, const char *name);

#endif
