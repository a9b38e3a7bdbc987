/* What the parts of one task's code have to agree on. */
#include "emit/emit_internal.h"

#include <stdint.h>
#include <string.h>

const char *cst_mode_name(enum cst_clause_kind kind)
{
    switch ((int)kind) {
    case CST_CLAUSE_IN:
    case CST_CLAUSE_COLLECTION_IN:
    case CST_CLAUSE_FILE_IN:
    case CST_CLAUSE_DIR_IN:
        return "CASTELL_IN";
    case CST_CLAUSE_OUT:
    case CST_CLAUSE_COLLECTION_OUT:
    case CST_CLAUSE_FILE_OUT:
    case CST_CLAUSE_DIR_OUT:
        return "CASTELL_OUT";
    case CST_CLAUSE_CONCURRENT:
        return "CASTELL_CONCURRENT";
    case CST_CLAUSE_COMMUTATIVE:
        return "CASTELL_COMMUTATIVE";
    case CST_CLAUSE_IN_DELETE:
        return "CASTELL_IN_DELETE";
    case CST_CLAUSE_REDUCTION:
        return "CASTELL_REDUCTION";
    default:
        return "CASTELL_INOUT";
    }
}

/* Of several sections of one parameter, or one that is several regions: the
   number of the first, from 1. */
static size_t pointer_of(const struct cst_task_model *task, size_t index)
{
    const struct cst_access_model *access = &task->accesses[index];
    size_t first = task->accesses_count;
    size_t count = 0;
    bool loops;

    if (cst_clause_is_collection(access->kind) || access->reduction)
        return 0;
    loops = cst_region_loops_count(&(struct cst_region_writer){
                .dimensions = access->section->dimensions,
                .dimensions_count = access->section->dimensions_count}) > 0;
    for (size_t i = task->accesses_count; i-- > 0;) {
        const struct cst_access_model *other = &task->accesses[i];

        if (other->parameter != access->parameter || !other->section ||
            strcmp(other->member, access->member) != 0)
            continue;
        first = i;
        count++;
    }
    return (count > 1 || loops) && first < UINT8_MAX ? first + 1 : 0;
}

struct cst_region_writer cst_access_region(struct cst_memory *memory,
                                           const struct cst_task_model *task,
                                           size_t index)
{
    const struct cst_access_model *access = &task->accesses[index];
    const char *reduction = "0";

    if (access->reduction)
        reduction = cst_memory_format(memory, "&__castell_reduction_%s_%zu",
                                      task->body.name, index);
    return (struct cst_region_writer){
        .base = cst_memory_format(memory, "%s%s",
                                  task->body.parameters[access->parameter].name,
                                  access->member),
        .dimensions = access->section->dimensions,
        .dimensions_count = access->section->dimensions_count,
        .number = index,
        .mode = cst_memory_format(memory,
                                  ", .mode = %s, .is_file = 0, .pointer = %zu, "
                                  ".reduction = %s",
                                  cst_mode_name(access->kind),
                                  pointer_of(task, index), reduction),
        .whole_count = access->whole_count,
    };
}

/* Does the number of accesses change from call to call, or is it large? */
bool cst_task_is_dynamic(const struct cst_task_model *task)
{
    for (size_t i = 0; i < task->accesses_count; i++) {
        const struct cst_access_model *access = &task->accesses[i];
        struct cst_region_writer region = {0};

        if (cst_clause_is_collection(access->kind) || i >= CST_ACCESSES_FEW)
            return true;
        if (!access->section)
            continue;
        region.dimensions = access->section->dimensions;
        region.dimensions_count = access->section->dimensions_count;
        if (cst_region_loops_count(&region) > 0)
            return true;
    }
    return false;
}

/* Is there a bit for each access that tells whether it was dropped? */
bool cst_has_empty_mask(struct cst_memory *memory,
                        const struct cst_task_model *task)
{
    if (cst_task_is_dynamic(task))
        return false;
    for (size_t i = 0; i < task->accesses_count; i++) {
        struct cst_region_writer region;

        if (!task->accesses[i].section)
            continue;
        region = cst_access_region(memory, task, i);
        if (cst_region_may_be_empty(&region))
            return true;
    }
    return false;
}

bool cst_access_has_offset(struct cst_memory *memory,
                           const struct cst_task_model *task, size_t index)
{
    struct cst_region_writer region;

    if (!task->accesses[index].section)
        return false;
    region = cst_access_region(memory, task, index);
    return !cst_region_starts_at_base(&region);
}

bool cst_has_argument(struct cst_memory *memory,
                      const struct cst_task_model *task)
{
    if (cst_has_empty_mask(memory, task) || cst_task_is_dynamic(task))
        return true;
    for (size_t i = 0; i < task->body.parameters_count; i++)
        if (!task->body.parameters[i].is_pointer)
            return true;
    for (size_t i = 0; i < task->accesses_count; i++)
        if (cst_access_has_offset(memory, task, i))
            return true;
    return false;
}

void cst_write_argument(struct cst_writer *writer,
                        const struct cst_task_model *task)
{
    bool dynamic = cst_task_is_dynamic(task);

    if (!cst_has_argument(writer->memory, task))
        return;
    cst_write(writer, "struct __castell_argument_%s { ", task->body.name);
    /* The first, where __castell_list() writes it. */
    if (cst_has_empty_mask(writer->memory, task))
        cst_write(writer, "uint64_t __castell_empty; ");
    for (size_t i = 0; i < task->body.parameters_count; i++) {
        const struct cst_parameter *parameter = &task->body.parameters[i];

        if (!parameter->is_pointer)
            cst_write(writer, "%s %s; ", parameter->type, parameter->name);
    }
    for (size_t i = 0; i < task->accesses_count; i++)
        if (cst_access_has_offset(writer->memory, task, i))
            cst_write(writer, "long long __castell_offset_%zu; ", i);
    for (size_t i = 0; dynamic && i < task->accesses_count; i++)
        cst_write(writer, "uint32_t __castell_first_%zu; ", i);
    cst_write(writer, "}; ");
}
