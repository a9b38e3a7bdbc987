/* Writes the function that stands in for a task function where it is called. */
#include "emit/emit_internal.h"

#include <string.h>

void cst_write_submit_head(struct cst_writer *writer,
                           const struct cst_task_model *task)
{
    cst_write(writer,
              "static __inline__ __attribute__((unused)) void "
              "__castell_submit_%s(const char *__castell_where",
              task->body.name);
    for (size_t i = 0; i < task->body.parameters_count; i++)
        cst_write(writer, ", %s %s", task->body.parameters[i].type,
                  task->body.parameters[i].name);
    cst_write(writer, ")");
}

static bool is_file(const struct cst_access_model *access)
{
    return access->section == NULL;
}

static const char *directory_mark(const struct cst_access_model *access)
{
    return cst_clause_is_directory(access->kind) ? ".is_directory = 1, " : "";
}

static void write_file(struct cst_writer *writer,
                       const struct cst_task_model *task,
                       const struct cst_access_model *access)
{
    cst_write(writer,
              "{.base = (const void *)%s%s, .size = 0, .rows = 0, .pitch = 0, "
              ".mode = %s, .is_file = 1, %s.pointer = 0, .reduction = 0}",
              task->body.parameters[access->parameter].name, access->member,
              cst_mode_name(access->kind), directory_mark(access));
}

static void write_locals(struct cst_writer *writer,
                         const struct cst_task_model *task)
{
    for (size_t i = 0; i < task->accesses_count; i++) {
        const struct cst_access_model *access = &task->accesses[i];
        struct cst_region_writer region;

        if (is_file(access))
            continue;
        region = cst_access_region(writer->memory, task, i);
        cst_region_write_locals(writer, &region);
        if (cst_clause_is_collection(access->kind)) {
            cst_write(writer, "const long long __castell_e%zu = ", i);
            cst_write_value(writer, access->section->element_count);
            cst_write(writer, "; long long __castell_i%zu_0; ", i);
        }
    }
}

/* ---- As many accesses as clauses ------------------------------------ */

/* What is known of an access when the file is compiled. */
static void write_constant(struct cst_writer *writer,
                           const struct cst_task_model *task, size_t index)
{
    const struct cst_access_model *access = &task->accesses[index];
    struct cst_region_writer region;

    if (is_file(access)) {
        cst_write(writer, "{.mode = %s, %s.is_file = 1}, ",
                  cst_mode_name(access->kind), directory_mark(access));
        return;
    }
    region = cst_access_region(writer->memory, task, index);
    cst_write(writer, "{.rows = %d%s}, ", !cst_region_has_rows(&region),
              region.mode);
}

/* What __castell_list() has to know of a task. */
void cst_write_constants(struct cst_writer *writer,
                         const struct cst_task_model *task)
{
    const char *name = task->body.name;

    if (cst_task_is_dynamic(task))
        return;
    if (task->accesses_count > 0) {
        cst_write(writer,
                  "static const struct castell_access __castell_accesses_%s[] "
                  "= {",
                  name);
        for (size_t i = 0; i < task->accesses_count; i++)
            write_constant(writer, task, i);
        cst_write(writer, "}; ");
    }
    cst_write(writer,
              "static const struct __castell_task __castell_task_%s = {.kind = "
              "&__castell_kind_%s, ",
              name, name);
    if (task->accesses_count > 0)
        cst_write(writer,
                  ".accesses = __castell_accesses_%s, .accesses_count = %zu, ",
                  name, task->accesses_count);
    if (cst_has_argument(writer->memory, task))
        cst_write(writer,
                  ".argument_size = sizeof(struct __castell_argument_%s), ",
                  name);
    if (cst_has_empty_mask(writer->memory, task))
        cst_write(writer, ".may_be_empty = 1, ");
    cst_write(writer, "}; ");
}

/* The end of a call: what changes from call to call. */
static void write_values(struct cst_writer *writer,
                         const struct cst_task_model *task)
{
    for (size_t i = 0; i < task->accesses_count; i++) {
        const struct cst_access_model *access = &task->accesses[i];
        struct cst_region_writer region;

        cst_write(writer, ", ");
        if (is_file(access)) {
            cst_write(writer, "(const void *)%s%s",
                      task->body.parameters[access->parameter].name,
                      access->member);
            continue;
        }
        region = cst_access_region(writer->memory, task, i);
        cst_region_write_values(writer, &region);
    }
}

/* ---- More accesses than clauses ------------------------------------- */

/* An upper bound of the number of accesses. */
static void write_total(struct cst_writer *writer,
                        const struct cst_task_model *task)
{
    cst_write(writer, "const uint64_t __castell_total = 0");
    for (size_t i = 0; i < task->accesses_count; i++) {
        const struct cst_access_model *access = &task->accesses[i];
        size_t count = is_file(access) ? 0 : access->section->dimensions_count;

        cst_write(writer, " + (uint64_t)1");
        /* All but the last two dimensions are loops or count 1. */
        if (cst_clause_is_collection(access->kind))
            cst_write(writer, " * __castell_natural(__castell_n%zu_0)", i);
        for (size_t j = 0; j + 1 < count; j++)
            if (!access->section->dimensions[j].is_index)
                cst_write(writer, " * __castell_natural(__castell_n%zu_%zu)", i,
                          j);
    }
    cst_write(writer, "; ");
}

static void write_collection(struct cst_writer *writer,
                             const struct cst_task_model *task, size_t index)
{
    struct cst_region_writer region =
        cst_access_region(writer->memory, task, index);
    bool lower = !cst_region_starts_at_base(&region);

    cst_write(writer, "if (__castell_e%zu > 0 && ", index);
    cst_region_write_filled(writer, &region);
    cst_write(writer,
              ") { __castell_f%zu = (uint32_t)__castell_n; for "
              "(__castell_i%zu_0 = 0; __castell_i%zu_0 < __castell_n%zu_0; "
              "__castell_i%zu_0++) ",
              index, index, index, index, index);
    cst_write(writer,
              "__castell_x[__castell_n++] = (struct castell_access){.base = "
              "(const void *)(%s)[__castell_i%zu_0",
              region.base, index);
    if (lower)
        cst_write(writer, " + __castell_l%zu_0", index);
    cst_write(writer,
              "], .size = (size_t)__castell_e%zu * sizeof((%s)[0][0]), .rows = "
              "0, .pitch = 0%s}; } ",
              index, region.base, region.mode);
}

static void write_dynamic_access(struct cst_writer *writer,
                                 const struct cst_task_model *task,
                                 size_t index)
{
    const struct cst_access_model *access = &task->accesses[index];
    struct cst_region_writer region;

    cst_write(writer, "uint32_t __castell_f%zu = (uint32_t)-1; ", index);
    if (cst_clause_is_collection(access->kind)) {
        write_collection(writer, task, index);
        return;
    }
    if (is_file(access)) {
        cst_write(writer,
                  "__castell_f%zu = (uint32_t)__castell_n; "
                  "__castell_x[__castell_n++] = (struct castell_access)",
                  index);
        write_file(writer, task, access);
        cst_write(writer, "; ");
        return;
    }
    region = cst_access_region(writer->memory, task, index);
    cst_write(writer, "if (");
    cst_region_write_filled(writer, &region);
    cst_write(writer, ") { __castell_f%zu = (uint32_t)__castell_n; ", index);
    cst_region_write_loops(writer, &region);
    cst_write(writer, "__castell_x[__castell_n++] = (struct castell_access)");
    cst_region_write_access(writer, &region);
    cst_write(writer, "; } ");
}

static void write_dynamic_accesses(struct cst_writer *writer,
                                   const struct cst_task_model *task)
{
    write_total(writer, task);
    cst_write(writer,
              "struct castell_access __castell_few[%d], *__castell_x = "
              "__castell_few; size_t __castell_n = 0; if (__castell_total > "
              "%d) { __castell_x = __builtin_malloc(__castell_total * "
              "sizeof(*__castell_x)); if (!__castell_x) "
              "castell_must(CASTELL_ERR_NO_MEMORY, __castell_where); } ",
              CST_ACCESSES_FEW, CST_ACCESSES_FEW);
    for (size_t i = 0; i < task->accesses_count; i++)
        write_dynamic_access(writer, task, i);
}

/* ---- The submission ------------------------------------------------- */

static void write_argument_value(struct cst_writer *writer,
                                 const struct cst_task_model *task)
{
    bool dynamic = cst_task_is_dynamic(task);

    if (!cst_has_argument(writer->memory, task))
        return;
    cst_write(writer, "struct __castell_argument_%s __castell_v = {",
              task->body.name);
    if (cst_has_empty_mask(writer->memory, task))
        cst_write(writer, ".__castell_empty = 0, ");
    for (size_t i = 0; i < task->body.parameters_count; i++) {
        const struct cst_parameter *parameter = &task->body.parameters[i];

        if (!parameter->is_pointer)
            cst_write(writer, ".%s = %s, ", parameter->name, parameter->name);
    }
    for (size_t i = 0; i < task->accesses_count; i++) {
        struct cst_region_writer region;

        if (!cst_access_has_offset(writer->memory, task, i))
            continue;
        region = cst_access_region(writer->memory, task, i);
        cst_write(writer, ".__castell_offset_%zu = ", i);
        cst_region_write_offset(writer, &region);
        cst_write(writer, ", ");
    }
    for (size_t i = 0; dynamic && i < task->accesses_count; i++)
        cst_write(writer, ".__castell_first_%zu = __castell_f%zu, ", i, i);
    cst_write(writer, "}; ");
}

static void write_member(struct cst_writer *writer, const char *before,
                         struct cst_tokens value, const char *after)
{
    if (value.count == 0)
        return;
    cst_write(writer, "%s", before);
    cst_write_value(writer, value);
    cst_write(writer, "%s, ", after);
}

/* Are there clauses whose values belong to one call? */
static bool has_members(const struct cst_task_model *task)
{
    return task->body.constraint.per_call || task->priority.count > 0 ||
           task->deadline.count > 0 || task->cost.count > 0 ||
           task->condition.count > 0 || task->final.count > 0;
}

/* The members of a submission that clauses of the task give. */
static void write_members(struct cst_writer *writer,
                          const struct cst_task_model *task)
{
    if (task->body.constraint.per_call)
        cst_write(writer, ".constraint = &__castell_c, ");
    write_member(writer, ".priority = (int32_t)", task->priority, "");
    write_member(writer, ".deadline_ns = __castell_time(1e6 * ", task->deadline,
                 ")");
    write_member(writer, ".cost = (double)", task->cost, "");
    write_member(writer, ".undeferred = !", task->condition, "");
    write_member(writer, ".final = (_Bool)", task->final, "");
}

static void write_static_submission(struct cst_writer *writer,
                                    const struct cst_task_model *task)
{
    const char *name = task->body.name;
    const char *argument =
        cst_has_argument(writer->memory, task) ? "&__castell_v" : "(void *)0";

    if (has_members(task)) {
        cst_write(writer, "struct castell_submission __castell_s = {.where = "
                          "__castell_where, ");
        write_members(writer, task);
        cst_write(writer,
                  "}; __castell_call_with(&__castell_task_%s, &__castell_s, %s",
                  name, argument);
    } else {
        cst_write(writer,
                  "__castell_call(&__castell_task_%s, __castell_where, %s",
                  name, argument);
    }
    write_values(writer, task);
    cst_write(writer, "); ");
}

static void write_dynamic_submission(struct cst_writer *writer,
                                     const struct cst_task_model *task)
{
    cst_write(writer,
              "const struct castell_submission __castell_s = {.kind = "
              "&__castell_kind_%s, .where = __castell_where, .accesses = "
              "__castell_x, .accesses_count = __castell_n, .argument = "
              "&__castell_v, .argument_size = sizeof(__castell_v), ",
              task->body.name);
    write_members(writer, task);
    cst_write(writer,
              "}; const enum castell_status __castell_r = "
              "castell_task_submit(&__castell_s, (void *)0); if (__castell_x "
              "!= __castell_few) __builtin_free(__castell_x); if "
              "(__builtin_expect(__castell_r < 0, 0)) "
              "castell_must(__castell_r, __castell_where); ");
}

void cst_write_submit(struct cst_writer *writer,
                      const struct cst_task_model *task)
{
    bool dynamic = cst_task_is_dynamic(task);

    cst_write_submit_head(writer, task);
    cst_write(writer, " { ");
    write_locals(writer, task);
    if (dynamic)
        write_dynamic_accesses(writer, task);
    write_argument_value(writer, task);
    if (task->body.constraint.per_call) {
        cst_write(writer, "const struct castell_constraint __castell_c = ");
        cst_write_constraint(writer, &task->body.constraint, true);
        cst_write(writer, "; ");
    }
    if (dynamic)
        write_dynamic_submission(writer, task);
    else
        write_static_submission(writer, task);
    cst_write(writer, "} ");
}
