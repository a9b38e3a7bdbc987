/* The lines of the preprocessor's output, one after another. */
#include "read/unit_internal.h"

#include <stdlib.h>
#include <string.h>

struct cst_walk cst_walk_start(struct cst_unit *unit)
{
    return (struct cst_walk){
        .unit = unit, .at = unit->raw, .next_file = unit->name, .next_line = 1};
}

static const char *skip_blanks(const char *p)
{
    while (*p == ' ' || *p == '\t')
        p++;
    return p;
}

/* Behind this word, if it is the one that stands at p; else NULL. */
static const char *skip_word(const char *p, const char *word)
{
    size_t size = strlen(word);

    if (strncmp(p, word, size) != 0)
        return NULL;
    p += size;
    if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '_' ||
        (*p >= '0' && *p <= '9'))
        return NULL;
    return p;
}

/* The name in quotes at p, with \" and \\ undone. */
static const char *read_file_name(struct cst_walk *walk, const char *p,
                                  const char **ret_end)
{
    const char *end = p + 1;
    char *name, *to;

    while (*end && *end != '\n' && *end != '"')
        end += *end == '\\' && end[1] ? 2 : 1;
    name = cst_memory_copy(walk->unit->memory, p + 1, (size_t)(end - p - 1));
    to = name;
    for (const char *from = name; *from; from++) {
        if (*from == '\\' && from[1])
            from++;
        *to++ = *from;
    }
    *to = '\0';
    *ret_end = *end == '"' ? end + 1 : end;
    return name;
}

/* # 12 "file.c" 1 3 4, or #line 12 "file.c". */
static void read_marker(struct cst_walk *walk, const char *p)
{
    char *end;

    walk->next_line = (unsigned)strtoul(p, &end, 10);
    p = skip_blanks(end);
    if (*p != '"')
        return;
    walk->next_file = read_file_name(walk, p, &p);
    walk->next_system = false;
    for (; *p && *p != '\n'; p++) {
        walk->next_system |= *p == '3';
        walk->returns |= *p == '2';
    }
}

static enum cst_line_kind classify(struct cst_walk *walk)
{
    const char *p = walk->start, *word;

    if (*p != '#')
        return CST_LINE_CODE;
    p = skip_blanks(p + 1);
    word = skip_word(p, "line");
    if (word)
        p = skip_blanks(word);
    if (*p >= '0' && *p <= '9') {
        read_marker(walk, p);
        return CST_LINE_MARKER;
    }
    if (skip_word(p, "define") || skip_word(p, "undef"))
        return CST_LINE_DIRECTIVE;
    p = skip_word(p, "pragma");
    if (p && skip_word(skip_blanks(p), "castell"))
        return CST_LINE_PRAGMA;
    return CST_LINE_CODE;
}

bool cst_walk_next(struct cst_walk *walk)
{
    const char *end;

    if (!*walk->at)
        return false;
    walk->start = walk->at;
    end = strchr(walk->at, '\n');
    walk->size = end ? (size_t)(end - walk->at) : strlen(walk->at);
    walk->at += walk->size + (end ? 1 : 0);
    walk->file = walk->next_file;
    walk->line = walk->next_line;
    walk->system = walk->next_system;
    walk->returns = false;
    walk->kind = classify(walk);
    if (walk->kind != CST_LINE_MARKER)
        walk->next_line++;
    return true;
}

bool cst_walk_is_about(const struct cst_walk *walk, const char *macro,
                       bool *ret_defines)
{
    const char *p = walk->start + strspn(walk->start, "# \t");
    size_t size = strlen(macro);

    *ret_defines = *p == 'd';
    p += strcspn(p, " \t");
    p += strspn(p, " \t");
    return strncmp(p, macro, size) == 0 && strchr(" \t\r\n(", p[size]);
}
