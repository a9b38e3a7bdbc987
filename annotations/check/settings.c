/* The clauses that are about the task as a whole. */
#include "check/check_internal.h"
#include "check/unit_values.h"

#include <string.h>

/* ---- Names in expressions ------------------------------------------- */

static bool is_keyword(const struct cst_token *token)
{
    static const char *const keywords[] = {
        "sizeof",   "char",  "short",  "int",   "long",    "unsigned",
        "signed",   "float", "double", "void",  "const",   "volatile",
        "_Alignof", "_Bool", "struct", "union", "enum",    "_Complex",
        "typeof",   "bool",  "true",   "false", "alignof",
    };

    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
        if (cst_token_is(token, keywords[i]))
            return true;
    return token->size > 2 && token->text[0] == '_' && token->text[1] == '_';
}

/* Is it a member, or a tag, rather than a name of its own? */
static bool is_qualified(struct cst_tokens tokens, size_t at)
{
    static const char *const before[] = {".", "->", "struct", "union", "enum"};

    for (size_t i = 0; at > 0 && i < sizeof(before) / sizeof(before[0]); i++)
        if (cst_token_is(&tokens.items[at - 1], before[i]))
            return true;
    return false;
}

bool cst_check_names(struct cst_checker *checker,
                     const struct cst_subject *subject,
                     struct cst_tokens tokens, bool *ret_constant)
{
    const struct cst_body_model *body = subject->body;
    bool right = true;

    *ret_constant = true;
    for (size_t i = 0; i < tokens.count; i++) {
        const struct cst_token *token = &tokens.items[i];
        enum cst_name_kind kind;

        if (token->kind != CST_TOKEN_NAME || is_keyword(token) ||
            is_qualified(tokens, i))
            continue;
        if (cst_find_parameter(body, token->text, token->size) <
            body->parameters_count) {
            *ret_constant = false;
            continue;
        }
        kind = cst_ast_name(&checker->ast, token->text, token->size);
        if (kind == CST_NAME_OBJECT)
            *ret_constant = false;
        if (kind != CST_NAME_UNKNOWN)
            continue;
        cst_report_error(checker->report, token->place,
                         "'%.*s' is neither a parameter of '%s' nor declared "
                         "at file scope",
                         (int)token->size, token->text, body->name);
        right = false;
    }
    return right;
}

/* ---- Settings ------------------------------------------------------- */

static struct cst_tokens expression(struct cst_checker *checker,
                                    struct cst_subject *subject,
                                    enum cst_clause_kind kind,
                                    enum cst_measure measure)
{
    const struct cst_clause *clause =
        cst_pragma_find(&subject->body->site->pragma, kind, NULL);
    bool constant;

    if (!clause)
        return (struct cst_tokens){0};
    (void)(cst_check_measure(checker->report, clause->all, measure) &&
           cst_check_names(checker, subject, clause->all, &constant));
    return cst_without_units(checker->memory, clause->all, measure);
}

/* What a kind keeps cannot depend on the call. */
static void require_constant(struct cst_checker *checker,
                             struct cst_subject *subject,
                             struct cst_tokens tokens, const char *what)
{
    bool constant;
    double value;

    if (!cst_check_names(checker, subject, tokens, &constant))
        return;
    if (!constant)
        cst_report_error(checker->report, cst_tokens_place(tokens),
                         "'%s' takes a constant, which does not depend on the "
                         "call",
                         what);
    else if (cst_literal_value(tokens, &value) && value < 0)
        cst_report_error(checker->report, cst_tokens_place(tokens),
                         "'%s' cannot be negative", what);
}

static void check_timeout(struct cst_checker *checker,
                          struct cst_subject *subject)
{
    const struct cst_clause *clause =
        cst_pragma_find(&subject->body->site->pragma, CST_CLAUSE_TIMEOUT, NULL);

    if (!clause || !cst_check_measure(checker->report, clause->all,
                                      CST_MEASURE_MILLISECONDS))
        return;
    require_constant(checker, subject, clause->all, "timeout");
    subject->task->timeout = cst_without_units(checker->memory, clause->all,
                                               CST_MEASURE_MILLISECONDS);
}

static void check_failure_item(struct cst_checker *checker,
                               struct cst_subject *subject,
                               const struct cst_item *item, bool *policy_seen)
{
    static const char *const policies[] = {"fail", "ignore",
                                           "cancel_successors"};
    struct cst_task_model *task = subject->task;

    if (cst_token_is(&item->key, "retry")) {
        task->retries = item->value;
        if (!item->has_value)
            cst_report_error(checker->report, item->key.place,
                             "'retry' needs how often, as in retry(2)");
        else if (cst_check_measure(checker->report, item->value,
                                   CST_MEASURE_COUNT))
            require_constant(checker, subject, item->value, "retry");
        return;
    }
    for (size_t i = 0; i < 3; i++) {
        if (!cst_token_is(&item->key, policies[i]))
            continue;
        if (item->has_value || *policy_seen)
            cst_report_error(checker->report, item->key.place,
                             *policy_seen ? "'on_failure' has one policy "
                                            "besides retry(n)"
                                          : "this policy takes no argument");
        *policy_seen = true;
        task->on_failure = (enum cst_failure_model)i;
        return;
    }
    cst_report_error(checker->report, item->key.place,
                     "unknown policy '%.*s': there are retry(n), fail, ignore "
                     "and cancel_successors",
                     (int)item->key.size, item->key.text);
}

static void check_failure(struct cst_checker *checker,
                          struct cst_subject *subject)
{
    const struct cst_clause *clause = cst_pragma_find(
        &subject->body->site->pragma, CST_CLAUSE_ON_FAILURE, NULL);
    bool policy_seen = false;

    subject->task->default_retries =
        !clause && subject->body->returns_int ? 2 : 0;
    for (size_t i = 0; clause && i < clause->items_count; i++)
        check_failure_item(checker, subject, &clause->items[i], &policy_seen);
}

/* Clauses that are refused: for a build, or for an implementation. */
static void check_allowed(struct cst_checker *checker,
                          const struct cst_subject *subject)
{
    const struct cst_pragma *pragma = &subject->body->site->pragma;

    for (size_t i = 0; i < pragma->clauses_count; i++) {
        const struct cst_clause *clause = &pragma->clauses[i];
        enum cst_clause_kind kind = clause->kind;
        bool of_body =
            kind == CST_CLAUSE_CONSTRAINT || kind == CST_CLAUSE_DEVICE ||
            kind == CST_CLAUSE_IMPLEMENTS ||
            (kind >= CST_CLAUSE_COMMAND && kind <= CST_CLAUSE_ASYNC) ||
            (kind >= CST_CLAUSE_STDIN && kind <= CST_CLAUSE_STDERR);

        if (subject->implements && !of_body)
            cst_report_error(checker->report, clause->name.place,
                             "'%.*s' belongs to the task, not to an "
                             "implementation of it",
                             (int)clause->name.size, clause->name.text);
        else if (!subject->implements && kind == CST_CLAUSE_IMPLEMENTS)
            cst_report_error(checker->report, clause->name.place,
                             "'implements' stands in place of 'task', not "
                             "beside it");
    }
}

static bool has(const struct cst_pragma *pragma, enum cst_clause_kind kind)
{
    return cst_pragma_find(pragma, kind, NULL) != NULL;
}

void cst_check_settings(struct cst_checker *checker,
                        struct cst_subject *subject)
{
    const struct cst_pragma *pragma = &subject->body->site->pragma;
    const struct cst_clause *label =
        cst_pragma_find(pragma, CST_CLAUSE_LABEL, NULL);
    struct cst_task_model *task = subject->task;

    check_allowed(checker, subject);
    cst_check_device(checker, subject);
    cst_check_constraint(checker, subject);
    cst_check_command(checker, subject);
    if (subject->implements)
        return;
    task->priority =
        expression(checker, subject, CST_CLAUSE_PRIORITY, CST_MEASURE_COUNT);
    task->deadline = expression(checker, subject, CST_CLAUSE_DEADLINE,
                                CST_MEASURE_MILLISECONDS);
    task->cost =
        expression(checker, subject, CST_CLAUSE_COST, CST_MEASURE_COUNT);
    task->condition =
        expression(checker, subject, CST_CLAUSE_IF, CST_MEASURE_COUNT);
    task->final =
        expression(checker, subject, CST_CLAUSE_FINAL, CST_MEASURE_COUNT);
    check_timeout(checker, subject);
    check_failure(checker, subject);
    if (label)
        task->label = label->all;
    task->replicated = has(pragma, CST_CLAUSE_REPLICATED);
    task->distributed = has(pragma, CST_CLAUSE_DISTRIBUTED);
    task->isolated = has(pragma, CST_CLAUSE_ISOLATED);
}
