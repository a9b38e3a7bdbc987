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

bool cst_limits_have_time(const struct cst_limits *limits,
                          const struct castell_constraint *constraint)
{
    return constraint->wall_time_ns == 0 ||
           constraint->wall_time_ns <= wall_time_left(limits);
}

/* One and a half cannot be held: two bodies would have a half each of two. */
static bool is_number_of_devices(float gpus)
{
    return gpus >= 0 && gpus < (float)UINT16_MAX &&
           (gpus <= 1 || !(gpus > (float)(uint32_t)gpus));
}

uint32_t cst_constraint_devices(const struct castell_constraint *constraint)
{
    return constraint->gpus > 1 ? (uint32_t)constraint->gpus : 1;
}

uint32_t cst_constraint_share(const struct castell_constraint *constraint)
{
    float share = constraint->gpus * CST_SHARES;

    if (!(share > 0) || share >= CST_SHARES - 0.5f)
        return 0;
    return share < 1 ? 1 : (uint32_t)(share + 0.5f);
}

bool cst_limits_fit_some_time(const struct cst_limits *limits,
                              const struct castell_constraint *constraint)
{
    return constraint->cores <= limits->cores &&
           !(constraint->gpus > (float)limits->gpus) &&
           constraint->gpu_memory <= limits->gpu_memory &&
           constraint->memory <= limits->memory &&
           constraint->storage <= limits->storage &&
           (!constraint->arch || strcmp(constraint->arch, limits->arch) == 0) &&
           (!constraint->feature ||
            cst_limits_have_feature(limits, constraint->feature));
}

bool cst_limits_fit(const struct cst_limits *limits,
                    const struct castell_constraint *constraint)
{
    return cst_limits_fit_some_time(limits, constraint) &&
           cst_limits_have_time(limits, constraint);
}

bool cst_limits_have_device(const struct cst_limits *limits,
                            enum castell_device of)
{
    return !cst_device_has_memory(of) || (limits->devices >> of & 1) != 0;
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
        {"memory", constraint->memory, limits->memory},
        {"gpu_memory", constraint->gpu_memory, limits->gpu_memory},
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
    if (!is_number_of_devices(constraint->gpus))
        return cst_fail(CASTELL_ERR_INVALID,
                        "task %s%s%s%s needs gpus=%g: write how many, or what "
                        "part of one",
                        label, where ? " (" : "", where ? where : "",
                        where ? ")" : "", (double)constraint->gpus);
    if (constraint->gpus > (float)limits->gpus) {
        (void)snprintf(needs, sizeof(needs), "gpus=%g",
                       (double)constraint->gpus);
        (void)snprintf(has, sizeof(has), "gpus=%" PRIu32, limits->gpus);
        return refuse(label, where, needs, limits->name, has);
    }
    return check_amounts(limits, constraint, label, where);
}

bool cst_constraint_counts(const struct castell_constraint *constraint)
{
    return constraint->cores > 1 || constraint->memory > 0 ||
           constraint->storage > 0;
}
