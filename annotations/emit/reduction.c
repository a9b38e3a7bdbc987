/* Writes the functions that make and combine copies in a reduction. */
#include "emit/emit_internal.h"

#include <string.h>

/* The largest value of a type, as C text; T is the type's name here. */
static const char *largest(const struct cst_reduction_model *model)
{
    if (model->is_floating)
        return "(__castell_t)__builtin_inf()";
    if (model->is_bool)
        return "(__castell_t)1";
    return "((__castell_t)-1 > (__castell_t)0 ? (__castell_t)-1 : "
           "(__castell_t)(((((__castell_t)1 << (sizeof(__castell_t) * 8 - 2)) "
           "- 1) << 1) + 1))";
}

static const char *smallest(const struct cst_reduction_model *model)
{
    if (model->is_floating)
        return "(__castell_t)-__builtin_inf()";
    if (model->is_bool)
        return "(__castell_t)0";
    return "((__castell_t)-1 > (__castell_t)0 ? (__castell_t)0 : "
           "(__castell_t)(-(((((__castell_t)1 << (sizeof(__castell_t) * 8 - "
           "2)) - 1) << 1) + 1) - 1))";
}

static const char *identity(const struct cst_reduction_model *model)
{
    const char *op = model->operation;

    if (strcmp(op, "min") == 0)
        return largest(model);
    if (strcmp(op, "max") == 0)
        return smallest(model);
    if (strcmp(op, "*") == 0 || strcmp(op, "&&") == 0)
        return "(__castell_t)1";
    return strcmp(op, "&") == 0 ? "(__castell_t)~(__castell_t)0"
                                : "(__castell_t)0";
}

static const char *combination(const struct cst_reduction_model *model)
{
    const char *op = model->operation;

    if (strcmp(op, "min") == 0)
        return "if (y[i] < x[i]) x[i] = y[i]; ";
    if (strcmp(op, "max") == 0)
        return "if (y[i] > x[i]) x[i] = y[i]; ";
    if (strcmp(op, "+") == 0)
        return "x[i] = (__castell_t)(x[i] + y[i]); ";
    if (strcmp(op, "*") == 0)
        return "x[i] = (__castell_t)(x[i] * y[i]); ";
    if (strcmp(op, "&") == 0)
        return "x[i] = (__castell_t)(x[i] & y[i]); ";
    if (strcmp(op, "|") == 0)
        return "x[i] = (__castell_t)(x[i] | y[i]); ";
    if (strcmp(op, "^") == 0)
        return "x[i] = (__castell_t)(x[i] ^ y[i]); ";
    if (strcmp(op, "&&") == 0)
        return "x[i] = (__castell_t)(x[i] && y[i]); ";
    return "x[i] = (__castell_t)(x[i] || y[i]); ";
}

/* Sixteen at a time, of what does not overlap: gcc -O2 vectorizes no other. */
static void write_loop(struct cst_writer *writer,
                       const struct cst_reduction_model *model,
                       const char *name, size_t index)
{
    cst_write(writer,
              "static void __castell_loop_%s_%zu(__typeof__(%s) *__restrict "
              "x, const __typeof__(%s) *__restrict y, size_t count) { typedef "
              "__typeof__(%s) __castell_t; size_t i; for (; count >= 16; "
              "count -= 16, x += 16, y += 16) for (i = 0; i < 16; i++) { %s} "
              "for (i = 0; i < count; i++) { %s} } ",
              name, index, model->element, model->element, model->element,
              combination(model), combination(model));
}

static void write_one(struct cst_writer *writer,
                      const struct cst_task_model *task, size_t index)
{
    const struct cst_reduction_model *model = task->accesses[index].reduction;
    const char *name = task->body.name;

    cst_write(writer,
              "static void __castell_identity_%s_%zu(void *into, size_t count) "
              "{ ",
              name, index);
    if (model->function)
        cst_write(writer, "%s(into, (void *)0, count); } ", model->function);
    else
        cst_write(writer,
                  "typedef __typeof__(%s) __castell_t; __castell_t *x = into; "
                  "size_t i; for (i = 0; i < count; i++) x[i] = %s; } ",
                  model->element, identity(model));
    if (!model->function)
        write_loop(writer, model, name, index);
    cst_write(writer,
              "static void __castell_combine_%s_%zu(void *into, const void "
              "*from, size_t count) { ",
              name, index);
    if (model->function)
        cst_write(writer, "%s(into, from, count); } ", model->function);
    else
        cst_write(writer, "__castell_loop_%s_%zu(into, from, count); } ", name,
                  index);
    cst_write(writer,
              "static const struct castell_reduction "
              "__castell_reduction_%s_%zu = {.element_size = "
              "sizeof(__typeof__(%s)), .identity = __castell_identity_%s_%zu, "
              ".combine = __castell_combine_%s_%zu}; ",
              name, index, model->element, name, index, name, index);
}

bool cst_has_reductions(const struct cst_task_model *task)
{
    for (size_t i = 0; i < task->accesses_count; i++)
        if (task->accesses[i].reduction)
            return true;
    return false;
}

void cst_write_reductions(struct cst_writer *writer,
                          const struct cst_task_model *task)
{
    const char *name = task->body.name;

    if (!cst_has_reductions(task))
        return;
    for (size_t i = 0; i < task->accesses_count; i++)
        if (task->accesses[i].reduction)
            write_one(writer, task, i);
    /* In the order of accesses, so that it is the same in every unit. */
    cst_write(writer,
              "static const struct castell_reduction *const "
              "__castell_reductions_%s[] = {",
              name);
    for (size_t i = 0; i < task->accesses_count; i++)
        if (task->accesses[i].reduction)
            cst_write(writer, "&__castell_reduction_%s_%zu, ", name, i);
    cst_write(writer, "0}; ");
}
