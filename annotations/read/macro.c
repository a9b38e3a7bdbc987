/*
 * Expands macros in pragmas, which the preprocessor leaves as they are.
 *
 * All #define and #undef lines go through the preprocessor once more, with the
 * tokens of each pragma where it stood. Marks tell which token of the pragma
 * each token of the result comes from, so that errors can point there:
 *   @=3   the tokens of pragma 3 follow
 *   @12   what follows comes from its token 12
 *   @!12  its token 12 itself: one that no macro may touch
 */
#include "read/unit_internal.h"

#include <stdlib.h>
#include <string.h>

/* A name that stands in some pragma, and what the macros say of it. */
struct name {
    const struct cst_token *token;
    bool defined;
    bool function; /* a macro with parameters */
};

struct macros {
    struct cst_unit *unit;
    struct cst_tokens *tokens; /* of each site */
    struct name *names;
    size_t names_count;
    struct cst_text text;
    bool any; /* macro in a pragma */
};

static struct name *find_name(struct macros *macros, const char *text,
                              size_t size)
{
    for (size_t i = 0; i < macros->names_count; i++) {
        const struct cst_token *token = macros->names[i].token;

        if (token->size == size && memcmp(token->text, text, size) == 0)
            return &macros->names[i];
    }
    return NULL;
}

static void collect_names(struct macros *macros)
{
    for (size_t i = 0; i < macros->unit->sites_count; i++) {
        struct cst_tokens tokens = macros->tokens[i];

        for (size_t j = 0; j < tokens.count; j++) {
            const struct cst_token *token = &tokens.items[j];

            if (token->kind != CST_TOKEN_NAME ||
                find_name(macros, token->text, token->size))
                continue;
            macros->names =
                cst_memory_room(macros->unit->memory, macros->names,
                                macros->names_count, sizeof(struct name));
            macros->names[macros->names_count++] =
                (struct name){.token = token};
        }
    }
}

/*
 * May no macro touch this token? Words of our own: a clause's name, a key of
 * constraint() and the names of what it asks for, an operator of a reduction,
 * and what on_failure() takes.
 */
static bool is_ours(struct cst_tokens tokens, size_t at, int depth)
{
    const struct cst_token *token = &tokens.items[at];
    const struct cst_token *next = &tokens.items[at + 1];
    bool after_key = at >= 2 && cst_token_is(token - 1, "=");

    if (depth == 0)
        return cst_pragma_is_word(token);
    if (depth > 1)
        return false;
    if (cst_token_is(next, "=") ||
        (after_key && (cst_token_is(token - 2, "arch") ||
                       cst_token_is(token - 2, "feature"))))
        return true;
    if (cst_token_is(next, ":") && at >= 2 &&
        cst_token_is(token - 2, "reduction"))
        return true;
    return at >= 2 && (cst_token_is(token - 2, "device") ||
                       cst_token_is(token - 2, "on_failure"));
}

/* A macro with parameters and its arguments: how many tokens it takes. */
static size_t call_size(struct cst_tokens tokens, size_t at)
{
    int depth = 0;
    size_t i = at + 1;

    if (i >= tokens.count || !cst_token_is(&tokens.items[i], "("))
        return 1;
    for (; i < tokens.count; i++) {
        depth += cst_token_is(&tokens.items[i], "(");
        depth -= cst_token_is(&tokens.items[i], ")");
        if (depth == 0)
            return i + 1 - at;
    }
    return 1;
}

static void add_tokens(struct macros *macros, struct cst_tokens tokens)
{
    int depth = 0;
    size_t at = 0;

    while (at < tokens.count) {
        const struct cst_token *token = &tokens.items[at];
        struct name *name = NULL;
        size_t size = 1;

        depth += cst_token_is(token, "(");
        depth -= cst_token_is(token, ")");
        if (token->kind == CST_TOKEN_NAME && is_ours(tokens, at, depth)) {
            cst_text_format(&macros->text, " @!%zu", at++);
            continue;
        }
        if (token->kind == CST_TOKEN_NAME)
            name = find_name(macros, token->text, token->size);
        if (name && name->defined) {
            macros->any = true;
            if (name->function)
                size = call_size(tokens, at);
        }
        cst_text_format(&macros->text, " @%zu ", at);
        for (; size > 0; size--, at++) {
            cst_text_add(&macros->text, tokens.items[at].text,
                         tokens.items[at].size);
            cst_text_add(&macros->text, " ", 1);
        }
    }
}

/* #define NAME..., #define NAME(..., #undef NAME */
static void note_directive(struct macros *macros, const struct cst_walk *walk)
{
    const char *p = walk->start + strspn(walk->start, "# \t");
    bool defines = *p == 'd';
    struct name *name;
    size_t size;

    p += strcspn(p, " \t");
    p += strspn(p, " \t");
    size = strcspn(p, " \t(\n\r");
    name = find_name(macros, p, size);
    if (name) {
        name->defined = defines;
        name->function = defines && p[size] == '(';
    }
    if (walk->file[0] == '<' && strcmp(walk->file, "<built-in>") == 0)
        return; /* it will be there by itself */
    cst_text_add(&macros->text, walk->start, walk->size);
    cst_text_add(&macros->text, "\n", 1);
}

static void collect(struct macros *macros)
{
    struct cst_walk walk = cst_walk_start(macros->unit);
    size_t site = 0;

    while (cst_walk_next(&walk)) {
        if (walk.kind == CST_LINE_DIRECTIVE)
            note_directive(macros, &walk);
        if (walk.kind != CST_LINE_PRAGMA)
            continue;
        cst_text_format(&macros->text, "@=%zu", site);
        add_tokens(macros, macros->tokens[site++]);
        cst_text_add(&macros->text, "\n", 1);
    }
}

/* What becomes of the tokens of one pragma as the result is read. */
struct result {
    struct cst_memory *memory;
    struct cst_tokens from;
    struct cst_tokens to;
    size_t origin;
    bool first; /* that comes from origin */
};

static void add_result(struct result *result, struct cst_token token)
{
    const struct cst_token *origin = &result->from.items[result->origin];

    if (result->first)
        token.spaced = origin->spaced;
    result->first = false;
    token.place = origin->place;
    for (size_t i = 0; i < 2; i++) { /* the token, and the end behind it */
        result->to.items =
            cst_memory_room(result->memory, result->to.items,
                            result->to.count + i, sizeof(struct cst_token));
        result->to.items[result->to.count + i] =
            i == 0 ? token : (struct cst_token){0};
    }
    result->to.count++;
}

/* Read the tokens behind "@=N" of a line of the result. */
static void read_result(struct result *result, struct cst_tokens line)
{
    for (size_t i = 0; i < line.count; i++) {
        bool mark = line.items[i].kind == CST_TOKEN_BAD &&
                    *line.items[i].text == '@' && i + 1 < line.count;
        bool itself = mark && cst_token_is(&line.items[i + 1], "!");

        if (!mark) {
            add_result(result, line.items[i]);
            continue;
        }
        i += itself ? 2 : 1;
        result->origin = strtoul(line.items[i].text, NULL, 10);
        if (result->origin >= result->from.count)
            return;
        result->first = true;
        if (itself)
            add_result(result, result->from.items[result->origin]);
    }
}

static void read_results(struct macros *macros, const char *text)
{
    while (*text) {
        struct cst_place nowhere = {0};
        struct cst_tokens line = cst_lex(macros->unit->memory, text, nowhere);
        size_t site = line.count >= 3 && cst_token_is(&line.items[1], "=")
                          ? strtoul(line.items[2].text, NULL, 10)
                          : macros->unit->sites_count;

        if (site < macros->unit->sites_count) {
            struct result result = {.memory = macros->unit->memory,
                                    .from = macros->tokens[site]};

            line.items += 3;
            line.count -= 3;
            if (result.from.count)
                read_result(&result, line);
            if (result.to.count)
                macros->tokens[site] = result.to;
        }
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
}

void cst_macros_expand(struct cst_unit *unit, struct cst_tokens *tokens,
                       cst_unit_expand *expand, void *owner)
{
    struct macros macros = {.unit = unit, .tokens = tokens};

    collect_names(&macros);
    collect(&macros);
    if (macros.any) {
        const char *text = expand(owner, &macros.text);

        if (text)
            read_results(&macros, text);
    }
    cst_text_release(&macros.text);
}
