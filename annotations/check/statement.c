/* Pragmas that stand alone: are they where a statement may be? */
#include "check/check_internal.h"

#include <string.h>

static struct cst_statement_model *add_statement(struct cst_checker *checker,
                                                 const struct cst_site *site)
{
    struct cst_model *model = checker->model;
    struct cst_statement_model *statement;

    model->statements =
        cst_memory_room(checker->memory, model->statements,
                        model->statements_count, sizeof(*model->statements));
    statement = &model->statements[model->statements_count++];
    *statement = (struct cst_statement_model){.site = site};
    return statement;
}

/* The offset of the '{' that follows a pragma; 0: something else does. */
static size_t find_block(const struct cst_checker *checker,
                         const struct cst_site *site)
{
    const char *bytes = checker->unit->text.bytes;
    size_t at = site->offset;

    while (bytes[at] == ' ' || bytes[at] == '\t' || bytes[at] == '\n' ||
           bytes[at] == '#') {
        if (bytes[at] == '#')
            at += strcspn(bytes + at, "\n");
        else
            at++;
    }
    for (size_t i = 0; i < checker->unit->sites_count; i++)
        if (checker->unit->sites[i].size > 0 &&
            checker->unit->sites[i].offset == at)
            return 0;
    return bytes[at] == '{' ? at : 0;
}

void cst_statements_start(struct cst_checker *checker)
{
    for (size_t i = 0; i < checker->unit->sites_count; i++) {
        const struct cst_site *site = &checker->unit->sites[i];
        struct cst_statement_model *statement;

        if (!cst_pragma_stands_alone(site->pragma.kind))
            continue;
        statement = add_statement(checker, site);
        statement->wholes = cst_memory_take(
            checker->memory, site->pragma.clauses[0].sections_count + 1);
        if (site->pragma.kind == CST_PRAGMA_GROUP)
            statement->block = find_block(checker, site);
        if (!site->header_seen)
            cst_report_error(checker->report, site->pragma.place,
                             "#include <castell.h> is missing before this");
    }
}

/* ---- Objects -------------------------------------------------------- */

struct probe {
    struct cst_checker *checker;
    struct cst_statement_model *statement;
    size_t index; /* of the section */
};

static enum CXChildVisitResult find_operand(CXCursor cursor, CXCursor parent,
                                            CXClientData data)
{
    /* (void)sizeof(x): the parentheses behind sizeof, not decayed. */
    if (clang_getCursorKind(parent) == CXCursor_UnaryExpr) {
        *(CXType *)data = clang_getCursorType(cursor);
        return CXChildVisit_Break;
    }
    return CXChildVisit_Recurse;
}

/* What is saved under one name is one region: rows at equal distances. */
static void check_rows(const struct probe *probe,
                       const struct cst_section *section, const char *name)
{
    const struct cst_site *site = probe->statement->site;
    size_t sections = 0;

    for (size_t i = 0; i < section->dimensions_count; i++)
        sections += !section->dimensions[i].is_index;
    if (sections > 2 && cst_pragma_is_checkpoint(site->pragma.kind))
        cst_report_error(probe->checker->report,
                         cst_tokens_place(section->object),
                         "'%s' is saved in more than two dimensions: name its "
                         "planes, or all of it as one",
                         name);
}

static void check_object(struct probe *probe, CXType type)
{
    const struct cst_clause *clause =
        &probe->statement->site->pragma.clauses[0];
    const struct cst_section *section = &clause->sections[probe->index];
    struct cst_report *report = probe->checker->report;
    struct cst_place place = cst_tokens_place(section->object);
    const char *name = cst_tokens_text(probe->checker->memory, section->object);
    bool whole =
        !section->is_element && section->object.count == section->all.count;

    probe->statement->wholes[probe->index] = whole;
    if (type.kind == CXType_Invalid)
        return; /* it is no expression, which was said */
    if (whole ? cst_type_is_pointer(type) && !cst_type_is_array(type)
              : !cst_type_is_pointer(type))
        cst_report_error(report, place,
                         whole ? "'%s' is a pointer: say how much of it, as in "
                                 "%s[0:n] or *%s"
                               : "'%s' is neither an array nor a pointer",
                         name, name, name);
    else if (!cst_type_has_size(whole ? type : cst_type_target(type)))
        cst_report_error(report, place, "what '%s' is has no size", name);
    if (whole)
        return;
    type = cst_type_target(type);
    for (size_t i = 0, sections = 0; i < section->dimensions_count; i++) {
        bool started = sections > 0;

        sections += !section->dimensions[i].is_index || started;
        if (!started)
            continue;
        if (!cst_type_is_array(type)) {
            cst_report_error(report, section->dimensions[i].place,
                             "'%s' has not that many dimensions: a section of "
                             "several needs an array of arrays, not pointers",
                             name);
            return;
        }
        type = cst_type_target(type);
    }
    check_rows(probe, section, name);
}

static enum CXChildVisitResult visit_probe(CXCursor cursor, CXCursor parent,
                                           CXClientData data)
{
    struct probe *probe = data;
    CXType type = {0};

    (void)parent;
    if (probe->index ==
        probe->statement->site->pragma.clauses[0].sections_count)
        return CXChildVisit_Break;
    clang_visitChildren(cursor, find_operand, &type);
    check_object(probe, type);
    probe->index++;
    return CXChildVisit_Continue;
}

/* ---- The walk ------------------------------------------------------- */

static bool may_hold_statements(const struct cst_path *path)
{
    enum CXCursorKind kind;

    if (path->count < 2)
        return false;
    kind = clang_getCursorKind(path->frames[path->count - 2].cursor);
    return kind == CXCursor_CompoundStmt || kind == CXCursor_LabelStmt ||
           kind == CXCursor_CaseStmt || kind == CXCursor_DefaultStmt;
}

/* Errors that libclang found in a probe, told as ours. Were there any? */
static bool report_probe_errors(struct cst_checker *checker,
                                const struct cst_site *site)
{
    unsigned count = clang_getNumDiagnostics(checker->ast.translation);
    unsigned errors = checker->report->errors;

    for (unsigned i = 0; i < count; i++) {
        CXDiagnostic diagnostic =
            clang_getDiagnostic(checker->ast.translation, i);
        unsigned offset = 0;

        clang_getExpansionLocation(clang_getDiagnosticLocation(diagnostic),
                                   NULL, NULL, NULL, &offset);
        if (offset >= site->offset && offset < site->offset + site->size &&
            clang_getDiagnosticSeverity(diagnostic) >= CXDiagnostic_Error)
            cst_report_error(
                checker->report, cst_unit_place(checker->unit, offset), "%s",
                cst_ast_string(checker->memory,
                               clang_getDiagnosticSpelling(diagnostic)));
        clang_disposeDiagnostic(diagnostic);
    }
    return checker->report->errors > errors;
}

static void found_probe(struct cst_checker *checker,
                        struct cst_statement_model *statement,
                        const struct cst_path *path)
{
    struct probe probe = {.checker = checker, .statement = statement};
    const struct cst_site *site = statement->site;

    statement->found = true;
    if (!may_hold_statements(path)) {
        cst_report_error(checker->report, site->pragma.place,
                         "this pragma is a statement and cannot be the only "
                         "one here: put it in braces with what follows");
        return;
    }
    if (report_probe_errors(checker, site))
        return;
    clang_visitChildren(path->frames[path->count - 1].cursor, visit_probe,
                        &probe);
}

void cst_statements_block(struct cst_checker *checker,
                          const struct cst_path *path)
{
    size_t offset = cst_ast_offset(path->frames[path->count - 1].cursor);

    for (size_t i = 0; i < checker->model->statements_count; i++) {
        struct cst_statement_model *statement = &checker->model->statements[i];

        if (statement->site->size == 0)
            statement->found |= statement->block == offset;
        else if (statement->site->offset == offset)
            found_probe(checker, statement, path);
    }
}

void cst_statements_finish(struct cst_checker *checker)
{
    for (size_t i = 0; i < checker->model->statements_count; i++) {
        const struct cst_statement_model *statement =
            &checker->model->statements[i];
        const struct cst_site *site = statement->site;

        if (statement->found)
            continue;
        cst_report_error(checker->report, site->pragma.place,
                         site->pragma.kind == CST_PRAGMA_GROUP
                             ? "'group' must stand before a block in braces"
                             : "this pragma must stand between statements of a "
                               "function");
    }
}
