/* Which names there are at file scope, and of what kind. */
#include "check/ast.h"

#include <stdint.h>
#include <string.h>

enum { BUCKETS = 4096 };

struct entry {
    struct entry *next;
    const char *name;
    enum cst_name_kind kind;
    CXCursor cursor;
};

struct cst_names {
    struct cst_memory *memory;
    struct entry *buckets[BUCKETS];
};

static struct entry **find(struct cst_names *names, const char *name,
                           size_t size)
{
    uint32_t hash = 2166136261u;
    struct entry **link;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    link = &names->buckets[hash % BUCKETS];
    while (*link && (strncmp((*link)->name, name, size) != 0 ||
                     (*link)->name[size] != '\0'))
        link = &(*link)->next;
    return link;
}

static void add(struct cst_names *names, CXCursor cursor,
                enum cst_name_kind kind)
{
    const char *name =
        cst_ast_string(names->memory, clang_getCursorSpelling(cursor));
    struct entry **link = find(names, name, strlen(name));

    if (*link)
        return;
    *link = cst_memory_take(names->memory, sizeof(**link));
    **link = (struct entry){.name = name, .kind = kind, .cursor = cursor};
}

static enum CXChildVisitResult add_constant(CXCursor cursor, CXCursor parent,
                                            CXClientData data)
{
    (void)parent;
    if (clang_getCursorKind(cursor) == CXCursor_EnumConstantDecl)
        add(data, cursor, CST_NAME_CONSTANT);
    return CXChildVisit_Continue;
}

static struct cst_names *make(struct cst_ast *ast)
{
    struct cst_names *names =
        cst_memory_take(ast->unit->memory, sizeof(*names));

    names->memory = ast->unit->memory;
    for (size_t i = 0; i < ast->declarations_count; i++) {
        CXCursor cursor = ast->declarations[i].cursor;
        enum CXCursorKind kind = clang_getCursorKind(cursor);

        if (kind == CXCursor_FunctionDecl || kind == CXCursor_VarDecl)
            add(names, cursor, CST_NAME_OBJECT);
        else if (kind == CXCursor_TypedefDecl)
            add(names, cursor, CST_NAME_TYPE);
        else if (kind == CXCursor_EnumDecl)
            clang_visitChildren(cursor, add_constant, names);
    }
    return names;
}

static const struct entry *look_up(struct cst_ast *ast, const char *name,
                                   size_t size)
{
    if (!ast->names)
        ast->names = make(ast);
    return *find(ast->names, name, size);
}

enum cst_name_kind cst_ast_name(struct cst_ast *ast, const char *name,
                                size_t size)
{
    const struct entry *entry = look_up(ast, name, size);

    return entry ? entry->kind : CST_NAME_UNKNOWN;
}

CXCursor cst_ast_function(struct cst_ast *ast, const char *name)
{
    const struct entry *entry = look_up(ast, name, strlen(name));

    if (!entry || clang_getCursorKind(entry->cursor) != CXCursor_FunctionDecl)
        return clang_getNullCursor();
    return entry->cursor;
}
