/*
 * Which part of its node's devices a process of a run gets.
 */
#include "base/parse.h"
#include "launch/launch_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_number(const char *name, uint32_t *ret_number)
{
    const char *text = cst_parse_environment(name);

    return text &&
           cst_parse_count(name, text, 0, UINT32_MAX, ret_number) == CASTELL_OK;
}

/* How many of the run SLURM has started on this node: "3(x2),1" by node. */
static bool read_tasks_here(uint32_t *ret_count)
{
    const char *list = cst_parse_environment("SLURM_STEP_TASKS_PER_NODE");
    uint32_t node = 0;

    if (!read_number("SLURM_NODEID", &node))
        return false;
    while (list && *list >= '0' && *list <= '9') {
        char *end;
        unsigned long count = strtoul(list, &end, 10);
        unsigned long nodes = 1;

        if (strncmp(end, "(x", 2) == 0)
            nodes = strtoul(end + 2, &end, 10);
        if (node < nodes) {
            *ret_count = (uint32_t)count;
            return true;
        }
        node -= (uint32_t)nodes;
        list = strchr(end, ',');
        list = list ? list + 1 : NULL;
    }
    return false;
}

/* Has SLURM given each process GPUs of its own, as with --gpus-per-task? Then it
   sees fewer of them than there are in the step. */
static bool has_own_gpus(void)
{
    const char *seen = cst_parse_environment("CUDA_VISIBLE_DEVICES");
    const char *all = cst_parse_environment("SLURM_STEP_GPUS");
    size_t count[2] = {1, 1};

    if (!seen || !all)
        return false;
    for (; *seen; seen++)
        count[0] += *seen == ',';
    for (; *all; all++)
        count[1] += *all == ',';
    return count[0] < count[1];
}

/* Which one is it on its node, and of how many, those without tasks left out? */
static bool find_part(uint32_t number, uint32_t *ret_part, uint32_t *ret_parts)
{
    const char *tasks = cst_parse_environment(CST_LAUNCH_TASKS);
    bool master_has = !tasks || strcmp(tasks, "0") != 0;
    uint32_t workers = 0;
    uint32_t here = 0;
    uint32_t count = 0;

    if (!read_number(CST_LAUNCH_WORKERS, &workers) || number > workers)
        return false; /* it came later, in a job of its own */
    if (cst_parse_environment(CST_LAUNCH_TOGETHER)) {
        here = number;
        count = workers + 1;
    } else if (!(read_number("OMPI_COMM_WORLD_LOCAL_RANK", &here) &&
                 read_number("OMPI_COMM_WORLD_LOCAL_SIZE", &count)) &&
               !(read_number("SLURM_LOCALID", &here) &&
                 read_tasks_here(&count))) {
        return false;
    }
    /* Numbers of one node follow one another, so this is the master's. */
    if (!master_has && here == number) {
        if (here == 0 || count < 2)
            return false;
        here--;
        count--;
    }
    *ret_part = here;
    *ret_parts = count;
    return here < count && count > 1;
}

void cst_part_set(uint32_t number)
{
    uint32_t part;
    uint32_t parts;
    char text[32];

    if (has_own_gpus() || !find_part(number, &part, &parts)) {
        cst_environment_set(CST_LAUNCH_PART, NULL);
        return;
    }
    (void)snprintf(text, sizeof(text), "%u/%u", part, parts);
    cst_environment_set(CST_LAUNCH_PART, text);
}
