#include "read/unit.h"

#include "read/unit_internal.h"

#include <string.h>

bool cst_unit_has_pragmas(const struct cst_unit *unit)
{
    struct cst_unit scratch = *unit;
    struct cst_walk walk = cst_walk_start(&scratch);

    /* The word is rare: look for it before looking at lines. */
    if (!strstr(unit->raw, "castell"))
        return false;
    while (cst_walk_next(&walk))
        if (walk.kind == CST_LINE_PRAGMA)
            return true;
    return false;
}

static void find_sites(struct cst_unit *unit)
{
    struct cst_walk walk = cst_walk_start(unit);
    bool header_seen = false, defines;
    struct cst_site *site;

    while (cst_walk_next(&walk)) {
        if (walk.kind == CST_LINE_DIRECTIVE) {
            if (cst_walk_is_about(&walk, "CASTELL_H", &defines))
                header_seen = defines;
            if (cst_walk_is_about(&walk, "CASTELL_SEQUENTIAL", &defines))
                unit->sequential = defines;
        }
        if (walk.kind != CST_LINE_PRAGMA)
            continue;
        unit->sites = cst_memory_room(unit->memory, unit->sites,
                                      unit->sites_count, sizeof(*site));
        site = &unit->sites[unit->sites_count++];
        *site = (struct cst_site){
            .file = walk.file,
            .line = walk.line,
            .system = walk.system,
            .header_seen = header_seen,
            .raw_start = (size_t)(walk.start - unit->raw),
        };
    }
}

/* Behind "#pragma castell". */
static struct cst_tokens without_prefix(struct cst_tokens tokens)
{
    if (tokens.count < 3 || !cst_token_is(&tokens.items[0], "#") ||
        !cst_token_is(&tokens.items[1], "pragma") ||
        !cst_token_is(&tokens.items[2], "castell"))
        return (struct cst_tokens){0};
    return (struct cst_tokens){tokens.items + 3, tokens.count - 3};
}

static bool same_tokens(struct cst_tokens a, struct cst_tokens b)
{
    if (a.count != b.count)
        return false;
    for (size_t i = 0; i < a.count; i++)
        if (a.items[i].size != b.items[i].size ||
            memcmp(a.items[i].text, b.items[i].text, a.items[i].size) != 0)
            return false;
    return true;
}

/*
 * The tokens of a pragma: those of the user's file, which know their places,
 * unless it came about in another way, as by _Pragma.
 */
static struct cst_tokens read_tokens(struct cst_unit *unit,
                                     const struct cst_site *site)
{
    struct cst_place place = {.file = site->file, .line = site->line};
    struct cst_tokens given = without_prefix(
        cst_lex(unit->memory, unit->raw + site->raw_start, place));
    size_t size;
    const char *line =
        cst_source_line(unit->report->sources, site->file, site->line, &size);

    for (size_t i = 0; i < given.count; i++)
        given.items[i].place = place;
    if (line) {
        struct cst_tokens own;

        place.column = 1;
        own = without_prefix(cst_lex(unit->memory, line, place));
        if (given.count && same_tokens(given, own))
            return own;
    }
    return given;
}

void cst_unit_read(struct cst_unit *unit, cst_unit_expand *expand, void *owner)
{
    struct cst_tokens *tokens;

    find_sites(unit);
    tokens = cst_memory_take(unit->memory,
                             (unit->sites_count + 1) * sizeof(*tokens));
    for (size_t i = 0; i < unit->sites_count; i++)
        tokens[i] = read_tokens(unit, &unit->sites[i]);
    cst_macros_expand(unit, tokens, expand, owner);
    for (size_t i = 0; i < unit->sites_count; i++) {
        struct cst_site *site = &unit->sites[i];
        struct cst_place place = {.file = site->file, .line = site->line};

        cst_pragma_parse(unit->memory, unit->report, tokens[i], place,
                         &site->pragma);
    }
    cst_unit_build(unit);
}

static const struct cst_run *find_run(const struct cst_unit *unit,
                                      size_t offset)
{
    size_t low = 0, high = unit->runs_count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (unit->runs[middle].offset <= offset)
            low = middle;
        else
            high = middle;
    }
    return &unit->runs[low];
}

struct cst_place cst_unit_place(const struct cst_unit *unit, size_t offset)
{
    const struct cst_run *run = find_run(unit, offset);
    struct cst_place place = {.file = run->file, .line = run->line};
    size_t start = run->offset;

    for (size_t i = run->offset; i < offset; i++) {
        if (unit->text.bytes[i] != '\n')
            continue;
        place.line++;
        start = i + 1;
    }
    place.column = (unsigned)(offset - start) + 1;
    return place;
}

bool cst_unit_is_system(const struct cst_unit *unit, size_t offset)
{
    return find_run(unit, offset)->system;
}
