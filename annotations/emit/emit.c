#include "emit/emit.h"

#include "emit/emit_internal.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of the unit's text that others take the place of. */
struct edit {
    size_t offset;
    size_t removed;
    size_t order; /* among those at one offset */
    struct cst_text text;
};

struct edits {
    struct cst_memory *memory;
    const struct cst_model *model;
    struct edit *items;
    size_t count;
};

static void add_edit(struct edits *edits, size_t offset, size_t removed,
                     struct cst_text text)
{
    edits->items = cst_memory_room(edits->memory, edits->items, edits->count,
                                   sizeof(*edits->items));
    edits->items[edits->count] = (struct edit){
        .offset = offset,
        .removed = removed,
        .order = edits->count,
        .text = text,
    };
    edits->count++;
}

static struct cst_writer start(struct edits *edits, const struct cst_site *site)
{
    struct cst_writer writer;

    cst_writer_init(&writer, edits->memory, site->file, site->line);
    return writer;
}

/* ---- Tasks ---------------------------------------------------------- */

static bool is_called(const struct cst_model *model,
                      const struct cst_task_model *task)
{
    for (size_t i = 0; i < model->calls_count; i++)
        if (model->calls[i].task == task)
            return true;
    return false;
}

static void edit_task(struct edits *edits, const struct cst_task_model *task)
{
    bool called = is_called(edits->model, task);
    struct cst_writer writer;

    if (!called && task->implementations_count == 0)
        return;
    if (called) {
        writer = start(edits, task->body.site);
        cst_write_submit_head(&writer, task);
        cst_write(&writer, ";");
        add_edit(edits, task->body.before, 0, writer.text);
    }
    writer = start(edits, task->body.site);
    cst_write_argument(&writer, task);
    if (called) {
        if (task->may_lack_body)
            cst_write(&writer,
                      "extern __typeof__(%s) %s __attribute__((weak)); ",
                      task->body.name, task->body.name);
        cst_write_reductions(&writer, task);
        cst_write_body(&writer, task, &task->body);
        cst_write_kind(&writer, task);
        cst_write_constants(&writer, task);
        cst_write_submit(&writer, task);
    }
    add_edit(edits, task->body.after, 0, writer.text);
    for (size_t i = 0; i < task->implementations_count; i++) {
        const struct cst_body_model *body = task->implementations[i];

        writer = start(edits, body->site);
        cst_write_implementation(&writer, task, body);
        add_edit(edits, body->after, 0, writer.text);
    }
}

static void edit_call(struct edits *edits, const struct cst_call_model *call)
{
    const struct cst_unit *unit = edits->model->unit;
    struct cst_place place = cst_unit_place(unit, call->name);
    struct cst_writer writer;

    cst_writer_init(&writer, edits->memory, place.file, place.line);
    cst_write(&writer, "__castell_submit_%s", call->task->body.name);
    add_edit(edits, call->name, strlen(call->task->body.name), writer.text);
    cst_writer_init(&writer, edits->memory, place.file, place.line);
    cst_write_where(&writer, place.file, place.line);
    cst_write(&writer, call->has_arguments ? "," : "");
    add_edit(edits, call->arguments, 0, writer.text);
}

static void edit_statement(struct edits *edits,
                           const struct cst_statement_model *statement)
{
    struct cst_writer writer = start(edits, statement->site);

    if (statement->site->pragma.kind == CST_PRAGMA_GROUP) {
        cst_write_group_begin(&writer, statement);
        add_edit(edits, statement->block + 1, 0, writer.text);
    } else {
        cst_write_statement(&writer, statement);
        add_edit(edits, statement->site->offset, statement->site->size,
                 writer.text);
    }
}

static void edit_prelude(struct edits *edits)
{
    size_t offset = edits->model->unit->header_end;
    struct cst_place place = cst_unit_place(edits->model->unit, offset);
    struct cst_writer writer;

    /* On line 0, of which a debugger knows that it is no line to step to. */
    cst_writer_init(&writer, edits->memory, place.file, 0);
    cst_write_prelude(&writer);
    add_edit(edits, offset, 0, writer.text);
}

/* What comes last; on line 0 too. */
static void edit_end(struct edits *edits)
{
    const struct cst_model *model = edits->model;
    size_t offset = model->unit->text.size;
    struct cst_place place = cst_unit_place(model->unit, offset);
    const struct cst_task_model **called;
    struct cst_writer writer;
    size_t count = 0;

    called = cst_memory_take(edits->memory,
                             (model->tasks_count + 1) * sizeof(*called));
    for (size_t i = 0; i < model->tasks_count; i++)
        if (is_called(model, model->tasks[i]))
            called[count++] = model->tasks[i];
    if (count == 0)
        return;
    cst_writer_init(&writer, edits->memory, place.file, 0);
    cst_write_declarations(&writer, called, count);
    add_edit(edits, offset, 0, writer.text);
}

/* ---- Putting it in -------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const struct edit *x = a, *y = b;

    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* Say where the text goes on, so that lines and columns stay right. */
static void resume(const struct cst_unit *unit, size_t offset,
                   struct cst_text *text)
{
    struct cst_place place = cst_unit_place(unit, offset);

    cst_unit_mark(text, place.file, place.line,
                  cst_unit_is_system(unit, offset));
    cst_text_spaces(text, place.column - 1);
}

static void apply(struct edits *edits, struct cst_text *text)
{
    const struct cst_unit *unit = edits->model->unit;
    size_t at = 0;

    qsort(edits->items, edits->count, sizeof(*edits->items), compare);
    for (size_t i = 0; i < edits->count; i++) {
        struct edit *edit = &edits->items[i];

        cst_text_add(text, unit->text.bytes + at, edit->offset - at);
        cst_text_add(text, edit->text.bytes, edit->text.size);
        cst_text_release(&edit->text);
        at = edit->offset + edit->removed;
        resume(unit, at, text);
    }
    cst_text_add(text, unit->text.bytes + at, unit->text.size - at);
}

void cst_emit(const struct cst_model *model, struct cst_text *ret_text)
{
    struct edits edits = {.memory = model->unit->memory, .model = model};

    edit_prelude(&edits);
    for (size_t i = 0; i < model->tasks_count; i++)
        edit_task(&edits, model->tasks[i]);
    for (size_t i = 0; i < model->calls_count; i++)
        edit_call(&edits, &model->calls[i]);
    for (size_t i = 0; i < model->statements_count; i++)
        edit_statement(&edits, &model->statements[i]);
    edit_end(&edits);
    apply(&edits, ret_text);
}
