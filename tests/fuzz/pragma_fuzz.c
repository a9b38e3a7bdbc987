// sources: annotations/common/memory.c annotations/common/text.c annotations/common/source.c annotations/common/report.c annotations/read/lex.c annotations/read/pragma.c annotations/read/section.c
/*
 * Any text behind "#pragma castell" is a pragma, or something is said of it;
 * what was understood stays within the text.
 */
#include "common/report.h"
#include "read/pragma.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
    if (!condition)
        abort();
}

static void check_tokens(const struct cst_pragma *pragma,
                         struct cst_tokens tokens)
{
    demand(tokens.count <= pragma->tokens.count);
    if (tokens.count == 0)
        return;
    demand(tokens.items >= pragma->tokens.items);
    demand(tokens.items + tokens.count <=
           pragma->tokens.items + pragma->tokens.count);
}

static void check_clause(const struct cst_pragma *pragma,
                         const struct cst_clause *clause)
{
    check_tokens(pragma, clause->all);
    for (size_t i = 0; i < clause->sections_count; i++) {
        const struct cst_section *section = &clause->sections[i];

        demand(section->head.count > 0);
        check_tokens(pragma, section->head);
        check_tokens(pragma, section->object);
        check_tokens(pragma, section->element_count);
        for (size_t j = 0; j < section->dimensions_count; j++) {
            const struct cst_dimension *dimension = &section->dimensions[j];

            check_tokens(pragma, dimension->lower);
            check_tokens(pragma, dimension->length);
            demand(dimension->is_index ? dimension->lower.count > 0
                                       : dimension->length.count > 0);
        }
    }
    for (size_t i = 0; i < clause->items_count; i++)
        check_tokens(pragma, clause->items[i].value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cst_memory memory = {0};
    struct cst_sources sources = {.memory = &memory};
    struct cst_report report = {.memory = &memory, .sources = &sources};
    struct cst_place place = {.file = "<fuzz>", .line = 1, .column = 1};
    const char *text = cst_memory_copy(&memory, (const char *)data, size);
    struct cst_tokens tokens = cst_lex(&memory, text, place);
    struct cst_pragma pragma;

    for (size_t i = 0; i < tokens.count; i++)
        demand(tokens.items[i].size > 0 && tokens.items[i].text >= text &&
               tokens.items[i].text + tokens.items[i].size <= text + size);
    cst_pragma_parse(&memory, &report, tokens, place, &pragma);
    demand((pragma.kind == CST_PRAGMA_NONE) == (report.errors > 0));
    for (size_t i = 0;
         pragma.kind != CST_PRAGMA_NONE && i < pragma.clauses_count; i++)
        check_clause(&pragma, &pragma.clauses[i]);
    cst_memory_release(&memory);
    return 0;
}
