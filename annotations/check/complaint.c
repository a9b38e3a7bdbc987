/* libclang did not understand all that the user's compiler does. */
#include "check/check_internal.h"

#include <stdlib.h>
#include <string.h>

struct offsets {
    struct cst_memory *memory;
    size_t *items;
    size_t count;
};

static void add_offset(struct offsets *offsets, size_t offset)
{
    offsets->items = cst_memory_room(offsets->memory, offsets->items,
                                     offsets->count, sizeof(size_t));
    offsets->items[offsets->count++] = offset;
}

static enum CXChildVisitResult note(CXCursor cursor, CXCursor parent,
                                    CXClientData data)
{
    (void)parent;
    add_offset(data, cst_ast_name_offset(cursor));
    return CXChildVisit_Recurse;
}

static int compare(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;

    return x < y ? -1 : x > y;
}

static bool is_task(const struct cst_checker *checker, const char *name,
                    size_t size)
{
    for (size_t i = 0; i < checker->subjects_count; i++)
        if (!checker->subjects[i]->implements &&
            strlen(checker->subjects[i]->body->name) == size &&
            memcmp(checker->subjects[i]->body->name, name, size) == 0)
            return true;
    return false;
}

static void check_line(struct cst_checker *checker, size_t start,
                       const struct offsets *seen)
{
    const char *bytes = checker->unit->text.bytes;
    struct cst_place place = {0};
    struct cst_tokens tokens = cst_lex(checker->memory, bytes + start, place);

    for (size_t i = 0; i < tokens.count; i++) {
        const struct cst_token *token = &tokens.items[i];
        size_t offset = (size_t)(token->text - bytes);

        if (token->kind != CST_TOKEN_NAME ||
            !is_task(checker, token->text, token->size) ||
            bsearch(&offset, seen->items, seen->count, sizeof(offset), compare))
            continue;
        cst_report_error(checker->report, cst_unit_place(checker->unit, offset),
                         "castellcc cannot follow this use of task '%.*s'",
                         (int)token->size, token->text);
        cst_report_note(
            checker->report,
            cst_unit_place(checker->unit, checker->ast.complaint_at),
            "because libclang does not understand this: %s",
            checker->ast.complaint);
    }
}

/*
 * The user's compiler takes the file, libclang not all of it: see that no use
 * of a task is in what it did not take.
 */
void cst_complaint_check(struct cst_checker *checker)
{
    const char *bytes = checker->unit->text.bytes;
    struct offsets seen = {.memory = checker->memory};
    size_t at = 0;

    for (size_t i = 0; i < checker->ast.declarations_count; i++) {
        CXCursor cursor = checker->ast.declarations[i].cursor;

        if (cst_unit_is_system(checker->unit,
                               checker->ast.declarations[i].start))
            continue;
        add_offset(&seen, cst_ast_name_offset(cursor));
        clang_visitChildren(cursor, note, &seen);
    }
    if (seen.count == 0)
        return;
    qsort(seen.items, seen.count, sizeof(size_t), compare);
    while (bytes[at]) {
        if (bytes[at] != '#' && !cst_unit_is_system(checker->unit, at))
            check_line(checker, at, &seen);
        at += strcspn(bytes + at, "\n");
        at += bytes[at] == '\n';
    }
}
