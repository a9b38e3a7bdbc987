/*
 * What the plan orders goes to the nodes, what becomes of tasks to main.
 */
#include "plan/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sim_wrong(struct sim *sim, const char *what)
{
    if (!sim->wrong && sim->options.print)
        printf("# step %u: %s\n", sim->steps, what);
    if (!sim->wrong)
        sim->wrong = what;
}

/* ---- Channels --------------------------------------------------------- */

void sim_message_free(struct sim_message *message)
{
    free(message->bytes);
    free(message->run);
    free(message);
}

void sim_send(struct sim *sim, uint32_t from, uint32_t to,
              struct sim_message message)
{
    struct sim_message *copy = malloc(sizeof(*copy));

    if (!copy)
        abort();
    *copy = message;
    copy->next = NULL;
    if (sim->channels[from][to])
        sim->channels_last[from][to]->next = copy;
    else
        sim->channels[from][to] = copy;
    sim->channels_last[from][to] = copy;
}

void sim_empty_channel(struct sim *sim, uint32_t from, uint32_t to)
{
    while (sim->channels[from][to]) {
        struct sim_message *message = sim->channels[from][to];

        sim->channels[from][to] = message->next;
        sim_message_free(message);
    }
}

/* ---- Orders ----------------------------------------------------------- */

void sim_say(const struct sim *sim, const char *what, uint32_t node,
             uint64_t id, uint32_t other)
{
    if (sim->options.print)
        printf("# %5u  %-8s node %u: %llu (%u)\n", sim->steps, what, node,
               (unsigned long long)id, other);
}

static void order(struct sim *sim, uint32_t node, struct sim_message message)
{
    static const char *const names[] = {
        "assign", "push", "drop",  "cut",     "recall", "cancel",  "root",
        "home",   "save", "berth", "unberth", "muster", "disband", "leave"};

    sim_say(sim, names[message.what], node,
            message.piece.version ? message.piece.version : message.other,
            message.what == MSG_PUSH ? message.to : message.attempt);
    if (sim->options.print && message.piece.region.size > 0)
        printf("#          of %zu+%zu x%zu\n",
               (size_t)message.piece.region.base - BASE,
               message.piece.region.size, message.piece.region.rows);
    if (node >= NODES_MAX || !sim->nodes[node].member)
        sim_wrong(sim, "an order to a node that is not there");
    else
        sim_send(sim, MASTER, node, message);
}

uint32_t sim_number_of(const struct sim *sim, const struct cst_task *task)
{
    uint32_t number = (uint32_t)(task->id - 1);

    return sim->tasks[number].task == task ? number : TASKS_MAX;
}

static void on_assign(void *context, const struct cst_plan_assignment *given)
{
    struct sim *sim = context;
    struct sim_run *run;
    size_t count = 0;

    for (uint32_t i = 0; i < given->task->accesses_count; i++)
        count +=
            given->accesses[i].inputs_count + given->accesses[i].outputs_count;
    run = calloc(1, sizeof(*run) + count * sizeof(run->parts[0]));
    if (!run)
        abort();
    run->task = sim_number_of(sim, given->task);
    run->id = given->id;
    run->attempt = given->attempt;
    run->flags = given->flags;
    for (uint32_t i = 0; i < given->task->accesses_count; i++) {
        const struct cst_plan_access *access = &given->accesses[i];

        for (uint32_t at = 0; at < access->inputs_count; at++)
            run->parts[run->parts_count++] =
                (struct sim_part){access->inputs[at], i, false};
        for (uint32_t at = 0; at < access->outputs_count; at++)
            run->parts[run->parts_count++] =
                (struct sim_part){access->outputs[at], i, true};
    }
    if (sim->options.print)
        for (size_t i = 0; i < count; i++)
            printf("#          %s %llu [%zu+%zu x%zu]%s\n",
                   run->parts[i].output ? "makes" : "reads",
                   (unsigned long long)run->parts[i].piece.version,
                   (size_t)run->parts[i].piece.region.base - BASE,
                   run->parts[i].piece.region.size,
                   run->parts[i].piece.region.rows,
                   run->parts[i].piece.consumed ? " consumed" : "");
    order(sim, given->node,
          (struct sim_message){.what = MSG_ASSIGN,
                               .other = given->id,
                               .attempt = given->attempt,
                               .run = run});
} /* NOLINT(clang-analyzer-unix.Malloc): the message has it */

static void on_push(void *context, uint32_t from, uint32_t to,
                    const struct cst_plan_piece *piece)
{
    struct sim *sim = context;

    if (from == to || to >= NODES_MAX || !sim->nodes[to].member)
        sim_wrong(sim, "a push to a node that is not there");
    order(sim, from,
          (struct sim_message){.what = MSG_PUSH, .piece = *piece, .to = to});
}

static void on_drop(void *context, uint32_t node, uint64_t version)
{
    order(context, node,
          (struct sim_message){.what = MSG_DROP, .piece.version = version});
}

static void on_cut(void *context, uint32_t node,
                   const struct cst_plan_piece *child, uint64_t origin)
{
    order(context, node,
          (struct sim_message){
              .what = MSG_CUT, .piece = *child, .other = origin});
}

static void on_recall(void *context, uint32_t node, uint64_t id,
                      uint32_t attempt)
{
    order(context, node,
          (struct sim_message){
              .what = MSG_RECALL, .other = id, .attempt = attempt});
}

static void on_cancel(void *context, uint32_t node, uint64_t id,
                      uint32_t attempt)
{
    order(context, node,
          (struct sim_message){
              .what = MSG_CANCEL, .other = id, .attempt = attempt});
}

static void on_berth(void *context, uint32_t node, uint64_t id,
                     uint32_t attempt,
                     const struct castell_constraint *constraint)
{
    (void)constraint;
    order(context, node,
          (struct sim_message){
              .what = MSG_BERTH, .other = id, .attempt = attempt});
}

static void on_unberth(void *context, uint32_t node, uint64_t id,
                       uint32_t attempt)
{
    order(context, node,
          (struct sim_message){
              .what = MSG_UNBERTH, .other = id, .attempt = attempt});
}

static void on_muster(void *context, uint32_t node,
                      const struct cst_plan_muster *muster)
{
    struct sim_message message = {
        .what = MSG_MUSTER, .other = muster->id, .attempt = muster->attempt};

    for (uint32_t i = 0; i < muster->others_count; i++)
        message.crew |= UINT64_C(1) << muster->others[i];
    order(context, node, message);
}

static void on_disband(void *context, uint32_t node, uint64_t id,
                       uint32_t attempt)
{
    order(context, node,
          (struct sim_message){
              .what = MSG_DISBAND, .other = id, .attempt = attempt});
}

static void on_drained(void *context, uint32_t node)
{
    order(context, node, (struct sim_message){.what = MSG_LEAVE});
}

static void on_root(void *context, const struct cst_plan_piece *piece)
{
    order(context, 0, (struct sim_message){.what = MSG_ROOT, .piece = *piece});
}

static void on_home(void *context, const struct cst_plan_piece *piece)
{
    order(context, 0, (struct sim_message){.what = MSG_HOME, .piece = *piece});
}

static void on_save(void *context, const struct cst_plan_piece *piece)
{
    order(context, 0, (struct sim_message){.what = MSG_SAVE, .piece = *piece});
}

static uint64_t on_reduction(void *context, struct cst_task *task,
                             uint32_t access, uint32_t *ret_leaf)
{
    const struct sim *sim = context;
    const struct sim_op *op = &sim->ops[task->id - 1];

    if ((op->what != SIM_LEAF && op->what != SIM_FOLD) || access != 0)
        return 0;
    *ret_leaf = op->leaf;
    return op->group + 1;
}

/* ---- What becomes of tasks -------------------------------------------- */

void sim_leave(struct sim *sim, struct cst_task *task)
{
    struct cst_access *accesses = cst_task_accesses(task);

    for (uint32_t i = 0; i < task->accesses_count; i++)
        cst_place_leave(accesses[i].hold.place, &accesses[i].hold, false,
                        &sim->woken);
    for (struct cst_hold_chunk *chunk = task->more; chunk; chunk = chunk->next)
        for (uint32_t i = 0; i < chunk->count; i++)
            cst_place_leave(chunk->holds[i].place, &chunk->holds[i], false,
                            &sim->woken);
}

static void on_placed(void *context, struct cst_task *task)
{
    struct sim *sim = context;

    sim_leave(sim, task);
    if (task->flags & CST_TASK_DELETES)
        cst_task_list_append(&sim->deleting, task);
}

static void on_ended(void *context, struct cst_task *task,
                     enum cst_plan_end end, const char *text)
{
    struct sim *sim = context;
    struct sim_task *mine = &sim->tasks[sim_number_of(sim, task)];

    sim_say(sim, text ? text : "ended", 0, task->id, end);
    if (mine->ended || mine->forgotten)
        sim_wrong(sim, "a task ended twice");
    mine->ended = true;
    sim->ended_count++;
    mine->end = end;
}

static void on_forget(void *context, struct cst_task *task)
{
    struct sim *sim = context;
    struct sim_task *mine = &sim->tasks[sim_number_of(sim, task)];

    if (mine->forgotten || (!mine->ended && !sim->over))
        sim_wrong(sim, "a task was forgotten too early, or twice");
    mine->forgotten = true;
}

static void on_granted(void *context, void *wish, bool poisoned)
{
    struct sim *sim = context;

    (void)wish;
    /* Main goes on when node 0 has done what was ordered before. */
    sim_send(sim, MASTER, 0,
             (struct sim_message){.what = MSG_GRANTED, .other = poisoned});
}

static void on_lost(void *context, enum castell_status status, const char *text)
{
    struct sim *sim = context;

    sim_say(sim, text, 0, 0, 0);
    /* Where all copies go at once there is nothing to be done; but one node
       alone never has all. */
    if (sim->deaths < (status == CASTELL_ERR_NODE_LOST ? 2u : 4u))
        sim_wrong(sim, "lost, though one node alone has died");
    sim->lost++;
}

const struct cst_plan_ops sim_ops = {
    .assign = on_assign,
    .push = on_push,
    .drop = on_drop,
    .cut = on_cut,
    .recall = on_recall,
    .cancel = on_cancel,
    .berth = on_berth,
    .unberth = on_unberth,
    .muster = on_muster,
    .disband = on_disband,
    .drained = on_drained,
    .root = on_root,
    .home = on_home,
    .save = on_save,
    .reduction = on_reduction,
    .placed = on_placed,
    .ended = on_ended,
    .forget = on_forget,
    .granted = on_granted,
    .lost = on_lost,
};
