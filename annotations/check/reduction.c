/* Reductions: does the operator fit the elements? */
#include "check/check_internal.h"

#include <string.h>

/* Operators, and what they work on. */
static const struct {
    const char *text;
    bool on_floating;
    bool on_complex;
} operators[] = {
    {"+", true, true},    {"*", true, true},   {"min", true, false},
    {"max", true, false}, {"&", false, false}, {"|", false, false},
    {"^", false, false},  {"&&", true, false}, {"||", true, false},
};

enum { OPERATORS_COUNT = sizeof(operators) / sizeof(operators[0]) };

static struct cst_reduction_model *make(struct cst_checker *checker,
                                        CXType element)
{
    struct cst_reduction_model *model =
        cst_memory_take(checker->memory, sizeof(*model));
    long long size = clang_Type_getSizeOf(element);

    model->element = cst_type_bare_text(checker->memory, element);
    model->is_floating = cst_type_is_floating(element);
    model->is_bool = clang_getCanonicalType(element).kind == CXType_Bool;
    model->element_bits = size > 0 ? (size_t)size * 8 : 0;
    return model;
}

/* void f(T *into, const T *from, size_t count) */
static bool has_right_type(CXCursor function, CXType element)
{
    CXType type = clang_getCursorType(function);
    CXType into, from;

    if (clang_getNumArgTypes(type) != 3 ||
        clang_getCanonicalType(clang_getResultType(type)).kind != CXType_Void)
        return false;
    into = clang_getCanonicalType(clang_getArgType(type, 0));
    from = clang_getCanonicalType(clang_getArgType(type, 1));
    if (into.kind != CXType_Pointer || from.kind != CXType_Pointer)
        return false;
    into = clang_getPointeeType(into);
    from = clang_getPointeeType(from);
    return clang_equalTypes(into, clang_getCanonicalType(element)) &&
           clang_isConstQualifiedType(from) && !cst_type_is_const(into) &&
           from.kind == into.kind &&
           clang_Type_getSizeOf(from) == clang_Type_getSizeOf(into) &&
           clang_getCanonicalType(clang_getArgType(type, 2)).kind ==
               CXType_ULong;
}

static const struct cst_reduction_model *
check_user_function(struct cst_checker *checker,
                    const struct cst_clause *clause, CXType element)
{
    const struct cst_token *name = &clause->operation;
    const char *text = cst_memory_copy(checker->memory, name->text, name->size);
    CXCursor function = cst_ast_function(&checker->ast, text);
    const char *type = cst_type_said(checker->memory, element);
    struct cst_reduction_model *model;

    if (clang_Cursor_isNull(function)) {
        cst_report_error(checker->report, name->place,
                         "'%s' is neither an operator of reductions (+ * min "
                         "max & | ^ && ||) nor a function declared here",
                         text);
        return NULL;
    }
    if (!has_right_type(function, element)) {
        cst_report_error(checker->report, name->place,
                         "'%s' has to be 'void %s(%s *into, const %s *from, "
                         "size_t count)' to combine these elements",
                         text, text, type, type);
        return NULL;
    }
    model = make(checker, element);
    model->function = text;
    return model;
}

const struct cst_reduction_model *
cst_check_reduction(struct cst_checker *checker,
                    const struct cst_clause *clause, CXType element)
{
    const struct cst_token *token = &clause->operation;
    size_t i = 0;
    struct cst_reduction_model *model;

    while (i < OPERATORS_COUNT && !cst_token_is(token, operators[i].text))
        i++;
    if (i == OPERATORS_COUNT && token->kind == CST_TOKEN_NAME)
        return check_user_function(checker, clause, element);
    if (i == OPERATORS_COUNT) {
        cst_report_error(checker->report, token->place,
                         "'%.*s' is no operator of reductions (+ * min max & "
                         "| ^ && ||)",
                         (int)token->size, token->text);
        return NULL;
    }
    if (!cst_type_is_arithmetic(element) ||
        (cst_type_is_floating(element) && !operators[i].on_floating) ||
        (cst_type_is_complex(element) && !operators[i].on_complex)) {
        cst_report_error(checker->report, token->place,
                         "'%.*s' does not work on elements of type '%s'",
                         (int)token->size, token->text,
                         cst_type_said(checker->memory, element));
        return NULL;
    }
    model = make(checker, element);
    model->operation = operators[i].text;
    return model;
}
