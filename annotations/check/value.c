/* Is the value of an expression used? */
#include "check/check_internal.h"

/* Blanks, line ends and line markers. */
static size_t skip_forward(const char *bytes, size_t at)
{
    while (bytes[at] == ' ' || bytes[at] == '\t' || bytes[at] == '\n' ||
           bytes[at] == ')' || bytes[at] == '#') {
        if (bytes[at] == '#')
            while (bytes[at] && bytes[at] != '\n')
                at++;
        else
            at++;
    }
    return at;
}

/* Does a ',' stand behind the left operand of this operator? */
static bool is_comma(const struct cst_checker *checker, CXCursor left)
{
    const char *bytes = checker->unit->text.bytes;

    return bytes[skip_forward(bytes, cst_ast_end(left))] == ',';
}

static enum CXChildVisitResult take_first(CXCursor cursor, CXCursor parent,
                                          CXClientData data)
{
    (void)parent;
    *(CXCursor *)data = cursor;
    return CXChildVisit_Break;
}

enum use { UNUSED = 0, USED, AS_PARENT };

/* How a parent uses the value of its child. */
static enum use use_of(const struct cst_checker *checker,
                       const struct cst_frame *parent,
                       const struct cst_frame *child)
{
    CXCursor left = clang_getNullCursor();
    unsigned kind = clang_getCursorKind(parent->cursor);

    switch (kind) {
    case CXCursor_CompoundStmt:
    case CXCursor_LabelStmt:
    case CXCursor_DefaultStmt:
    case CXCursor_ForStmt: /* as condition: the compiler will say so */
        return UNUSED;
    case CXCursor_IfStmt:
    case CXCursor_WhileStmt:
    case CXCursor_SwitchStmt:
    case CXCursor_CaseStmt:
        return child->index == 0 ? USED : UNUSED;
    case CXCursor_DoStmt:
        return child->index == 0 ? UNUSED : USED;
    case CXCursor_ParenExpr:
    case CXCursor_UnexposedExpr:
    case CXCursor_UnexposedStmt:
        return AS_PARENT;
    case CXCursor_ConditionalOperator:
        return child->index == 0 ? USED : AS_PARENT;
    case CXCursor_CStyleCastExpr:
        return clang_getCanonicalType(clang_getCursorType(parent->cursor))
                           .kind == CXType_Void
                   ? UNUSED
                   : USED;
    case CXCursor_BinaryOperator:
        clang_visitChildren(parent->cursor, take_first, &left);
        if (!is_comma(checker, left))
            return USED;
        return child->index == 0 ? UNUSED : AS_PARENT;
    default:
        return USED;
    }
}

bool cst_value_is_used(const struct cst_checker *checker,
                       const struct cst_path *path)
{
    for (size_t i = path->count; i > 1; i--) {
        enum use use =
            use_of(checker, &path->frames[i - 2], &path->frames[i - 1]);

        if (use != AS_PARENT)
            return use == USED;
    }
    return true;
}
