/*
 * explain.h - what the sentences about tasks and about kinds share.
 *
 * Private to report.
 */
#ifndef CST_REPORT_EXPLAIN_H
#define CST_REPORT_EXPLAIN_H

#include "measure/measure.h"
#include "report/report.h"

struct cst_explanation {
    const struct cst_history *history;
    const struct cst_measure *measure;
    FILE *to;
};

static inline const char *cst_explain_time(uint64_t ns, char text[CST_SAY_SIZE])
{
    return cst_say_time((double)ns, text);
}

/*
 * Why a task that was ready did not start: other tasks had the cores or the
 * memory that it asks for, until one of them ended, which is *ret_until.
 */
enum cst_explain_lack { CST_LACK_NONE, CST_LACK_CORES, CST_LACK_MEMORY };
enum cst_explain_lack
cst_explain_lack(const struct cst_history *history,
                 const struct cst_history_attempt *attempt,
                 const struct cst_history_attempt **ret_until);

void cst_explain_kind(const struct cst_explanation *why, uint32_t kind);

/* explain_beside.c: what the device did for it; who had its node come. */
void cst_explain_device(const struct cst_explanation *why, uint32_t index,
                        const struct cst_history_attempt *attempt);
void cst_explain_asked(const struct cst_explanation *why,
                       const struct cst_history_attempt *attempt);

#endif
