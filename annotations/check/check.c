#include "check/check.h"

#include "check/check_internal.h"

/* No body of its own here, but others elsewhere: then it may have none. */
static void settle_bodies(struct cst_model *model)
{
    for (size_t i = 0; i < model->tasks_count; i++) {
        struct cst_task_model *task = model->tasks[i];

        task->may_lack_body = !task->body.is_defined && !task->body.programs &&
                              !task->body.kernel && !task->body.is_static &&
                              task->implementations_count > 0;
    }
}

static bool run(struct cst_checker *checker)
{
    bool complained = checker->ast.complaint != NULL;

    if (complained && !checker->options->confirm(checker->options->owner))
        return false;
    cst_check_functions(checker);
    for (size_t i = 0; i < checker->subjects_count; i++) {
        struct cst_subject *subject = checker->subjects[i];

        if (subject->task)
            cst_check_settings(checker, subject);
        if (!subject->implements)
            cst_check_accesses(checker, subject);
    }
    for (size_t i = 0; i < checker->subjects_count; i++)
        cst_check_buffers(checker, checker->subjects[i]);
    settle_bodies(checker->model);
    cst_check_uses(checker);
    if (complained && checker->report->errors == 0)
        cst_complaint_check(checker);
    return checker->report->errors == 0;
}

bool cst_check(struct cst_unit *unit, const struct cst_check_options *options,
               struct cst_model *ret_model)
{
    struct cst_checker checker = {
        .unit = unit,
        .memory = unit->memory,
        .report = unit->report,
        .options = options,
        .model = ret_model,
    };
    bool right;

    *ret_model = (struct cst_model){.unit = unit};
    if (!cst_ast_parse(unit, options->flags, &checker.ast))
        return false;
    right = run(&checker);
    cst_ast_release(&checker.ast);
    return right;
}
