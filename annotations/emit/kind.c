/* Writes kinds of tasks, implementations of them, and what they need. */
#include "check/unit_values.h"
#include "emit/emit_internal.h"

#include <string.h>

/* Members of struct castell_constraint, and how a value gets there. */
static const struct {
    const char *member;
    const char *type;
    enum cst_measure measure;
} needs[CST_NEEDS_COUNT] = {
    [CST_NEED_CORES] = {"cores", "uint32_t", CST_MEASURE_COUNT},
    [CST_NEED_NODES] = {"nodes", "uint32_t", CST_MEASURE_COUNT},
    [CST_NEED_GPUS] = {"gpus", "float", CST_MEASURE_COUNT},
    [CST_NEED_MEMORY] = {"memory", "uint64_t", CST_MEASURE_SIZE},
    [CST_NEED_GPU_MEMORY] = {"gpu_memory", "uint64_t", CST_MEASURE_SIZE},
    [CST_NEED_STORAGE] = {"storage", "uint64_t", CST_MEASURE_SIZE},
    [CST_NEED_WALL_TIME] = {"wall_time_ns", "uint64_t", CST_MEASURE_SECONDS},
    [CST_NEED_ARCH] = {"arch", "", CST_MEASURE_NAME},
    [CST_NEED_FEATURE] = {"feature", "", CST_MEASURE_NAME},
};

static bool mentions_name(struct cst_tokens tokens)
{
    for (size_t i = 0; i < tokens.count; i++)
        if (tokens.items[i].kind == CST_TOKEN_NAME)
            return true;
    return false;
}

static void write_need(struct cst_writer *writer, size_t need,
                       struct cst_tokens value, bool per_call)
{
    struct cst_tokens plain =
        cst_without_units(writer->memory, value, needs[need].measure);
    const char *check = "";

    cst_write(writer, ".%s = ", needs[need].member);
    if (needs[need].measure == CST_MEASURE_NAME) {
        if (value.items[0].kind == CST_TOKEN_STRING)
            cst_write_value(writer, value);
        else
            cst_write_literal(writer, cst_tokens_text(writer->memory, value));
        cst_write(writer, ", ");
        return;
    }
    if (per_call && mentions_name(value) && need != CST_NEED_GPUS)
        check = needs[need].measure == CST_MEASURE_SECONDS
                    ? "__castell_time"
                    : "__castell_natural";
    cst_write(writer, "(%s)%s(", needs[need].type, check);
    if (needs[need].measure == CST_MEASURE_SECONDS)
        cst_write(writer, "1e9 * ");
    cst_write_value(writer, plain);
    cst_write(writer, "), ");
}

/* Only constants, or with per_call all values. */
void cst_write_constraint(struct cst_writer *writer,
                          const struct cst_constraint_model *constraint,
                          bool per_call)
{
    cst_write(writer, "{");
    for (size_t i = 0; i < CST_NEEDS_COUNT; i++)
        if (constraint->values[i].count > 0)
            write_need(writer, i, constraint->values[i], per_call);
    cst_write(writer, "}");
}

static void write_flags(struct cst_writer *writer,
                        const struct cst_task_model *task)
{
    if (!task->isolated && !task->replicated && !task->distributed &&
        !task->body.async)
        return;
    cst_write(writer, ".flags = 0%s%s%s%s, ",
              task->isolated ? " | CASTELL_ISOLATED" : "",
              task->replicated ? " | CASTELL_REPLICATED" : "",
              task->distributed ? " | CASTELL_DISTRIBUTED" : "",
              task->body.async ? " | CASTELL_ASYNC" : "");
}

static void write_failure(struct cst_writer *writer,
                          const struct cst_task_model *task)
{
    static const char *const policies[] = {"CASTELL_FAIL", "CASTELL_IGNORE",
                                           "CASTELL_CANCEL_SUCCESSORS"};

    if (task->on_failure != CST_FAILURE_FAIL)
        cst_write(writer, ".on_failure = %s, ", policies[task->on_failure]);
    if (task->retries.count > 0) {
        cst_write(writer, ".retries = (uint32_t)");
        cst_write_value(writer, task->retries);
        cst_write(writer, ", ");
    } else if (task->default_retries > 0) {
        cst_write(writer, ".retries = %u, ", task->default_retries);
    }
    if (task->timeout.count > 0) {
        cst_write(writer, ".timeout_ns = (uint64_t)(1e6 * ");
        cst_write_value(writer, task->timeout);
        cst_write(writer, "), ");
    }
}

static const char *device_of(const struct cst_body_model *body)
{
    static const char *const devices[] = {
        [CST_DEVICE_CPU] = "",
        [CST_DEVICE_BINARY] = ".device = CASTELL_BINARY, ",
        [CST_DEVICE_CONTAINER] = ".device = CASTELL_CONTAINER, ",
        [CST_DEVICE_MPI] = ".device = CASTELL_MPI, ",
        [CST_DEVICE_CUDA] = ".device = CASTELL_CUDA, ",
        [CST_DEVICE_OPENCL] = ".device = CASTELL_OPENCL, ",
    };

    return devices[body->device];
}

void cst_write_kind(struct cst_writer *writer,
                    const struct cst_task_model *task)
{
    const char *name = task->body.name;

    cst_write(writer,
              "static struct castell_kind __castell_kind_%s = {.name = ", name);
    cst_write_literal(writer, task->kind_name);
    if (task->label.count > 0) {
        cst_write(writer, ", .label = ");
        cst_write_value(writer, task->label);
    }
    cst_write(writer, ", .where = ");
    cst_write_where(writer, task->body.place.file, task->body.place.line);
    cst_write(writer, ", .body = __castell_body_%s, ", name);
    if (!task->body.constraint.per_call) {
        cst_write(writer, ".constraint = ");
        cst_write_constraint(writer, &task->body.constraint, false);
        cst_write(writer, ", ");
    }
    cst_write(writer, "%s", device_of(&task->body));
    write_failure(writer, task);
    write_flags(writer, task);
    if (cst_has_reductions(task))
        cst_write(writer, ".reductions = __castell_reductions_%s, ", name);
    cst_write(writer, "}; ");
    if (task->may_lack_body)
        cst_write(writer,
                  "static __attribute__((constructor)) void "
                  "__castell_absent_%s(void) { if (!%s) __castell_kind_%s.body "
                  "= 0; } ",
                  name, name, name);
}

/*
 * One constructor for all kinds of a unit, behind those that find out whether
 * they have a body: constructors of one unit run in their order.
 */
void cst_write_declarations(struct cst_writer *writer,
                            const struct cst_task_model *const *tasks,
                            size_t count)
{
    cst_write(writer,
              "static struct castell_kind *const __castell_kinds[] = {");
    for (size_t i = 0; i < count; i++)
        cst_write(writer, "&__castell_kind_%s, ", tasks[i]->body.name);
    cst_write(writer,
              "}; static __attribute__((constructor)) void "
              "__castell_declare(void) { size_t i; for (i = 0; i < %zu; i++) "
              "castell_must(castell_kind_declare(__castell_kinds[i]), "
              "__castell_kinds[i]->where); }\n",
              count);
}

void cst_write_implementation(struct cst_writer *writer,
                              const struct cst_task_model *task,
                              const struct cst_body_model *body)
{
    const char *name = body->name;

    cst_write_body(writer, task, body);
    cst_write(writer,
              "static const struct castell_implementation "
              "__castell_implementation_%s = {.name = ",
              name);
    cst_write_literal(writer, name);
    cst_write(writer, ", .body = __castell_body_%s, %s.constraint = ", name,
              device_of(body));
    cst_write_constraint(writer, &body->constraint, false);
    cst_write(writer, "%s}; ", body->async ? ", .flags = CASTELL_ASYNC" : "");
    /* Of the units that see it, one registers it. */
    if (body->is_static || task->body.is_static)
        cst_write(writer, "static char __castell_registered_%s; ", name);
    else
        cst_write(writer,
                  "__attribute__((weak, visibility(\"hidden\"))) char "
                  "__castell_registered_%s; ",
                  name);
    cst_write(writer,
              "static __attribute__((constructor)) void "
              "__castell_register_%s(void) { if (!__castell_registered_%s) { "
              "__castell_registered_%s = 1; castell_must("
              "castell_kind_implement(",
              name, name, name);
    cst_write_literal(writer, task->kind_name);
    cst_write(writer, ", &__castell_implementation_%s), ", name);
    cst_write_where(writer, body->place.file, body->place.line);
    cst_write(writer, "); } } ");
}
