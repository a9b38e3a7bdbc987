#include "base/fail.h"
#include "sched/kind.h"
#include "topo/topo.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

bool cst_limits_have_feature(const struct cst_limits *limits,
                             const char *feature)
{
    return cst_topo_has_feature(limits->features, feature);
}

static uint64_t wall_time_left(const struct cst_limits *limits)
{
    struct timespec now;
    uint64_t now_ns;

    if (limits->wall_time_end_ns == 0)
        return UINT64_MAX;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    return now_ns < limits->wall_time_end_ns ? limits->wall_time_end_ns - now_ns
                                             : 0;
}

/* "task NAME (WHERE) needs WHAT; the nearest node, NODE, ..." */
static enum castell_status refuse(const char *label, const char *where,
                                  const char *needs, const char *node,
                                  const char *has)
{
    return cst_fail(CASTELL_ERR_UNSATISFIABLE,
                    "task %s%s%s%s needs %s; the nearest node, %s, has %s",
                    label, where ? " (" : "", where ? where : "",
                    where ? ")" : "", needs, node, has);
}

enum { WORDS_SIZE = 96 };

struct demand {
    const char *name;
    uint64_t wanted;
    uint64_t there;
};

static enum castell_status
check_amounts(const struct cst_limits *limits,
              const struct castell_constraint *constraint, const char *label,
              const char *where)
{
    const struct demand demands[] = {
        {"cores", constraint->cores, limits->cores},
        {"nodes", constraint->nodes, 1},
        {"gpus", constraint->gpus, 0},
        {"memory", constraint->memory, limits->memory},
        {"gpu_memory", constraint->gpu_memory, 0},
        {"storage", constraint->storage, limits->storage},
        {"wall_time", constraint->wall_time_ns / 1000000000u,
         constraint->wall_time_ns ? wall_time_left(limits) / 1000000000u : 0},
    };

    for (size_t i = 0; i < sizeof(demands) / sizeof(demands[0]); i++) {
        const struct demand *demand = &demands[i];
        char needs[WORDS_SIZE];
        char has[WORDS_SIZE];

        if (demand->wanted <= demand->there)
            continue;
        (void)snprintf(needs, sizeof(needs), "%s=%" PRIu64, demand->name,
                       demand->wanted);
        (void)snprintf(has, sizeof(has), "%s=%" PRIu64, demand->name,
                       demand->there);
        return refuse(label, where, needs, limits->name, has);
    }
    return CASTELL_OK;
}

enum castell_status
cst_constraint_check(const struct cst_limits *limits,
                     const struct castell_constraint *constraint,
                     const char *label, const char *where)
{
    char needs[WORDS_SIZE];
    char has[WORDS_SIZE];

    if (constraint->arch && strcmp(constraint->arch, limits->arch) != 0) {
        (void)snprintf(needs, sizeof(needs), "arch=%s", constraint->arch);
        (void)snprintf(has, sizeof(has), "arch=%s", limits->arch);
        return refuse(label, where, needs, limits->name, has);
    }
    if (constraint->feature &&
        !cst_limits_have_feature(limits, constraint->feature)) {
        (void)snprintf(needs, sizeof(needs), "feature=%s", constraint->feature);
        (void)snprintf(has, sizeof(has), "%s%s (see CASTELL_FEATURES)",
                       limits->features ? "feature=" : "none",
                       limits->features ? limits->features : "");
        return refuse(label, where, needs, limits->name, has);
    }
    return check_amounts(limits, constraint, label, where);
}

bool cst_constraint_counts(const struct castell_constraint *constraint)
{
    return constraint->cores > 1 || constraint->memory > 0 ||
           constraint->storage > 0;
}
