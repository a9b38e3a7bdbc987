// sources: annotations/common/memory.c annotations/common/text.c annotations/common/source.c annotations/common/report.c annotations/read/lex.c annotations/read/pragma.c annotations/read/section.c annotations/read/unit.c annotations/read/walk.c annotations/read/macro.c annotations/read/build.c
/*
 * Whatever a preprocessor may give is a unit: its text keeps what is no pragma
 * and no directive, and every pragma has its place in it.
 */
#include "common/report.h"
#include "read/unit.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In place of a preprocessor: gives its input, or what the fuzzer made. */
static const char *expand(void *owner, const struct cst_text *text)
{
    struct cst_unit *unit = owner;

    if (unit->raw_size % 3 == 0)
        return NULL;
    return unit->raw_size % 3 == 1
               ? unit->raw
               : cst_memory_copy(unit->memory, text->bytes, text->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cst_memory memory = {0};
    struct cst_sources sources = {.memory = &memory};
    struct cst_report report = {.memory = &memory, .sources = &sources};
    struct cst_unit unit = {
        .memory = &memory, .report = &report, .name = "<fuzz>"};

    unit.raw = cst_memory_copy(&memory, (const char *)data, size);
    unit.raw_size = strlen(unit.raw);
    cst_unit_read(&unit, expand, &unit);
    if (cst_unit_has_pragmas(&unit) != (unit.sites_count > 0))
        abort();
    for (size_t i = 0; i < unit.sites_count; i++) {
        const struct cst_site *site = &unit.sites[i];

        if (site->offset + site->size > unit.text.size ||
            (i > 0 && site->offset <= unit.sites[i - 1].offset))
            abort();
        (void)cst_unit_place(&unit, site->offset + site->size);
    }
    cst_text_release(&unit.text);
    cst_memory_release(&memory);
    return 0;
}
