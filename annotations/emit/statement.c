/* Writes what the pragmas become that stand alone. */
#include "emit/emit_internal.h"

#include <string.h>

/* The dimensions that are not part of the object. */
static size_t first_dimension(const struct cst_section *section)
{
    size_t i = 0;

    while (i < section->dimensions_count && section->dimensions[i].is_index)
        i++;
    return i;
}

/* The call for one region, __castell_x. */
static void write_call(struct cst_writer *writer,
                       const struct cst_statement_model *statement,
                       const struct cst_section *section,
                       const struct cst_region_writer *region)
{
    const struct cst_pragma *pragma = &statement->site->pragma;

    if (!cst_pragma_is_checkpoint(pragma->kind)) {
        cst_write(writer, "castell_must(%s(&__castell_x, 1), ",
                  pragma->kind == CST_PRAGMA_DELETE ? "castell_delete"
                                                    : "castell_wait_on");
        return;
    }
    cst_write(writer, "castell_must(__castell_saved_add(__castell_c, ");
    cst_write_literal(writer, cst_tokens_text(writer->memory, section->all));
    cst_write(writer, ", &__castell_x, sizeof(__castell_o[0]");
    for (size_t i = 1; i < region->dimensions_count; i++)
        cst_write(writer, "[0]");
    cst_write(writer, ")), ");
}

static void write_region_call(struct cst_writer *writer,
                              const struct cst_statement_model *statement,
                              size_t index)
{
    const struct cst_section *section =
        &statement->site->pragma.clauses[0].sections[index];
    size_t first = first_dimension(section);
    struct cst_region_writer region = {
        .base = "__castell_o",
        .dimensions = section->dimensions + first,
        .dimensions_count = section->dimensions_count - first,
        .mode = "",
    };

    if (statement->wholes[index] || section->is_element)
        region.dimensions_count = 0;
    cst_write(writer, "{ __typeof__(&");
    if (statement->wholes[index]) {
        cst_write_value(writer, section->object);
        cst_write(writer, ") __castell_o = &");
        cst_write_value(writer, section->object);
    } else {
        cst_write_value(writer, section->object);
        cst_write(writer, "[0]) __castell_o = ");
        cst_write_value(writer, section->object);
    }
    cst_write(writer, "; ");
    cst_region_write_locals(writer, &region);
    cst_write(writer, "if (");
    cst_region_write_filled(writer, &region);
    cst_write(writer, ") ");
    cst_region_write_loops(writer, &region);
    cst_write(writer, "{ const struct castell_access __castell_x = ");
    cst_region_write_access(writer, &region);
    cst_write(writer, "; ");
    write_call(writer, statement, section, &region);
    cst_write_where(writer, writer->file, writer->line);
    cst_write(writer, "); } } ");
}

/* group(step) is the group "step"; any other expression is a string. */
static void write_name(struct cst_writer *writer,
                       const struct cst_statement_model *statement)
{
    struct cst_tokens all = statement->site->pragma.clauses[0].all;

    if (all.count == 1 && all.items[0].kind == CST_TOKEN_NAME)
        cst_write_literal(writer, cst_tokens_text(writer->memory, all));
    else
        cst_write_value(writer, all);
}

static void write_simple(struct cst_writer *writer,
                         const struct cst_statement_model *statement,
                         const char *function)
{
    cst_write(writer, "castell_must(%s(", function);
    if (statement->site->pragma.kind != CST_PRAGMA_BARRIER)
        write_name(writer, statement);
    cst_write(writer, "), ");
    cst_write_where(writer, writer->file, writer->line);
    cst_write(writer, "); ");
}

/* A step that is restored is assigned to: what it was when there is none. */
static void write_checkpoint(struct cst_writer *writer,
                             const struct cst_statement_model *statement)
{
    const struct cst_clause *clause = &statement->site->pragma.clauses[0];
    const struct cst_item *step = &clause->items[1];
    bool restores = statement->site->pragma.kind == CST_PRAGMA_RESTORE;

    cst_write(writer, "struct castell_checkpoint *__castell_c; "
                      "uint64_t __castell_s = ");
    if (step->has_value)
        cst_write_value(writer, step->value);
    else
        cst_write(writer, "0");
    cst_write(writer, "; castell_must(__castell_saved_at(");
    cst_write_value(writer, clause->items[0].value);
    cst_write(writer, ", &__castell_c), ");
    cst_write_where(writer, writer->file, writer->line);
    cst_write(writer, "); ");
    for (size_t i = 0; i < clause->sections_count; i++)
        write_region_call(writer, statement, i);
    cst_write(writer,
              "castell_must(__castell_saved_%s(__castell_c, "
              "%s__castell_s), ",
              restores ? "restore" : "save", restores ? "&" : "");
    cst_write_where(writer, writer->file, writer->line);
    cst_write(writer, "); ");
    if (!restores || !step->has_value)
        return;
    cst_write_value(writer, step->value);
    cst_write(writer, " = __castell_s; ");
}

void cst_write_statement(struct cst_writer *writer,
                         const struct cst_statement_model *statement)
{
    const struct cst_pragma *pragma = &statement->site->pragma;

    cst_write(writer, "{ ");
    if (pragma->kind == CST_PRAGMA_BARRIER)
        write_simple(writer, statement, "castell_barrier");
    else if (pragma->kind == CST_PRAGMA_WAIT_GROUP)
        write_simple(writer, statement, "castell_group_wait");
    else if (pragma->kind == CST_PRAGMA_CANCEL_GROUP)
        write_simple(writer, statement, "castell_group_cancel");
    else if (cst_pragma_is_checkpoint(pragma->kind))
        write_checkpoint(writer, statement);
    else
        for (size_t i = 0; i < pragma->clauses[0].sections_count; i++)
            write_region_call(writer, statement, i);
    cst_write(writer, "}");
}

void cst_write_group_begin(struct cst_writer *writer,
                           const struct cst_statement_model *statement)
{
    cst_write(writer, " const char *__castell_g __attribute__((unused, "
                      "cleanup(__castell_leave))) = (");
    write_simple(writer, statement, "castell_group_begin");
    /* The comma operator: begin the group, then know where. */
    writer->text.size -= strlen("; ");
    cst_write(writer, ", ");
    cst_write_where(writer, writer->file, writer->line);
    cst_write(writer, "); ");
}
