/*
 * What the environment says of growing.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "base/parse.h"
#include "grow/grow_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static enum castell_status add_class(struct cst_grow *grow, const char *text)
{
    struct cst_elastic_spec *spec;
    enum castell_status status;

    if (grow->classes_count == CST_ELASTIC_CLASSES_MAX)
        return cst_fail(CASTELL_ERR_INVALID, "there are at most %d classes",
                        CST_ELASTIC_CLASSES_MAX);
    spec = &grow->specs[grow->classes_count];
    status = cst_elastic_spec_read(text, spec);
    if (status == CASTELL_OK)
        status = grow->expands ? cst_slurm_check_expansion(spec->options)
                               : cst_slurm_check_options(spec->options);
    for (uint32_t i = 0; i < grow->classes_count && status == CASTELL_OK; i++)
        if (strcmp(grow->specs[i].name, spec->name) == 0)
            status =
                cst_fail(CASTELL_ERR_INVALID,
                         "there are two classes with the name %s", spec->name);
    grow->classes_count += status == CASTELL_OK;
    return status;
}

static enum castell_status read_classes(struct cst_grow *grow)
{
    const char *text = cst_parse_environment("CASTELL_ELASTIC");
    enum castell_status status = CASTELL_OK;
    char line[CST_ELASTIC_OPTIONS_SIZE + 2 * CST_ELASTIC_NAME_SIZE];

    while (text && *text && status == CASTELL_OK) {
        size_t length = strcspn(text, "\n");

        if (length >= sizeof(line))
            return cst_fail(CASTELL_ERR_INVALID,
                            "a class in CASTELL_ELASTIC is too long");
        memcpy(line, text, length);
        line[length] = '\0';
        if (length > 0)
            status = add_class(grow, line);
        text += length + (text[length] == '\n');
    }
    if (status == CASTELL_OK && grow->classes_count == 0)
        status = add_class(grow, "node:");
    return status;
}

/* Until a node of it has come, it is thought to be like this one, but for what
   its options say. */
static enum castell_status make_sorts(struct cst_grow *grow)
{
    grow->sorts = cst_zalloc(sizeof(*grow->sorts));
    if (!grow->sorts)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to grow");
    for (uint32_t i = 0; i < grow->classes_count; i++) {
        const struct cst_elastic_spec *spec = &grow->specs[i];
        struct cst_limits *sort = &grow->sorts->limits[i];

        *sort = *grow->limits;
        sort->name = spec->name;
        sort->features = spec->features[0] ? spec->features : NULL;
        if (spec->cores > 0)
            sort->cores = spec->cores;
        if (spec->memory > 0)
            sort->memory = spec->memory;
        sort->gpus = spec->gpus;
        sort->gpu_memory = spec->gpus > 0 ? UINT64_MAX : 0;
        sort->devices =
            spec->gpus > 0 ? 1U << CASTELL_CUDA | 1U << CASTELL_OPENCL : 0;
        grow->classes[i] = (struct cst_elastic_class){
            .name = spec->name,
            .cores = sort->cores,
            .nodes_max = spec->nodes_max,
            .minutes = spec->minutes,
        };
    }
    return CASTELL_OK;
}

void cst_grow_learn(struct cst_grow *grow, uint32_t class, uint32_t node)
{
    struct cst_sorts *sorts;
    struct cst_limits limits;

    if (grow->sorts->learnt[class])
        return;
    sorts = cst_zalloc(sizeof(*sorts));
    if (!sorts)
        return;
    memcpy(sorts->limits, grow->sorts->limits, sizeof(sorts->limits));
    memcpy(sorts->learnt, grow->sorts->learnt, sizeof(sorts->learnt));
    if (!cst_cluster_limits(grow->cluster, node, sorts->texts,
                            sizeof(sorts->texts), &limits)) {
        cst_free(sorts);
        return;
    }
    limits.name = grow->specs[class].name;
    sorts->limits[class] = limits;
    sorts->learnt[class] = true;
    sorts->before = grow->sorts;
    grow->sorts = sorts;
    grow->survey.plan.sorts = sorts->limits;
    cst_cluster_expect(grow->cluster, sorts->limits, grow->open);
}

static enum castell_status read_hours(struct cst_grow *grow)
{
    const char *text = cst_parse_environment("CASTELL_MAX_NODE_HOURS");
    char *end;

    if (!text)
        return CASTELL_OK;
    grow->node_hours = strtod(text, &end);
    if (*end || end == text || !(grow->node_hours > 0) ||
        !isfinite(grow->node_hours))
        return cst_fail(CASTELL_ERR_INVALID,
                        "CASTELL_MAX_NODE_HOURS is \"%s\": it is a number of "
                        "hours above 0",
                        text);
    return CASTELL_OK;
}

static enum castell_status read_way(struct cst_grow *grow)
{
    const char *text = cst_parse_environment("CASTELL_GROW");

    grow->expands = text && strcmp(text, "expand") == 0;
    if (text && !grow->expands && strcmp(text, "jobs") != 0)
        return cst_fail(CASTELL_ERR_INVALID,
                        "CASTELL_GROW is \"%s\": it is jobs or expand", text);
    if (grow->expands && !cst_parse_environment("SLURM_JOB_ID"))
        return cst_fail(CASTELL_ERR_INVALID,
                        "CASTELL_GROW=expand makes the job larger that the run "
                        "is in, and it is in none");
    return CASTELL_OK;
}

enum castell_status cst_grow_settings(struct cst_grow *grow)
{
    const char *most = cst_parse_environment("CASTELL_MAX_NODES");
    const char *least = cst_parse_environment("CASTELL_MIN_NODES");
    enum castell_status status;

    if (!most)
        return CASTELL_OK;
    status = cst_parse_count("CASTELL_MAX_NODES", most, 1,
                             CST_ELASTIC_NODES_MAX, &grow->nodes_max);
    if (status == CASTELL_OK && least)
        status = cst_parse_count("CASTELL_MIN_NODES", least, 1, grow->nodes_max,
                                 &grow->nodes_min);
    if (status == CASTELL_OK)
        status = read_hours(grow);
    if (status == CASTELL_OK)
        status = read_way(grow);
    if (status == CASTELL_OK)
        status = read_classes(grow);
    if (status == CASTELL_OK)
        status = make_sorts(grow);
    return status;
}
