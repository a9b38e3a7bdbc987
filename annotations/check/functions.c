/* Which function each pragma is about. */
#include "check/check_internal.h"

#include <stdlib.h>
#include <string.h>

/*
 * The declaration at file scope that follows a pragma; NULL: none. libclang
 * lists a struct that a declaration declares on its way before that one.
 */
static const struct cst_declaration *
find_declaration(const struct cst_checker *checker, size_t offset)
{
    const struct cst_ast *ast = &checker->ast;
    const struct cst_declaration *first = NULL;

    for (size_t i = 0; i < ast->declarations_count; i++) {
        const struct cst_declaration *one = &ast->declarations[i];

        if (one->start >= offset) {
            if (!first || one->start < first->start ||
                (one->start == first->start &&
                 clang_getCursorKind(first->cursor) != CXCursor_FunctionDecl))
                first = one;
        } else if (one->end > offset) {
            return NULL; /* the pragma stands in the middle of it */
        }
    }
    return first;
}

/*
 * Behind the ';' or '}' of a declaration that ends at `end` or later: libclang
 * leaves attributes out. 0: something else is declared with it.
 */
static size_t find_end(const struct cst_checker *checker, CXCursor cursor)
{
    const char *bytes = checker->unit->text.bytes;
    size_t at = cst_ast_end(cursor);
    int depth = 0;

    if (clang_isCursorDefinition(cursor))
        return at;
    for (; bytes[at]; at++) {
        depth += bytes[at] == '(';
        depth -= bytes[at] == ')';
        if (bytes[at] == ';' && depth == 0)
            return at + 1;
        if (bytes[at] == ',' && depth == 0)
            return 0;
    }
    return 0;
}

static struct cst_place name_place(const struct cst_checker *checker,
                                   CXCursor cursor, const char *name)
{
    struct cst_place place =
        cst_unit_place(checker->unit, cst_ast_name_offset(cursor));

    place.width = (unsigned)strlen(name);
    return place;
}

static void read_parameters(struct cst_checker *checker,
                            struct cst_subject *subject)
{
    struct cst_body_model *body = subject->body;
    int count = clang_Cursor_getNumArguments(subject->cursor);

    body->parameters_count = count > 0 ? (size_t)count : 0;
    body->parameters =
        cst_memory_take(checker->memory, (body->parameters_count + 1) *
                                             sizeof(*body->parameters));
    subject->types = cst_memory_take(
        checker->memory, (body->parameters_count + 1) * sizeof(CXType));
    subject->claims = cst_memory_take(
        checker->memory, (body->parameters_count + 1) * sizeof(void *));
    for (size_t i = 0; i < body->parameters_count; i++) {
        struct cst_parameter *parameter = &body->parameters[i];
        CXCursor cursor =
            clang_Cursor_getArgument(subject->cursor, (unsigned)i);
        CXType type = clang_getCursorType(cursor);

        parameter->name =
            cst_ast_string(checker->memory, clang_getCursorSpelling(cursor));
        parameter->place = name_place(checker, cursor, parameter->name);
        if (!*parameter->name)
            parameter->name =
                cst_memory_format(checker->memory, "__castell_p%zu", i);
        parameter->type = cst_type_text(checker->memory, type);
        if (cst_type_is_record(type))
            parameter->bare_type = cst_type_bare_text(checker->memory, type);
        parameter->is_pointer = cst_type_is_pointer(type);
        parameter->format = cst_type_format(type);
        subject->types[i] = type;
        if (!parameter->type)
            cst_report_error(checker->report, parameter->place,
                             "the type of parameter '%s' needs a name",
                             parameter->name);
    }
}

/* What a task function may not be. */
static void check_function(struct cst_checker *checker,
                           struct cst_subject *subject)
{
    CXType result =
        clang_getCanonicalType(clang_getCursorResultType(subject->cursor));

    subject->body->returns_int = result.kind == CXType_Int;
    if (result.kind != CXType_Int && result.kind != CXType_Void)
        cst_report_error(checker->report, subject->body->place,
                         "a task function returns void, or int to tell "
                         "whether it failed: '%s' returns '%s'",
                         subject->body->name,
                         cst_type_said(checker->memory, result));
    if (clang_Cursor_isVariadic(subject->cursor))
        cst_report_error(checker->report, subject->body->place,
                         "a task function cannot take a variable number of "
                         "arguments");
    if (strcmp(subject->body->name, "main") == 0)
        cst_report_error(checker->report, subject->body->place,
                         "main() cannot be a task");
}

static struct cst_subject *find_subject(struct cst_checker *checker,
                                        CXCursor canonical)
{
    for (size_t i = 0; i < checker->subjects_count; i++)
        if (clang_equalCursors(checker->subjects[i]->canonical, canonical))
            return checker->subjects[i];
    return NULL;
}

/* ---- Two annotations of one function -------------------------------- */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A clause as text, in which parameters are numbers. */
static char *clause_text(struct cst_checker *checker,
                         const struct cst_clause *clause,
                         const struct cst_body_model *body)
{
    struct cst_text text = {0};
    char *copy;

    cst_text_format(&text, "%d", (int)clause->kind);
    for (size_t i = 0; i < clause->all.count; i++) {
        const struct cst_token *token = &clause->all.items[i];
        size_t parameter = body->parameters_count;

        if (token->kind == CST_TOKEN_NAME)
            parameter = cst_find_parameter(body, token->text, token->size);
        if (parameter < body->parameters_count)
            cst_text_format(&text, " @%zu", parameter);
        else
            cst_text_format(&text, " %.*s", (int)token->size, token->text);
    }
    copy = cst_memory_copy(checker->memory, text.bytes, text.size);
    cst_text_release(&text);
    return copy;
}

/* All clauses as one text that does not depend on their order. */
static const char *meaning(struct cst_checker *checker,
                           const struct cst_body_model *body)
{
    const struct cst_pragma *pragma = &body->site->pragma;
    char **texts = cst_memory_take(
        checker->memory, (pragma->clauses_count + 1) * sizeof(*texts));
    const char *all = pragma->kind == CST_PRAGMA_TASK ? "task" : "";

    for (size_t i = 0; i < pragma->clauses_count; i++)
        texts[i] = clause_text(checker, &pragma->clauses[i], body);
    qsort(texts, pragma->clauses_count, sizeof(*texts), compare_texts);
    for (size_t i = 0; i < pragma->clauses_count; i++)
        all = cst_memory_format(checker->memory, "%s\n%s", all, texts[i]);
    return all;
}

static void check_same(struct cst_checker *checker,
                       const struct cst_subject *first,
                       const struct cst_subject *second)
{
    if (first->body->parameters_count == second->body->parameters_count &&
        strcmp(meaning(checker, first->body), meaning(checker, second->body)) ==
            0)
        return;
    cst_report_error(checker->report, second->body->site->pragma.place,
                     "this annotation of '%s' differs from another one",
                     second->body->name);
    cst_report_note(checker->report, first->body->site->pragma.place,
                    "the other one is here");
}

/* ---- Implementations ------------------------------------------------ */

/* A type's text without what stands in brackets: lengths may be spelt
   differently. */
static const char *without_lengths(struct cst_checker *checker, CXType type)
{
    char *text = cst_memory_format(
        checker->memory, "%s",
        cst_type_said(checker->memory, clang_getCanonicalType(type)));
    char *to = text;
    int depth = 0;

    for (const char *from = text; *from; from++) {
        depth += *from == '[';
        if (depth == 0 || *from == '[')
            *to++ = *from;
        depth -= *from == ']';
    }
    *to = '\0';
    return text;
}

static bool same_type(struct cst_checker *checker, CXType a, CXType b)
{
    return clang_equalTypes(clang_getCanonicalType(a),
                            clang_getCanonicalType(b)) ||
           strcmp(without_lengths(checker, a), without_lengths(checker, b)) ==
               0;
}

/* Does it take what the task that it implements takes? */
static void check_parameters(struct cst_checker *checker,
                             const struct cst_subject *subject,
                             const struct cst_subject *of)
{
    CXType mine = clang_getCursorType(subject->canonical);
    CXType theirs = clang_getCursorType(of->canonical);
    size_t count = subject->body->parameters_count;
    size_t wrong = 0;

    if (count == of->body->parameters_count)
        while (wrong < count &&
               same_type(checker, clang_getArgType(mine, (unsigned)wrong),
                         clang_getArgType(theirs, (unsigned)wrong)))
            wrong++;
    if (count == of->body->parameters_count && wrong == count)
        return;
    cst_report_error(checker->report,
                     wrong < count ? subject->body->parameters[wrong].place
                                   : subject->body->place,
                     "'%s' takes other parameters than '%s', which it "
                     "implements",
                     subject->body->name, of->body->name);
    cst_report_note(checker->report, of->body->place, "'%s' is declared here",
                    of->body->name);
}

static void link_implementation(struct cst_checker *checker,
                                struct cst_subject *subject)
{
    const struct cst_clause *clause = cst_pragma_find(
        &subject->body->site->pragma, CST_CLAUSE_IMPLEMENTS, NULL);
    const struct cst_token *name = &clause->all.items[0];
    struct cst_task_model *task;

    for (size_t i = 0; i < checker->subjects_count; i++) {
        struct cst_subject *other = checker->subjects[i];

        if (other->implements || strlen(other->body->name) != name->size ||
            memcmp(other->body->name, name->text, name->size) != 0)
            continue;
        task = other->task;
        subject->task = task;
        task->implementations =
            cst_memory_room(checker->memory, task->implementations,
                            task->implementations_count, sizeof(void *));
        task->implementations[task->implementations_count++] = subject->body;
        check_parameters(checker, subject, other);
        return;
    }
    cst_report_error(checker->report, name->place,
                     "'%.*s' is no task: no task pragma above names it",
                     (int)name->size, name->text);
}

/* ---- Subjects ------------------------------------------------------- */

static struct cst_subject *make_subject(struct cst_checker *checker,
                                        const struct cst_site *site,
                                        CXCursor cursor)
{
    struct cst_subject *subject =
        cst_memory_take(checker->memory, sizeof(*subject));
    struct cst_body_model *body;

    subject->implements = site->pragma.kind == CST_PRAGMA_IMPLEMENTS;
    if (subject->implements) {
        subject->body =
            cst_memory_take(checker->memory, sizeof(*subject->body));
    } else {
        subject->task =
            cst_memory_take(checker->memory, sizeof(*subject->task));
        subject->body = &subject->task->body;
    }
    subject->cursor = cursor;
    subject->canonical = clang_getCanonicalCursor(cursor);
    body = subject->body;
    body->name =
        cst_ast_string(checker->memory, clang_getCursorSpelling(cursor));
    body->place = name_place(checker, cursor, body->name);
    body->site = site;
    body->is_static = clang_getCursorLinkage(cursor) == CXLinkage_Internal;
    body->is_defined = !clang_Cursor_isNull(clang_getCursorDefinition(cursor));
    body->before = site->offset;
    body->after = find_end(checker, cursor);
    read_parameters(checker, subject);
    return subject;
}

static void add_task(struct cst_checker *checker, struct cst_subject *subject)
{
    struct cst_model *model = checker->model;
    const char *slash = strrchr(checker->unit->name, '/');
    const char *file = slash ? slash + 1 : checker->unit->name;

    subject->task->kind_name =
        subject->body->is_static ? cst_memory_format(checker->memory, "%s:%s",
                                                     file, subject->body->name)
                                 : subject->body->name;
    model->tasks = cst_memory_room(checker->memory, model->tasks,
                                   model->tasks_count, sizeof(void *));
    model->tasks[model->tasks_count++] = subject->task;
}

static void check_site(struct cst_checker *checker, const struct cst_site *site)
{
    const struct cst_declaration *declaration =
        find_declaration(checker, site->offset);
    struct cst_subject *subject, *before;

    if (!declaration ||
        clang_getCursorKind(declaration->cursor) != CXCursor_FunctionDecl) {
        cst_report_error(checker->report, site->pragma.place,
                         "this pragma must stand before the declaration of a "
                         "function");
        return;
    }
    subject = make_subject(checker, site, declaration->cursor);
    if (!site->header_seen)
        cst_report_error(checker->report, site->pragma.place,
                         "#include <castell.h> is missing before this");
    if (subject->body->after == 0)
        cst_report_error(checker->report, subject->body->place,
                         "an annotated declaration declares one function");
    check_function(checker, subject);
    before = find_subject(checker, subject->canonical);
    if (before) {
        check_same(checker, before, subject);
        return;
    }
    if (subject->implements)
        link_implementation(checker, subject);
    else
        add_task(checker, subject);
    checker->subjects =
        cst_memory_room(checker->memory, checker->subjects,
                        checker->subjects_count, sizeof(void *));
    checker->subjects[checker->subjects_count++] = subject;
}

void cst_check_functions(struct cst_checker *checker)
{
    for (size_t i = 0; i < checker->unit->sites_count; i++) {
        const struct cst_site *site = &checker->unit->sites[i];

        if (site->pragma.kind == CST_PRAGMA_TASK ||
            site->pragma.kind == CST_PRAGMA_IMPLEMENTS)
            check_site(checker, site);
    }
}

size_t cst_find_parameter(const struct cst_body_model *body, const char *name,
                          size_t size)
{
    size_t i = 0;

    while (i < body->parameters_count &&
           (strlen(body->parameters[i].name) != size ||
            memcmp(body->parameters[i].name, name, size) != 0))
        i++;
    return i;
}
