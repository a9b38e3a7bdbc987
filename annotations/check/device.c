/* device(...), and kernel(...) range(...) source(...) as a body. */
#include "check/check_internal.h"
#include "check/unit_values.h"
#include "common/source.h"

#include <errno.h>
#include <string.h>

static const struct cst_clause *clause_of(const struct cst_subject *subject,
                                          enum cst_clause_kind kind)
{
    return cst_pragma_find(&subject->body->site->pragma, kind, NULL);
}

static void read_device(struct cst_checker *checker,
                        struct cst_subject *subject)
{
    static const char *const devices[] = {
        [CST_DEVICE_CPU] = "cpu",
        [CST_DEVICE_BINARY] = "binary",
        [CST_DEVICE_CONTAINER] = "container",
        [CST_DEVICE_MPI] = "mpi",
        [CST_DEVICE_CUDA] = "cuda",
        [CST_DEVICE_OPENCL] = "opencl",
    };
    const struct cst_clause *clause = clause_of(subject, CST_CLAUSE_DEVICE);
    const struct cst_token *name = clause ? &clause->all.items[0] : NULL;

    for (size_t i = 0; name && i < sizeof(devices) / sizeof(devices[0]); i++) {
        if (!cst_token_is(name, devices[i]))
            continue;
        subject->body->device = (enum cst_device_model)i;
        if (i == CST_DEVICE_MPI && subject->implements)
            cst_report_error(checker->report, name->place,
                             "a body of device(mpi) is the only one of its "
                             "task");
        return;
    }
    if (name)
        cst_report_error(checker->report, name->place,
                         "unknown device '%.*s': there are cpu, cuda, opencl, "
                         "mpi, binary and container",
                         (int)name->size, name->text);
}

/* ---- A kernel as a body --------------------------------------------- */

/* Up to three expressions. */
static size_t read_list(struct cst_checker *checker,
                        const struct cst_subject *subject,
                        const struct cst_clause *clause,
                        struct cst_tokens list[CST_RANGE_MAX])
{
    struct cst_tokens all = clause->all;
    size_t count = 0, start = 0, depth = 0;
    bool constant;

    for (size_t i = 0; i <= all.count; i++) {
        const struct cst_token *token = i < all.count ? &all.items[i] : NULL;

        if (token && (cst_token_is(token, "(") || cst_token_is(token, "[")))
            depth++;
        if (token && (cst_token_is(token, ")") || cst_token_is(token, "]")))
            depth--;
        if (token && (depth > 0 || !cst_token_is(token, ",")))
            continue;
        if (count == CST_RANGE_MAX || i == start) {
            cst_report_error(checker->report, clause->name.place,
                             "'%.*s' takes one to three numbers of work items",
                             (int)clause->name.size, clause->name.text);
            return count;
        }
        list[count] =
            (struct cst_tokens){.items = all.items + start, .count = i - start};
        (void)cst_check_names(checker, subject, list[count++], &constant);
        start = i + 1;
    }
    return count;
}

/* A file is looked for beside the one with the pragma, as #include "" does. */
static const char *read_file(struct cst_checker *checker,
                             const struct cst_token *token)
{
    struct cst_memory *memory = checker->memory;
    const char *file = token->place.file;
    const char *slash = strrchr(file, '/');
    const char *name =
        cst_memory_copy(memory, token->text + 1, token->size - 2);
    const char *text;
    size_t size;

    if (*name != '/' && slash)
        name = cst_memory_format(memory, "%.*s/%s", (int)(slash - file), file,
                                 name);
    text = cst_source_read(memory, name, &size);
    if (!text)
        cst_report_error(checker->report, token->place, "cannot read %s: %s",
                         name, strerrordesc_np(errno));
    return text;
}

static void read_source(struct cst_checker *checker,
                        const struct cst_subject *subject,
                        struct cst_kernel *kernel)
{
    const struct cst_clause *clause = clause_of(subject, CST_CLAUSE_SOURCE);
    const struct cst_token *token = &clause->all.items[0];
    bool constant;

    if (clause->all.count == 1 && token->kind == CST_TOKEN_STRING)
        kernel->text = read_file(checker, token);
    else if (clause->all.count == 1 && token->kind == CST_TOKEN_NAME &&
             cst_check_names(checker, subject, clause->all, &constant))
        kernel->variable = clause->all;
    else if (clause->all.count != 1 || token->kind != CST_TOKEN_NAME)
        cst_report_error(checker->report, token->place,
                         "'source' takes the name of a file in quotes, or of a "
                         "string with the source");
}

static void refuse(struct cst_checker *checker,
                   const struct cst_subject *subject, enum cst_clause_kind kind,
                   const char *needs)
{
    const struct cst_clause *clause = clause_of(subject, kind);

    if (clause)
        cst_report_error(checker->report, clause->name.place, "'%.*s' needs %s",
                         (int)clause->name.size, clause->name.text, needs);
}

/* Is there a kernel, where one may be, with all that it needs? */
static bool check_kernel(struct cst_checker *checker,
                         const struct cst_subject *subject)
{
    const struct cst_clause *kernel = clause_of(subject, CST_CLAUSE_KERNEL);
    bool cuda = subject->body->device == CST_DEVICE_CUDA;
    const char *launch = cuda ? "castell_cuda_launch" : "castell_opencl_launch";

    if (!kernel) {
        refuse(checker, subject, CST_CLAUSE_SOURCE, "a 'kernel'");
        refuse(checker, subject, CST_CLAUSE_RANGE, "a 'kernel'");
        refuse(checker, subject, CST_CLAUSE_LOCAL, "a 'kernel'");
    } else if (!cuda && subject->body->device != CST_DEVICE_OPENCL) {
        refuse(checker, subject, CST_CLAUSE_KERNEL,
               "device(cuda) or device(opencl)");
    } else if (!clause_of(subject, CST_CLAUSE_SOURCE) ||
               !clause_of(subject, CST_CLAUSE_RANGE)) {
        refuse(checker, subject, CST_CLAUSE_KERNEL, "a 'source' and a 'range'");
    } else if (subject->body->is_defined) {
        cst_report_error(checker->report, kernel->name.place,
                         "'%s' has a body of its own besides its kernel",
                         subject->body->name);
    } else if (cst_ast_name(&checker->ast, launch, strlen(launch)) !=
               CST_NAME_OBJECT) {
        cst_report_error(checker->report, kernel->name.place,
                         "#include <castell_%s.h> is missing before this",
                         cuda ? "cuda" : "opencl");
    } else {
        return true;
    }
    return false;
}

void cst_check_device(struct cst_checker *checker, struct cst_subject *subject)
{
    struct cst_body_model *body = subject->body;
    const struct cst_clause *local = clause_of(subject, CST_CLAUSE_LOCAL);
    struct cst_kernel *kernel;

    read_device(checker, subject);
    body->async = clause_of(subject, CST_CLAUSE_ASYNC) != NULL;
    if (body->device != CST_DEVICE_CUDA && body->device != CST_DEVICE_OPENCL)
        refuse(checker, subject, CST_CLAUSE_ASYNC,
               "device(cuda) or device(opencl)");
    if (!check_kernel(checker, subject))
        return;
    kernel = cst_memory_take(checker->memory, sizeof(*kernel));
    body->kernel = kernel;
    kernel->name = cst_tokens_text(checker->memory,
                                   clause_of(subject, CST_CLAUSE_KERNEL)->all);
    read_source(checker, subject, kernel);
    kernel->range_count = read_list(
        checker, subject, clause_of(subject, CST_CLAUSE_RANGE), kernel->range);
    if (local)
        kernel->local_count = read_list(checker, subject, local, kernel->local);
    if (local && kernel->local_count != kernel->range_count)
        cst_report_error(checker->report, local->name.place,
                         "'local' has as many numbers as 'range'");
}

/* ---- What it works on ----------------------------------------------- */

static bool starts_later(const struct cst_section *section)
{
    for (size_t i = 0; section && i < section->dimensions_count; i++) {
        struct cst_tokens lower = section->dimensions[i].lower;
        double value = 0;

        if (lower.count > 0 && (!cst_literal_value(lower, &value) || value > 0))
            return true;
    }
    return false;
}

/* OpenCL's buffers are no pointers that one could step back from. */
void cst_check_buffers(struct cst_checker *checker,
                       const struct cst_subject *subject)
{
    const struct cst_task_model *task = subject->task;

    if (subject->body->device != CST_DEVICE_OPENCL || !task)
        return;
    for (size_t i = 0; i < task->accesses_count; i++) {
        const struct cst_access_model *access = &task->accesses[i];

        if (cst_clause_is_collection(access->kind) ||
            starts_later(access->section))
            cst_report_error(
                checker->report,
                clause_of(subject, CST_CLAUSE_DEVICE)->name.place,
                "a body of device(opencl) gets whole buffers: the region of "
                "'%s' must start at its pointer, and be one",
                task->body.parameters[access->parameter].name);
    }
}
