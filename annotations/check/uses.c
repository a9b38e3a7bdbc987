/* A walk over all code of the user's: how tasks and globals are used. */
#include "check/check_internal.h"

#include <stdlib.h>
#include <string.h>

struct walker {
    struct cst_checker *checker;
    struct cst_path path;
    const struct cst_subject *inside; /* whose body it is, or NULL */
    CXCursor *globals;                /* already warned of in it */
    size_t globals_count;
    CXCursor *prepared; /* what bodies of replicated tasks touch */
    size_t prepared_count;
};

static const struct cst_subject *find_task(const struct cst_checker *checker,
                                           CXCursor function)
{
    CXCursor canonical = clang_getCanonicalCursor(function);

    for (size_t i = 0; i < checker->subjects_count; i++)
        if (!checker->subjects[i]->implements &&
            clang_equalCursors(checker->subjects[i]->canonical, canonical))
            return checker->subjects[i];
    return NULL;
}

/* Keep the path so that it ends with the cursor, whose parent is known. */
static void move(struct walker *walker, CXCursor cursor, CXCursor parent)
{
    struct cst_path *path = &walker->path;
    unsigned index = 0;

    while (path->count > 0 &&
           !clang_equalCursors(path->frames[path->count - 1].cursor, parent))
        path->count--;
    if (path->count > 0)
        index = path->frames[path->count - 1].children++;
    if (path->count == path->room) {
        path->room = path->room ? 2 * path->room : 64;
        path->frames =
            realloc(path->frames, path->room * sizeof(*path->frames));
        if (!path->frames)
            cst_memory_exhausted();
    }
    path->frames[path->count++] =
        (struct cst_frame){.cursor = cursor, .index = index};
}

/* ---- Calls ---------------------------------------------------------- */

/* Behind the last byte that can be the ')' of a call without arguments. */
static size_t closing_offset(CXCursor call)
{
    return cst_ast_end(call) - 1;
}

static void add_call(struct walker *walker, CXCursor call, CXCursor name,
                     const struct cst_subject *subject)
{
    struct cst_checker *checker = walker->checker;
    struct cst_model *model = checker->model;
    int count = clang_Cursor_getNumArguments(call);
    struct cst_call_model *made;
    struct cst_place place =
        cst_unit_place(checker->unit, cst_ast_name_offset(name));

    place.width = (unsigned)strlen(subject->body->name);
    if (subject->body->returns_int && cst_value_is_used(checker, &walker->path))
        cst_report_error(checker->report, place,
                         "the value of task '%s' cannot be used: the task runs "
                         "later (let it write its result)",
                         subject->body->name);
    if (cst_ast_name_offset(name) < subject->body->before)
        cst_report_error(checker->report, place,
                         "'%s' is called before its annotation: annotate its "
                         "first declaration",
                         subject->body->name);
    model->calls = cst_memory_room(checker->memory, model->calls,
                                   model->calls_count, sizeof(*model->calls));
    made = &model->calls[model->calls_count++];
    *made = (struct cst_call_model){
        .task = subject->task,
        .name = cst_ast_name_offset(name),
        .has_arguments = count > 0,
        .arguments = count > 0
                         ? cst_ast_offset(clang_Cursor_getArgument(call, 0))
                         : closing_offset(call),
    };
}

/*
 * The call whose callee the path's last cursor is, at most in parentheses, or
 * a null cursor. The path is cut so that it ends with the call.
 */
static CXCursor find_call(struct walker *walker)
{
    struct cst_path *path = &walker->path;
    size_t i = path->count - 1;

    while (i > 0) {
        const struct cst_frame *parent = &path->frames[i - 1];
        unsigned kind = clang_getCursorKind(parent->cursor);

        switch (kind) {
        case CXCursor_ParenExpr:
        case CXCursor_UnexposedExpr:
        case CXCursor_UnaryOperator:
            i--;
            break;
        case CXCursor_CallExpr:
            if (path->frames[i].index != 0)
                return clang_getNullCursor();
            return parent->cursor;
        default:
            return clang_getNullCursor();
        }
    }
    return clang_getNullCursor();
}

static void check_task_use(struct walker *walker, CXCursor name,
                           const struct cst_subject *subject)
{
    struct cst_checker *checker = walker->checker;
    CXCursor call = find_call(walker);
    size_t count = walker->path.count;

    if (clang_Cursor_isNull(call)) {
        struct cst_place place =
            cst_unit_place(checker->unit, cst_ast_name_offset(name));

        place.width = (unsigned)strlen(subject->body->name);
        if (checker->options->warn_addresses)
            cst_report_warning(checker->report, place,
                               "the address of task '%s' is taken: called "
                               "through it, it runs at once and is no task "
                               "[-Wcastell-addresses]",
                               subject->body->name);
        return;
    }
    while (!clang_equalCursors(
        walker->path.frames[walker->path.count - 1].cursor, call))
        walker->path.count--;
    add_call(walker, call, name, subject);
    walker->path.count = count;
}

/* ---- Globals -------------------------------------------------------- */

static bool is_shared(const struct cst_checker *checker, CXCursor variable)
{
    CXType type = clang_getCursorType(variable);
    enum CXCursorKind parent =
        clang_getCursorKind(clang_getCursorSemanticParent(variable));
    enum CX_StorageClass storage = clang_Cursor_getStorageClass(variable);

    if (parent != CXCursor_TranslationUnit && storage != CX_SC_Static &&
        storage != CX_SC_Extern)
        return false;
    return !cst_type_is_const(type) &&
           clang_getCursorTLSKind(variable) == CXTLS_None &&
           !cst_unit_is_system(checker->unit, cst_ast_offset(variable));
}

static bool is_among(const CXCursor *cursors, size_t count, CXCursor cursor)
{
    for (size_t i = 0; i < count; i++)
        if (clang_equalCursors(cursors[i], cursor))
            return true;
    return false;
}

static void note(struct walker *walker, CXCursor **cursors, size_t *count,
                 CXCursor cursor)
{
    *cursors = cst_memory_room(walker->checker->memory, *cursors, *count,
                               sizeof(**cursors));
    (*cursors)[(*count)++] = cursor;
}

/* Replicated tasks are there to prepare globals, on each node, for the bodies
   that come after them in the text. */
static bool is_prepared(struct walker *walker, CXCursor variable)
{
    const struct cst_task_model *task = walker->inside->task;

    if (is_among(walker->prepared, walker->prepared_count, variable))
        return true;
    if (!task || !task->replicated)
        return false;
    note(walker, &walker->prepared, &walker->prepared_count, variable);
    return true;
}

static void check_global_use(struct walker *walker, CXCursor use,
                             CXCursor variable)
{
    struct cst_checker *checker = walker->checker;
    struct cst_place place;
    const char *name;

    if (!walker->inside || !checker->options->warn_globals ||
        !is_shared(checker, variable) || is_prepared(walker, variable) ||
        is_among(walker->globals, walker->globals_count, variable))
        return;
    note(walker, &walker->globals, &walker->globals_count, variable);
    name = cst_ast_string(checker->memory, clang_getCursorSpelling(variable));
    place = cst_unit_place(checker->unit, cst_ast_name_offset(use));
    place.width = (unsigned)strlen(name);
    cst_report_warning(checker->report, place,
                       "the body of '%s' touches '%s', which is not among its "
                       "arguments: tasks may run at the same time, or in "
                       "another process [-Wcastell-globals]",
                       walker->inside->body->name, name);
}

/* ---- The walk ------------------------------------------------------- */

static enum CXChildVisitResult visit(CXCursor cursor, CXCursor parent,
                                     CXClientData data)
{
    struct walker *walker = data;
    enum CXCursorKind kind = clang_getCursorKind(cursor);

    move(walker, cursor, parent);
    if (kind == CXCursor_DeclRefExpr) {
        CXCursor referenced = clang_getCursorReferenced(cursor);
        const struct cst_subject *subject;

        if (clang_getCursorKind(referenced) == CXCursor_VarDecl) {
            check_global_use(walker, cursor, referenced);
        } else if (clang_getCursorKind(referenced) == CXCursor_FunctionDecl) {
            subject = find_task(walker->checker, referenced);
            if (subject)
                check_task_use(walker, cursor, subject);
        }
    } else if (kind == CXCursor_CompoundStmt) {
        cst_statements_block(walker->checker, &walker->path);
    }
    return CXChildVisit_Recurse;
}

static const struct cst_subject *find_inside(const struct cst_checker *checker,
                                             CXCursor function)
{
    CXCursor canonical = clang_getCanonicalCursor(function);

    for (size_t i = 0; i < checker->subjects_count; i++)
        if (clang_equalCursors(checker->subjects[i]->canonical, canonical))
            return checker->subjects[i];
    return NULL;
}

void cst_check_uses(struct cst_checker *checker)
{
    struct walker walker = {.checker = checker};

    cst_statements_start(checker);
    for (size_t i = 0; i < checker->ast.declarations_count; i++) {
        const struct cst_declaration *declaration =
            &checker->ast.declarations[i];
        enum CXCursorKind kind = clang_getCursorKind(declaration->cursor);

        if ((kind != CXCursor_FunctionDecl && kind != CXCursor_VarDecl) ||
            cst_unit_is_system(checker->unit, declaration->start))
            continue;
        walker.inside = NULL;
        walker.globals = NULL;
        walker.globals_count = 0;
        if (kind == CXCursor_FunctionDecl)
            walker.inside = find_inside(checker, declaration->cursor);
        walker.path.count = 0;
        move(&walker, declaration->cursor, clang_getNullCursor());
        clang_visitChildren(declaration->cursor, visit, &walker);
    }
    free(walker.path.frames);
    cst_statements_finish(checker);
}
