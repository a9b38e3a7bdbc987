/* Writes the function that the runtime calls for a task's body. */
#include "emit/emit_internal.h"

#include <string.h>

/* The buffer of an access, as C text. */
static const char *buffer(struct cst_memory *memory,
                          const struct cst_task_model *task, size_t index)
{
    const char *text;

    if (cst_clause_is_collection(task->accesses[index].kind))
        text = cst_memory_format(
            memory,
            "(__castell_v->__castell_first_%zu == (uint32_t)-1 ? (void *)0 : "
            "(void *)(__castell_b + __castell_v->__castell_first_%zu))",
            index, index);
    else if (cst_task_is_dynamic(task))
        text = cst_memory_format(
            memory,
            "__castell_at(__castell_b, __castell_v->__castell_first_%zu)",
            index);
    else if (cst_has_empty_mask(memory, task))
        text = cst_memory_format(
            memory,
            "__castell_buffer(__castell_b, %zu, __castell_v->__castell_empty)",
            index);
    else
        text = cst_memory_format(memory, "__castell_b[%zu]", index);
    if (cst_access_has_offset(memory, task, index))
        text = cst_memory_format(
            memory, "__castell_shifted(%s, __castell_v->__castell_offset_%zu)",
            text, index);
    return text;
}

const char *cst_body_value(struct cst_memory *memory,
                           const struct cst_task_model *task, size_t parameter)
{
    const char *value = NULL;

    /* Of several sections each leads to the same pointer, if it is there. */
    for (size_t i = 0; i < task->accesses_count; i++) {
        const char *one;

        if (task->accesses[i].parameter != parameter)
            continue;
        if (*task->accesses[i].member)
            return cst_memory_format(memory, "__castell_s%zu", parameter);
        one = buffer(memory, task, i);
        value =
            value ? cst_memory_format(memory, "(%s ?: %s)", value, one) : one;
    }
    if (value)
        return value;
    return cst_memory_format(memory, "__castell_v->%s",
                             task->body.parameters[parameter].name);
}

/* Structs whose members come from buffers: copies to change. */
static void write_structs(struct cst_writer *writer,
                          const struct cst_task_model *task)
{
    for (size_t i = 0; i < task->body.parameters_count; i++) {
        const struct cst_parameter *parameter = &task->body.parameters[i];
        bool declared = false;

        for (size_t j = 0; j < task->accesses_count; j++) {
            const struct cst_access_model *access = &task->accesses[j];

            if (access->parameter != i || !*access->member)
                continue;
            if (!declared)
                cst_write(writer,
                          "__typeof__(%s) __castell_s%zu = __castell_v->%s; ",
                          parameter->bare_type, i, parameter->name);
            declared = true;
        }
    }
    for (size_t j = 0; j < task->accesses_count; j++)
        if (*task->accesses[j].member)
            cst_write(writer, "__castell_s%zu%s = %s; ",
                      task->accesses[j].parameter, task->accesses[j].member,
                      buffer(writer->memory, task, j));
}

void cst_write_body(struct cst_writer *writer,
                    const struct cst_task_model *task,
                    const struct cst_body_model *body)
{
    cst_write(writer,
              "static int __castell_body_%s(void *const *__castell_b, const "
              "void *__castell_a) { ",
              body->name);
    if (cst_has_argument(writer->memory, task))
        cst_write(writer,
                  "const struct __castell_argument_%s *const __castell_v = "
                  "__castell_a; ",
                  task->body.name);
    write_structs(writer, task);
    cst_write(writer, "(void)__castell_b; (void)__castell_a; ");
    if (body->programs) {
        cst_write_command(writer, task, body);
        cst_write(writer, "} ");
        return;
    }
    if (body->kernel) {
        cst_write_kernel(writer, task, body);
        cst_write(writer, "} ");
        return;
    }
    cst_write(writer, "%s%s(", body->returns_int ? "return " : "", body->name);
    for (size_t i = 0; i < task->body.parameters_count; i++)
        cst_write(writer, "%s%s", i ? ", " : "",
                  cst_body_value(writer->memory, task, i));
    cst_write(writer, "); %s} ", body->returns_int ? "" : "return 0; ");
}
