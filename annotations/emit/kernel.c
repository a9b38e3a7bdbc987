/* Writes bodies that start a kernel of OpenCL's or CUDA's. */
#include "emit/emit_internal.h"

/*
 * Each parameter by a name: its own, which expressions of range() use, when it
 * is a value; one of ours when it is a buffer.
 */
static void write_parameters(struct cst_writer *writer,
                             const struct cst_task_model *task,
                             const struct cst_body_model *body)
{
    for (size_t i = 0; i < task->body.parameters_count; i++) {
        const char *value = cst_body_value(writer->memory, task, i);

        if (task->body.parameters[i].is_pointer)
            cst_write(writer, "void *const __castell_k%zu = (void *)(%s); ", i,
                      value);
        else
            cst_write(writer, "%s %s = %s; ", task->body.parameters[i].type,
                      body->parameters[i].name, value);
    }
}

static void write_sizes(struct cst_writer *writer, const char *member,
                        const struct cst_tokens *values, size_t count)
{
    cst_write(writer, ", .%s = {", member);
    for (size_t i = 0; i < count; i++) {
        cst_write(writer, "(size_t)");
        cst_write_value(writer, values[i]);
        cst_write(writer, ", ");
    }
    cst_write(writer, "}");
}

static void write_arguments(struct cst_writer *writer,
                            const struct cst_task_model *task,
                            const struct cst_body_model *body)
{
    bool cuda = body->device == CST_DEVICE_CUDA;

    cst_write(writer, cuda ? "const void *const __castell_p[] = {"
                           : "const struct castell_opencl_argument "
                             "__castell_p[] = {");
    for (size_t i = 0; i < task->body.parameters_count; i++) {
        const char *name =
            task->body.parameters[i].is_pointer
                ? cst_memory_format(writer->memory, "__castell_k%zu", i)
                : body->parameters[i].name;

        if (cuda)
            cst_write(writer, "&%s, ", name);
        else
            cst_write(writer, "{sizeof(%s), &%s}, ", name, name);
    }
    cst_write(writer, cuda ? "(void *)0}; " : "}; ");
}

void cst_write_kernel(struct cst_writer *writer,
                      const struct cst_task_model *task,
                      const struct cst_body_model *body)
{
    const struct cst_kernel *kernel = body->kernel;
    bool cuda = body->device == CST_DEVICE_CUDA;
    const char *language = cuda ? "cuda" : "opencl";

    write_parameters(writer, task, body);
    cst_write(writer,
              "const struct castell_%s_range __castell_r = {.dimensions = %zu",
              language, kernel->range_count);
    write_sizes(writer, "global", kernel->range, kernel->range_count);
    if (kernel->local_count > 0)
        write_sizes(writer, "local", kernel->local, kernel->local_count);
    cst_write(writer, "}; ");
    write_arguments(writer, task, body);
    cst_write(writer, "return castell_%s_launch(", language);
    if (kernel->text)
        cst_write_literal(writer, kernel->text);
    else
        cst_write_value(writer, kernel->variable);
    cst_write(writer, ", ");
    cst_write_literal(writer, kernel->name);
    if (cuda)
        cst_write(writer, ", &__castell_r, __castell_p) < 0; ");
    else
        cst_write(writer, ", &__castell_r, __castell_p, %zu) < 0; ",
                  task->body.parameters_count);
}
