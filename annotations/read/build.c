/* Makes the text of a unit from the preprocessor's output. */
#include "read/unit_internal.h"

#include <string.h>

static void add_run(struct cst_unit *unit, const char *file, unsigned line,
                    bool system)
{
    unit->runs = cst_memory_room(unit->memory, unit->runs, unit->runs_count,
                                 sizeof(*unit->runs));
    unit->runs[unit->runs_count++] =
        (struct cst_run){unit->text.size, file, line, system};
}

void cst_unit_mark(struct cst_text *text, const char *file, unsigned line,
                   bool system)
{
    if (text->size == 0 || text->bytes[text->size - 1] != '\n')
        cst_text_add(text, "\n", 1);
    cst_text_format(text, "# %u ", line);
    cst_text_literal(text, file);
    cst_text_string(text, system ? " 3\n" : "\n");
}

void cst_unit_add_tokens(struct cst_text *text, struct cst_tokens tokens,
                         bool system)
{
    const struct cst_place *place = &tokens.items[0].place;
    const struct cst_token *last = NULL;

    cst_unit_mark(text, place->file, place->line, system);
    if (place->column > 1)
        cst_text_spaces(text, place->column - 2);
    cst_text_add(text, "(", 1);
    for (size_t i = 0; i < tokens.count; i++) {
        const struct cst_token *token = &tokens.items[i];
        size_t gap = last && token->spaced ? 1 : 0;

        /* Blanks as in the file, where both come from one line of it. */
        if (gap && token->place.line == last->place.line &&
            token->place.column > last->place.column + last->size)
            gap = token->place.column - last->place.column - last->size;
        cst_text_spaces(text, gap);
        cst_text_add(text, token->text, token->size);
        last = token;
    }
    cst_text_add(text, ")", 1);
}

/* ---- White space ---------------------------------------------------- */

/* White space and whole comments at p, which ends at end. */
static size_t space_size(const char *p, const char *end)
{
    const char *start = p;

    while (p < end) {
        if (*p == ' ' || *p == '\t' || *p == '\f' || *p == '\v') {
            p++;
        } else if (end - p >= 2 && p[0] == '/' && p[1] == '*') {
            const char *q = p + 2;

            while (end - q >= 2 && !(q[0] == '*' && q[1] == '/'))
                q++;
            if (end - q < 2)
                break;
            p = q + 2;
        } else {
            break;
        }
    }
    return (size_t)(p - start);
}

/* Add white space and comments as white space of the same width. */
static void add_space(struct cst_text *text, const char *p, size_t size)
{
    for (size_t i = 0; i < size; i++)
        cst_text_add(text, p[i] == '\t' ? "\t" : " ", 1);
}

/*
 * Add a line of code with the white space that the user's own line has, up to
 * where the two differ by more than that.
 */
static void add_restored(struct cst_text *text, const char *code, size_t size,
                         const char *own, size_t own_size)
{
    const char *end = code + size, *own_end = own + own_size;
    char quote = '\0';

    while (code < end) {
        size_t space = quote ? 0 : space_size(code, end);
        size_t own_space = quote ? 0 : space_size(own, own_end);

        /* Indentation may be there in one and not in the other. */
        if (!space != !own_space && own != own_end - own_size)
            break;
        add_space(text, own, own_space);
        code += space;
        own += own_space;
        if (code == end || own == own_end || *code != *own)
            break;
        if (*code == '\\' && quote && end - code >= 2 && own_end - own >= 2 &&
            code[1] == own[1]) {
            cst_text_add(text, code, 2);
            code += 2;
            own += 2;
            continue;
        }
        if (quote ? *code == quote : *code == '"' || *code == '\'')
            quote = quote ? '\0' : *code;
        cst_text_add(text, code, 1);
        code++;
        own++;
    }
    cst_text_add(text, code, (size_t)(end - code));
}

static void add_code(struct cst_unit *unit, const struct cst_walk *walk)
{
    const char *own = NULL;
    size_t own_size = 0;

    if (!walk->system && walk->size > 0 && walk->start[0] != '#')
        own = cst_source_line(unit->report->sources, walk->file, walk->line,
                              &own_size);
    if (own)
        add_restored(&unit->text, walk->start, walk->size, own, own_size);
    else
        cst_text_add(&unit->text, walk->start, walk->size);
}

/* ---- Probes --------------------------------------------------------- */

/* A marker, which starts a run. */
static void mark(struct cst_unit *unit, const char *file, unsigned line,
                 bool system)
{
    cst_unit_mark(&unit->text, file, line, system);
    add_run(unit, file, line, system);
}

static void probe_tokens(struct cst_unit *unit, const struct cst_site *site,
                         struct cst_tokens tokens)
{
    struct cst_text text = {0};
    const char *line;

    if (tokens.count == 0)
        return;
    cst_text_string(&unit->text, "(void)sizeof");
    cst_unit_add_tokens(&text, tokens, site->system);
    /* Its marker, and then what is on the line: the run starts between. */
    line = strchr(strchr(text.bytes, '#'), '\n') + 1;
    cst_text_add(&unit->text, text.bytes, (size_t)(line - text.bytes));
    add_run(unit, tokens.items[0].place.file, tokens.items[0].place.line,
            site->system);
    cst_text_string(&unit->text, line);
    cst_text_release(&text);
    mark(unit, site->file, site->line, site->system);
    cst_text_string(&unit->text, ";");
}

static void add_probe(struct cst_unit *unit, struct cst_site *site)
{
    const struct cst_clause *clause = &site->pragma.clauses[0];
    bool sections = clause->sections_count > 0;

    cst_text_string(&unit->text, "{");
    for (size_t i = 0; i < clause->sections_count; i++)
        probe_tokens(unit, site, clause->sections[i].object);
    for (size_t i = 0; i < clause->sections_count; i++) {
        const struct cst_section *section = &clause->sections[i];

        for (size_t j = 0; j < section->dimensions_count; j++) {
            probe_tokens(unit, site, section->dimensions[j].lower);
            probe_tokens(unit, site, section->dimensions[j].length);
        }
    }
    for (size_t i = 0; i < clause->items_count; i++)
        probe_tokens(unit, site, clause->items[i].value);
    if (!sections && clause->all.count > 1)
        probe_tokens(unit, site, clause->all);
    cst_text_string(&unit->text, "}");
}

static void add_site(struct cst_unit *unit, struct cst_site *site)
{
    enum cst_pragma_kind kind = site->pragma.kind;
    bool moved = false;

    site->offset = unit->text.size;
    if (cst_pragma_stands_alone(kind) && kind != CST_PRAGMA_GROUP) {
        add_probe(unit, site);
        moved = true;
    }
    site->size = unit->text.size - site->offset;
    cst_text_add(&unit->text, "\n", 1);
    if (moved)
        mark(unit, site->file, site->line + 1, site->system);
}

void cst_unit_build(struct cst_unit *unit)
{
    struct cst_walk walk = cst_walk_start(unit);
    const char *header = NULL; /* castell.h, once it was seen */
    bool defines;
    size_t site = 0;

    add_run(unit, unit->name, 1, false);
    while (cst_walk_next(&walk)) {
        switch (walk.kind) {
        case CST_LINE_MARKER:
            cst_text_add(&unit->text, walk.start, walk.size);
            cst_text_add(&unit->text, "\n", 1);
            add_run(unit, walk.next_file, walk.next_line, walk.next_system);
            if (header && walk.returns && strcmp(walk.file, header) == 0 &&
                !unit->header_end)
                unit->header_end = unit->text.size;
            break;
        case CST_LINE_PRAGMA:
            add_site(unit, &unit->sites[site++]);
            break;
        case CST_LINE_DIRECTIVE:
            if (cst_walk_is_about(&walk, "CASTELL_H", &defines))
                header = walk.file;
            cst_text_add(&unit->text, "\n", 1);
            break;
        case CST_LINE_CODE:
        default:
            add_code(unit, &walk);
            cst_text_add(&unit->text, "\n", 1);
            break;
        }
    }
}
