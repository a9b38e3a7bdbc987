#include "check/types.h"

#include <stdio.h>
#include <string.h>

static enum CXTypeKind kind_of(CXType type)
{
    return clang_getCanonicalType(type).kind;
}

bool cst_type_is_array(CXType type)
{
    enum CXTypeKind kind = kind_of(type);

    return kind == CXType_ConstantArray || kind == CXType_VariableArray ||
           kind == CXType_IncompleteArray;
}

bool cst_type_is_pointer(CXType type)
{
    enum CXTypeKind kind = kind_of(type);

    return kind == CXType_Pointer || kind == CXType_BlockPointer ||
           cst_type_is_array(type);
}

CXType cst_type_target(CXType type)
{
    /* Of the type as written, so that typedefs keep their names. */
    CXType canonical = clang_getCanonicalType(type);
    CXType target;

    if (cst_type_is_array(type)) {
        target = clang_getArrayElementType(type);
        return target.kind == CXType_Invalid
                   ? clang_getArrayElementType(canonical)
                   : target;
    }
    target = clang_getPointeeType(type);
    return target.kind == CXType_Invalid ? clang_getPointeeType(canonical)
                                         : target;
}

bool cst_type_is_function_pointer(CXType type)
{
    CXType at = type;

    /* A pointer to a function, however many pointers lead to it. */
    while (cst_type_is_pointer(at))
        at = cst_type_target(at);
    return kind_of(at) == CXType_FunctionProto ||
           kind_of(at) == CXType_FunctionNoProto ||
           kind_of(type) == CXType_BlockPointer;
}

bool cst_type_is_record(CXType type)
{
    return kind_of(type) == CXType_Record;
}

bool cst_type_is_char(CXType type)
{
    enum CXTypeKind kind = kind_of(type);

    return kind == CXType_Char_S || kind == CXType_Char_U;
}

bool cst_type_is_floating(CXType type)
{
    enum CXTypeKind kind = kind_of(type);

    return kind == CXType_Float || kind == CXType_Double ||
           kind == CXType_LongDouble || kind == CXType_Float128 ||
           kind == CXType_Half || kind == CXType_Float16;
}

bool cst_type_is_complex(CXType type)
{
    return kind_of(type) == CXType_Complex;
}

static bool is_integer(CXType type)
{
    enum CXTypeKind kind = kind_of(type);

    return (kind >= CXType_Bool && kind <= CXType_Int128) ||
           kind == CXType_Enum;
}

bool cst_type_is_arithmetic(CXType type)
{
    return is_integer(type) || cst_type_is_floating(type) ||
           cst_type_is_complex(type);
}

CXType cst_type_innermost(CXType type)
{
    while (cst_type_is_array(type))
        type = cst_type_target(type);
    return type;
}

bool cst_type_has_size(CXType type)
{
    CXType innermost = cst_type_innermost(type);
    enum CXTypeKind kind = kind_of(innermost);

    if (kind == CXType_Void || kind == CXType_FunctionProto ||
        kind == CXType_FunctionNoProto || kind == CXType_Invalid)
        return false;
    return clang_Type_getSizeOf(innermost) != CXTypeLayoutError_Incomplete;
}

bool cst_type_is_const(CXType type)
{
    CXType canonical = clang_getCanonicalType(type);

    if (clang_isConstQualifiedType(canonical))
        return true;
    if (!cst_type_is_array(type))
        return false;
    return clang_isConstQualifiedType(
        clang_getCanonicalType(cst_type_innermost(canonical)));
}

const char *cst_type_said(struct cst_memory *memory, CXType type)
{
    return cst_ast_string(memory, clang_getTypeSpelling(type));
}

/* The spelling, with the compiler's name for what libclang calls __fp16. */
static const char *spelling(struct cst_memory *memory, CXType type)
{
    const char *text = cst_type_said(memory, type);
    const char *half = strstr(text, "__fp16");

    /* clang writes "struct (unnamed at ...)", older ones "anonymous". */
    if (strstr(text, "(unnamed") || strstr(text, "(anonymous"))
        return NULL;
    if (half)
        return cst_memory_format(memory, "%.*s_Float16%s", (int)(half - text),
                                 text, half + strlen("__fp16"));
    return text;
}

const char *cst_type_text(struct cst_memory *memory, CXType type)
{
    bool array = cst_type_is_array(type);
    const char *text = spelling(memory, array ? cst_type_target(type) : type);

    if (!text)
        return NULL;
    return cst_memory_format(memory, "__typeof__(%s)%s", text,
                             array ? " *" : "");
}

const char *cst_type_bare_text(struct cst_memory *memory, CXType type)
{
    CXType canonical = clang_getCanonicalType(type);
    const char *text;
    bool again = true;

    /* A name that was qualified by a typedef is given up for the canonical
       one. */
    text = spelling(memory, clang_isConstQualifiedType(canonical) ||
                                    clang_isVolatileQualifiedType(canonical)
                                ? canonical
                                : type);
    while (text && again) {
        again = false;
        if (strncmp(text, "const ", 6) == 0) {
            text += 6;
            again = true;
        } else if (strncmp(text, "volatile ", 9) == 0) {
            text += 9;
            again = true;
        }
    }
    return text;
}

enum cst_format cst_type_format(CXType type)
{
    CXType canonical = clang_getCanonicalType(type);

    if (cst_type_is_floating(type))
        return canonical.kind == CXType_LongDouble ||
                       canonical.kind == CXType_Float128
                   ? CST_FORMAT_LONG_DOUBLE
                   : CST_FORMAT_FLOATING;
    if (cst_type_is_pointer(type))
        return cst_type_is_char(cst_type_target(type)) ? CST_FORMAT_STRING
                                                       : CST_FORMAT_NONE;
    if (!is_integer(type))
        return CST_FORMAT_NONE;
    return canonical.kind >= CXType_Bool && canonical.kind <= CXType_UInt128
               ? CST_FORMAT_UNSIGNED
               : CST_FORMAT_SIGNED;
}

/* ---- Members of records --------------------------------------------- */

struct search {
    struct cst_memory *memory;
    const char *name; /* looked for; NULL: a pointer */
    size_t size;
    CXType found;
    const char *path;
};

static enum CXVisitorResult visit_member(CXCursor cursor, CXClientData data)
{
    struct search *search = data;
    const char *name =
        cst_ast_string(search->memory, clang_getCursorSpelling(cursor));
    CXType type = clang_getCursorType(cursor);

    if (search->name) {
        if (strlen(name) != search->size ||
            memcmp(name, search->name, search->size) != 0)
            return CXVisit_Continue;
    } else if (kind_of(cst_type_innermost(type)) != CXType_Pointer) {
        return CXVisit_Continue;
    }
    search->found = type;
    search->path = name;
    return CXVisit_Break;
}

CXType cst_type_member(struct cst_memory *memory, CXType type, const char *name,
                       size_t size)
{
    struct search search = {.memory = memory, .name = name, .size = size};

    (void)clang_Type_visitFields(clang_getCanonicalType(type), visit_member,
                                 &search);
    return search.found;
}

const char *cst_type_pointer_member(struct cst_memory *memory, CXType type)
{
    struct search search = {.memory = memory};

    (void)clang_Type_visitFields(clang_getCanonicalType(type), visit_member,
                                 &search);
    return search.path;
}
