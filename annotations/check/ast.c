#include "check/ast.h"

#include <string.h>

/* What the text is called for libclang; there is no such file. */
static const char text_name[] = "/castellcc/unit.c";

/*
 * Keywords of gcc's that clang 14 does not have. They stand for types of the
 * same layout.
 */
static const char *const fixed_flags[] = {
    "-x",
    "c",
    "-w",
    "-ferror-limit=0",
    "-nostdinc",
    "-D_Float16=__fp16",
    "-Xclang",
    "-fallow-half-arguments-and-returns",
    "-D_Float32=float",
    "-D_Float64=double",
    "-D_Float32x=double",
    "-D_Float64x=long double",
    "-D_Float128=__float128",
};

enum {
    FIXED_COUNT = sizeof(fixed_flags) / sizeof(fixed_flags[0]),
    FLAGS_MAX = 64,
};

static size_t offset_of(CXSourceLocation location)
{
    unsigned offset = 0;

    clang_getExpansionLocation(location, NULL, NULL, NULL, &offset);
    return offset;
}

size_t cst_ast_offset(CXCursor cursor)
{
    return offset_of(clang_getRangeStart(clang_getCursorExtent(cursor)));
}

size_t cst_ast_end(CXCursor cursor)
{
    return offset_of(clang_getRangeEnd(clang_getCursorExtent(cursor)));
}

size_t cst_ast_name_offset(CXCursor cursor)
{
    return offset_of(clang_getCursorLocation(cursor));
}

const char *cst_ast_string(struct cst_memory *memory, CXString string)
{
    const char *bytes = clang_getCString(string);
    const char *copy =
        cst_memory_copy(memory, bytes ? bytes : "", bytes ? strlen(bytes) : 0);

    clang_disposeString(string);
    return copy;
}

static enum CXChildVisitResult add_declaration(CXCursor cursor, CXCursor parent,
                                               CXClientData data)
{
    struct cst_ast *ast = data;
    CXFile file = NULL;

    (void)parent;
    clang_getExpansionLocation(clang_getCursorLocation(cursor), &file, NULL,
                               NULL, NULL);
    if (!file)
        return CXChildVisit_Continue; /* built in */
    ast->declarations =
        cst_memory_room(ast->unit->memory, ast->declarations,
                        ast->declarations_count, sizeof(*ast->declarations));
    ast->declarations[ast->declarations_count++] = (struct cst_declaration){
        cursor, cst_ast_offset(cursor), cst_ast_end(cursor)};
    return CXChildVisit_Continue;
}

/* Is it in the text of a pragma that stands alone? */
static bool in_probe(const struct cst_unit *unit, size_t offset)
{
    for (size_t i = 0; i < unit->sites_count; i++)
        if (offset >= unit->sites[i].offset &&
            offset < unit->sites[i].offset + unit->sites[i].size)
            return true;
    return false;
}

/* Remember the first error in the user's own code. */
static void note_errors(struct cst_ast *ast)
{
    unsigned count = clang_getNumDiagnostics(ast->translation);

    for (unsigned i = 0; i < count && !ast->complaint; i++) {
        CXDiagnostic diagnostic = clang_getDiagnostic(ast->translation, i);
        size_t at = offset_of(clang_getDiagnosticLocation(diagnostic));

        if (clang_getDiagnosticSeverity(diagnostic) >= CXDiagnostic_Error &&
            !cst_unit_is_system(ast->unit, at) && !in_probe(ast->unit, at)) {
            ast->complaint = cst_ast_string(
                ast->unit->memory, clang_getDiagnosticSpelling(diagnostic));
            ast->complaint_at = at;
        }
        clang_disposeDiagnostic(diagnostic);
    }
}

bool cst_ast_parse(struct cst_unit *unit, const char *const *flags,
                   struct cst_ast *ret_ast)
{
    const char *arguments[FIXED_COUNT + FLAGS_MAX];
    int count = 0;
    struct CXUnsavedFile file = {.Filename = text_name,
                                 .Contents = unit->text.bytes,
                                 .Length = unit->text.size};
    struct cst_place place = {.file = unit->name, .line = 1};

    for (size_t i = 0; i < FIXED_COUNT; i++)
        arguments[count++] = fixed_flags[i];
    for (size_t i = 0; i < FLAGS_MAX && flags[i]; i++)
        arguments[count++] = flags[i];
    *ret_ast = (struct cst_ast){.unit = unit};
    ret_ast->index = clang_createIndex(0, 0);
    if (clang_parseTranslationUnit2(ret_ast->index, text_name, arguments, count,
                                    &file, 1, CXTranslationUnit_KeepGoing,
                                    &ret_ast->translation) != CXError_Success) {
        cst_report_error(unit->report, place, "libclang cannot read this file");
        cst_ast_release(ret_ast);
        return false;
    }
    clang_visitChildren(clang_getTranslationUnitCursor(ret_ast->translation),
                        add_declaration, ret_ast);
    note_errors(ret_ast);
    return true;
}

void cst_ast_release(struct cst_ast *ast)
{
    if (ast->translation)
        clang_disposeTranslationUnit(ast->translation);
    if (ast->index)
        clang_disposeIndex(ast->index);
    ast->translation = NULL;
    ast->index = NULL;
}
