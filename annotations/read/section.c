/* The parser's lower half: brackets, lists and array sections. */
#include "read/pragma_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 64 };

void cst_parser_error(struct cst_parser *parser, const struct cst_token *at,
                      const char *format, ...)
{
    char said[256];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(said, sizeof(said), format, args);
    va_end(args);
    cst_report_error(parser->report, at->place, "%s", said);
    parser->failed = true;
}

/* +1 for a bracket that opens, -1 for one that closes, else 0. */
static int nesting(const struct cst_token *token)
{
    if (token->kind != CST_TOKEN_PUNCTUATOR || token->size != 1)
        return 0;
    if (strchr("([{", token->text[0]))
        return 1;
    return strchr(")]}", token->text[0]) ? -1 : 0;
}

bool cst_parser_balanced(struct cst_parser *parser)
{
    const struct cst_token *open[DEPTH_MAX];
    size_t depth = 0;

    for (size_t i = 0; i < parser->tokens.count; i++) {
        const struct cst_token *token = &parser->tokens.items[i];
        int change = nesting(token);

        if (token->kind == CST_TOKEN_BAD) {
            cst_parser_error(parser, token,
                             *token->text == '"' || *token->text == '\''
                                 ? "the quote is not closed"
                                 : "this is no token of C");
            return false;
        }
        if (change > 0) {
            if (depth == DEPTH_MAX) {
                cst_parser_error(parser, token, "too many brackets are open");
                return false;
            }
            open[depth++] = token;
        } else if (change < 0) {
            static const char pairs[] = "()[]{}";
            char opened = depth ? open[--depth]->text[0] : '\0';

            if (!opened || strchr(pairs, opened)[1] != token->text[0]) {
                cst_parser_error(parser, token, "'%c' closes nothing",
                                 token->text[0]);
                return false;
            }
        }
    }
    if (depth > 0)
        cst_parser_error(parser, open[depth - 1], "'%c' is not closed",
                         open[depth - 1]->text[0]);
    return depth == 0;
}

size_t cst_parser_close(struct cst_tokens tokens, size_t open)
{
    int depth = 0;
    size_t at = open;

    do
        depth += nesting(&tokens.items[at++]);
    while (depth > 0);
    return at - 1;
}

struct cst_tokens cst_parser_part(struct cst_tokens tokens, size_t start,
                                  size_t end)
{
    return (struct cst_tokens){tokens.items + start, end - start};
}

size_t cst_parser_find(struct cst_tokens tokens, size_t start,
                       const char *punctuator)
{
    bool colon = strcmp(punctuator, ":") == 0;
    int depth = 0, questions = 0;

    for (size_t i = start; i < tokens.count; i++) {
        const struct cst_token *token = &tokens.items[i];
        int change = nesting(token);

        depth += change;
        if (depth != 0 || change < 0)
            continue;
        if (colon && cst_token_is(token, "?")) {
            questions++;
        } else if (cst_token_is(token, punctuator)) {
            if (!colon || questions == 0)
                return i;
            questions--;
        }
    }
    return tokens.count;
}

void cst_parser_add_section(struct cst_parser *parser,
                            struct cst_clause *clause,
                            struct cst_section section)
{
    clause->sections =
        cst_memory_room(parser->memory, clause->sections,
                        clause->sections_count, sizeof(*clause->sections));
    clause->sections[clause->sections_count++] = section;
}

void cst_parser_add_item(struct cst_parser *parser, struct cst_clause *clause,
                         struct cst_item item)
{
    clause->items =
        cst_memory_room(parser->memory, clause->items, clause->items_count,
                        sizeof(*clause->items));
    clause->items[clause->items_count++] = item;
}

/* ---- Sections ------------------------------------------------------- */

static void read_dimension(struct cst_parser *parser,
                           struct cst_section *section,
                           const struct cst_token *bracket,
                           struct cst_tokens inside)
{
    struct cst_dimension dimension = {.place = bracket->place};
    size_t colon = cst_parser_find(inside, 0, ":");

    if (colon == inside.count) {
        dimension.is_index = true;
        dimension.lower = inside;
        if (inside.count == 0)
            cst_parser_error(parser, bracket,
                             "an index or a section, as in [0:n], should "
                             "stand in these brackets");
    } else {
        dimension.lower = cst_parser_part(inside, 0, colon);
        dimension.length = cst_parser_part(inside, colon + 1, inside.count);
        if (dimension.length.count == 0)
            cst_parser_error(parser, &inside.items[colon],
                             "the section has no length");
        else if (cst_parser_find(dimension.length, 0, ":") !=
                 dimension.length.count)
            cst_parser_error(parser, &inside.items[colon],
                             "a section is [lower:length], without a stride");
    }
    section->dimensions =
        cst_memory_room(parser->memory, section->dimensions,
                        section->dimensions_count, sizeof(dimension));
    section->dimensions[section->dimensions_count++] = dimension;
}

/* Where the brackets that end the tokens start. */
static size_t find_brackets(struct cst_tokens tokens)
{
    size_t start = tokens.count, i = 0;

    while (i < tokens.count) {
        bool bracket = cst_token_is(&tokens.items[i], "[");

        if (bracket && start == tokens.count)
            start = i;
        else if (!bracket)
            start = tokens.count;
        i = nesting(&tokens.items[i]) > 0 ? cst_parser_close(tokens, i) + 1
                                          : i + 1;
    }
    return start;
}

/* A [l:n] that something follows, as in x[0:n].y, is in the head. */
static bool head_has_section(struct cst_tokens head, size_t *ret_at)
{
    for (size_t i = 0; i < head.count; i++) {
        struct cst_tokens inside;

        if (!cst_token_is(&head.items[i], "["))
            continue;
        inside = cst_parser_part(head, i + 1, cst_parser_close(head, i));
        *ret_at = i;
        if (cst_parser_find(inside, 0, ":") != inside.count)
            return true;
    }
    return false;
}

static void read_section(struct cst_parser *parser, struct cst_clause *clause,
                         struct cst_tokens tokens)
{
    struct cst_section section = {.all = tokens};
    size_t at = find_brackets(tokens), bad;

    section.head = cst_parser_part(tokens, 0, at);
    section.object = tokens;
    while (at < tokens.count) {
        size_t close = cst_parser_close(tokens, at);

        read_dimension(parser, &section, &tokens.items[at],
                       cst_parser_part(tokens, at + 1, close));
        if (!section.dimensions[section.dimensions_count - 1].is_index &&
            section.object.count > at)
            section.object.count = at;
        at = close + 1;
    }
    if (section.head.count > 1 && cst_token_is(section.head.items, "*") &&
        section.dimensions_count == 0) {
        section.is_element = true;
        section.head = cst_parser_part(section.head, 1, section.head.count);
        section.object = section.head;
    }
    if (section.head.count == 0)
        cst_parser_error(parser, tokens.items,
                         "a name should stand before the brackets");
    else if (head_has_section(section.head, &bad))
        cst_parser_error(parser, &section.head.items[bad],
                         "nothing but brackets may follow a section");
    else
        cst_parser_add_section(parser, clause, section);
}

void cst_parser_sections(struct cst_parser *parser, struct cst_clause *clause,
                         struct cst_tokens tokens)
{
    bool collection = cst_clause_is_collection(clause->kind);
    size_t start = 0;

    while (start <= tokens.count) {
        size_t end = cst_parser_find(tokens, start, ",");
        struct cst_tokens part = cst_parser_part(tokens, start, end);
        size_t colon = cst_parser_find(part, 0, ":");
        size_t sections_before = clause->sections_count;

        if (part.count == 0) {
            cst_parser_error(parser, &clause->name,
                             "an array section is missing in '%.*s'",
                             (int)clause->name.size, clause->name.text);
        } else if (collection && colon + 1 >= part.count) {
            cst_parser_error(parser, part.items,
                             "': n', the elements in each block, should follow "
                             "this, as in tiles[0:k] : n");
        } else if (!collection && colon != part.count) {
            cst_parser_error(parser, &part.items[colon],
                             "a section is written in brackets, as in x[0:n]");
        } else if (colon == 0) {
            cst_parser_error(parser, part.items,
                             "an array section is missing before the ':'");
        } else {
            read_section(parser, clause, cst_parser_part(part, 0, colon));
            if (collection && clause->sections_count > sections_before)
                clause->sections[sections_before].element_count =
                    cst_parser_part(part, colon + 1, part.count);
        }
        start = end + 1;
    }
}
