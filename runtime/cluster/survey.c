/*
 * What there is to do, and on which nodes, for a thread that asks for nodes and
 * gives them back: it leaves what is to be filled in, and the next step of the
 * master fills it in, and drains the node that it names.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "cluster/cluster_internal.h"
#include "trace/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const uint64_t wait_ns = UINT64_C(5000000000);

static void add_nodes(struct cst_cluster *cluster,
                      struct cst_cluster_survey *survey)
{
    survey->nodes_count = 0;
    cst_lock_take(&cluster->members_lock);
    for (const struct cst_member *member = cluster->members;
         member && survey->nodes_count < survey->nodes_max;
         member = member->next) {
        struct cst_cluster_node *node = &survey->nodes[survey->nodes_count++];
        struct cst_plan_load load;

        cst_plan_load(cluster->plan, member->number, &load);
        *node = (struct cst_cluster_node){
            .number = member->number,
            .ticket = member->hello.ticket,
            .cores =
                member->number == CST_NET_MASTER && !cluster->options.home_runs
                    ? 0
                    : member->hello.limits.cores,
            .drains = load.drains,
            .idle = load.placed == 0,
        };
        cst_watch_name(node->name, member->hello.name);
    }
    cst_lock_drop(&cluster->members_lock);
}

uint32_t cst_cluster_present(struct cst_cluster *cluster)
{
    uint32_t count = 0;

    cst_lock_take(&cluster->members_lock);
    for (const struct cst_member *member = cluster->members; member;
         member = member->next)
        count++;
    cst_lock_drop(&cluster->members_lock);
    return count;
}

void cst_cluster_expect(struct cst_cluster *cluster,
                        const struct cst_limits *sorts, uint32_t open)
{
    cst_lock_take(&cluster->members_lock);
    cluster->come = sorts;
    cluster->come_open = open;
    cst_lock_drop(&cluster->members_lock);
}

bool cst_cluster_limits(struct cst_cluster *cluster, uint32_t number,
                        char *texts, size_t texts_size,
                        struct cst_limits *ret_limits)
{
    const struct cst_limits *limits = NULL;
    bool good = false;

    cst_lock_take(&cluster->members_lock);
    for (const struct cst_member *member = cluster->members; member;
         member = member->next)
        if (member->number == number)
            limits = &member->hello.limits;
    if (limits) {
        size_t arch = strlen(limits->arch) + 1;
        int length = snprintf(texts, texts_size, "%s%c%s", limits->arch, '\0',
                              limits->features ? limits->features : "");

        good = (size_t)length < texts_size;
        *ret_limits = *limits;
        ret_limits->arch = texts;
        ret_limits->features = limits->features ? texts + arch : NULL;
    }
    cst_lock_drop(&cluster->members_lock);
    return good;
}

static void expect(struct cst_cluster *cluster)
{
    cst_lock_take(&cluster->members_lock);
    cst_plan_expect(cluster->plan, cluster->come, cluster->come_open);
    cst_lock_drop(&cluster->members_lock);
}

/* In good order: what runs ends, and main() is told. */
static void end_run(struct cst_cluster *cluster, const char *why)
{
    char text[CST_WATCH_TEXT_MAX];
    char said[CST_WATCH_TEXT_MAX + 20];

    if (cst_engine_status(cluster->engine, NULL) != CASTELL_OK)
        return;
    (void)snprintf(text, sizeof(text), "%s; %" PRIu64 " tasks were left", why,
                   cst_engine_unfinished(cluster->engine));
    (void)snprintf(said, sizeof(said), "%s; the run ends", text);
    cst_progress_say(said);
    cst_engine_fail(cluster->engine, CASTELL_ERR_LIMIT, text);
}

void cst_survey_step(struct cst_cluster *cluster)
{
    struct cst_cluster_survey *survey =
        atomic_load_explicit(&cluster->survey, memory_order_relaxed);

    if (!survey)
        return;
    survey = atomic_exchange(&cluster->survey, NULL);
    if (!survey)
        return;
    survey->status = CASTELL_OK;
    if (survey->end)
        end_run(cluster, survey->end);
    if (survey->drain != 0) {
        survey->status = cst_plan_drain(cluster->plan, survey->drain);
        if (survey->status != CASTELL_OK)
            (void)snprintf(survey->why, sizeof(survey->why), "%s",
                           castell_error_text());
    }
    expect(cluster);
    add_nodes(cluster, survey);
    cst_plan_survey(cluster->plan, &survey->plan);
    atomic_fetch_add(&cluster->surveyed, 1);
    cst_futex_wake(&cluster->surveyed);
}

enum castell_status cst_cluster_survey(struct cst_cluster *cluster,
                                       struct cst_port *port,
                                       struct cst_cluster_survey *survey)
{
    uint64_t end = cst_clock_ns() + wait_ns;
    uint64_t now = end - wait_ns;
    uint32_t before = atomic_load(&cluster->surveyed);
    struct cst_cluster_survey *left = survey;

    atomic_store(&cluster->survey, survey);
    cst_engine_want(cluster->engine, port);
    while (atomic_load(&cluster->surveyed) == before && now < end) {
        cst_futex_wait_for(&cluster->surveyed, before, end - now);
        now = cst_clock_ns();
    }
    if (atomic_compare_exchange_strong(&cluster->survey, &left, NULL))
        return cst_fail(CASTELL_ERR_SYSTEM, "the run does not look");
    /* It was taken: then it is being filled in. */
    while (atomic_load(&cluster->surveyed) == before)
        cst_futex_wait_for(&cluster->surveyed, before, wait_ns);
    return CASTELL_OK;
}
