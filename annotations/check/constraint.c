/* constraint(...): keys, values and units. */
#include "check/check_internal.h"
#include "check/unit_values.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *key;
    enum cst_measure measure;
} needs[CST_NEEDS_COUNT] = {
    [CST_NEED_CORES] = {"cores", CST_MEASURE_COUNT},
    [CST_NEED_NODES] = {"nodes", CST_MEASURE_COUNT},
    [CST_NEED_GPUS] = {"gpus", CST_MEASURE_COUNT},
    [CST_NEED_MEMORY] = {"memory", CST_MEASURE_SIZE},
    [CST_NEED_GPU_MEMORY] = {"gpu_memory", CST_MEASURE_SIZE},
    [CST_NEED_STORAGE] = {"storage", CST_MEASURE_SIZE},
    [CST_NEED_WALL_TIME] = {"wall_time", CST_MEASURE_SECONDS},
    [CST_NEED_ARCH] = {"arch", CST_MEASURE_NAME},
    [CST_NEED_FEATURE] = {"feature", CST_MEASURE_NAME},
};

/* A name such as x86_64, ib-hdr or "big mem". */
static bool is_name(struct cst_tokens value)
{
    if (value.count == 1 && value.items[0].kind == CST_TOKEN_STRING)
        return value.items[0].size > 2;
    for (size_t i = 0; i < value.count; i++) {
        const struct cst_token *token = &value.items[i];

        if (token->kind != CST_TOKEN_NAME && token->kind != CST_TOKEN_NUMBER &&
            !cst_token_is(token, "-") && !cst_token_is(token, ".") &&
            !cst_token_is(token, "+"))
            return false;
        if (i > 0 && token->spaced)
            return false;
    }
    return true;
}

static void bad_value(struct cst_checker *checker, const struct cst_item *item,
                      const char *why)
{
    cst_report_error(checker->report, cst_tokens_place(item->value),
                     "bad value of '%.*s' in a constraint: %s",
                     (int)item->key.size, item->key.text, why);
}

/* Only MPI makes several nodes one body's. */
static void check_device(struct cst_checker *checker,
                         const struct cst_subject *subject,
                         const struct cst_item *item)
{
    if (subject->body->device != CST_DEVICE_MPI)
        cst_report_error(checker->report, item->key.place,
                         "'nodes' above 1 needs device(mpi)");
}

static void check_number(struct cst_checker *checker,
                         struct cst_subject *subject,
                         const struct cst_item *item, size_t need)
{
    bool constant = true;
    double value;

    if (!cst_check_measure(checker->report, item->value, needs[need].measure) ||
        !cst_check_names(checker, subject, item->value, &constant))
        return;
    if (cst_literal_value(item->value, &value)) {
        if (value < 0)
            bad_value(checker, item, "it is negative");
        else if (value < 1 &&
                 (need == CST_NEED_CORES || need == CST_NEED_NODES))
            bad_value(checker, item, "at least 1 is needed");
        else if (need == CST_NEED_GPUS && value > 1 && value < 65536 &&
                 value > (double)(long)value)
            bad_value(checker, item, "write how many, or what part of one");
        else if (need == CST_NEED_NODES && value > 1)
            check_device(checker, subject, item);
    } else if (need == CST_NEED_NODES) {
        check_device(checker, subject, item);
    }
    if (!constant && subject->implements)
        bad_value(checker, item,
                  "of an implementation it cannot depend on the call");
    if (!constant)
        subject->body->constraint.per_call = true;
}

static void check_item(struct cst_checker *checker, struct cst_subject *subject,
                       const struct cst_item *item)
{
    struct cst_tokens *values = subject->body->constraint.values;
    size_t need = 0;

    while (need < CST_NEEDS_COUNT && !cst_token_is(&item->key, needs[need].key))
        need++;
    if (need == CST_NEEDS_COUNT) {
        cst_report_error(checker->report, item->key.place,
                         "unknown key '%.*s' in a constraint: there are cores, "
                         "nodes, gpus, memory, gpu_memory, storage, wall_time, "
                         "arch and feature",
                         (int)item->key.size, item->key.text);
        return;
    }
    if (values[need].count > 0) {
        cst_report_error(checker->report, item->key.place,
                         "'%.*s' is given twice", (int)item->key.size,
                         item->key.text);
        return;
    }
    values[need] = item->value;
    if (needs[need].measure != CST_MEASURE_NAME)
        check_number(checker, subject, item, need);
    else if (!is_name(item->value))
        bad_value(checker, item, "it should be a name");
}

void cst_check_constraint(struct cst_checker *checker,
                          struct cst_subject *subject)
{
    const struct cst_pragma *pragma = &subject->body->site->pragma;
    const struct cst_clause *clause = NULL;

    while ((clause = cst_pragma_find(pragma, CST_CLAUSE_CONSTRAINT, clause)))
        for (size_t i = 0; i < clause->items_count; i++)
            check_item(checker, subject, &clause->items[i]);
}
