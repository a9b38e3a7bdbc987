/*
 * Stands between clusters and their stores, and prints what is said there: so a
 * printed history tells what becomes of each version.
 */
#include "base/fail.h"
#include "sim/sim.h"

enum castell_status __real_cst_store_assign(struct cst_store *store,
                                            struct cst_store_job *job);
enum castell_status __wrap_cst_store_assign(struct cst_store *store,
                                            struct cst_store_job *job);
void __real_cst_store_finish(struct cst_store *store, struct cst_store_job *job,
                             bool made);
void __wrap_cst_store_finish(struct cst_store *store, struct cst_store_job *job,
                             bool made);
void __real_cst_store_withdraw(struct cst_store *store,
                               struct cst_store_job *job);
void __wrap_cst_store_withdraw(struct cst_store *store,
                               struct cst_store_job *job);
enum castell_status __real_cst_store_born(struct cst_store *store,
                                          const struct cst_piece *piece);
enum castell_status __wrap_cst_store_born(struct cst_store *store,
                                          const struct cst_piece *piece);
enum castell_status __real_cst_store_push(struct cst_store *store, uint32_t to,
                                          const struct cst_piece *piece);
enum castell_status __wrap_cst_store_push(struct cst_store *store, uint32_t to,
                                          const struct cst_piece *piece);
void __real_cst_store_drop(struct cst_store *store, uint64_t version);
void __wrap_cst_store_drop(struct cst_store *store, uint64_t version);
enum castell_status __real_cst_store_cut(struct cst_store *store,
                                         const struct cst_piece *child,
                                         uint64_t origin);
enum castell_status __wrap_cst_store_cut(struct cst_store *store,
                                         const struct cst_piece *child,
                                         uint64_t origin);
bool __real_cst_store_receive(struct cst_store *store,
                              const struct cst_piece *piece, bool may_home,
                              struct cst_rows *ret_rows);
bool __wrap_cst_store_receive(struct cst_store *store,
                              const struct cst_piece *piece, bool may_home,
                              struct cst_rows *ret_rows);
enum castell_status __real_cst_store_come_home(struct cst_store *store,
                                               const struct cst_piece *piece);
enum castell_status __wrap_cst_store_come_home(struct cst_store *store,
                                               const struct cst_piece *piece);
enum castell_status __real_cst_store_save(struct cst_store *store,
                                          const struct cst_piece *piece);
enum castell_status __wrap_cst_store_save(struct cst_store *store,
                                          const struct cst_piece *piece);

static uint32_t here(void)
{
    return sim_now->running ? sim_now->running->number : 0;
}

static void say_piece(const char *what, const struct cst_piece *piece)
{
    const struct sim *sim = sim_now;
    const char *home = sim_home();

    sim_say(sim, "%u: %s %llu [%zu+%zu x%zu/%zu]", here(), what,
            (unsigned long long)piece->version,
            (size_t)(piece->region.base - (uintptr_t)home) / sim->cell,
            piece->region.size / sim->cell, piece->region.rows,
            piece->region.pitch / sim->cell);
}

static uint32_t op_of(const struct cst_store_job *job)
{
    const struct cst_visit *visit = job->owner;

    return sim_number_of(sim_now->running, visit->task);
}

static void say_job(const char *what, const struct cst_store_job *job)
{
    sim_say(sim_now, "%u: %s %u (%u)", here(), what, op_of(job) + 1,
            job->attempt);
}

enum castell_status __wrap_cst_store_assign(struct cst_store *store,
                                            struct cst_store_job *job)
{
    say_job("is to run", job);
    for (uint32_t i = 0; i < job->accesses_count; i++) {
        for (uint32_t k = 0; k < job->accesses[i].inputs_count; k++)
            say_piece(job->accesses[i].inputs[k].consumed ? "    consumes"
                                                          : "    reads",
                      &job->accesses[i].inputs[k].piece);
        for (uint32_t k = 0; k < job->accesses[i].outputs_count; k++)
            say_piece("    makes", &job->accesses[i].outputs[k]);
    }
    if (op_of(job) < OPS_MAX && sim_now->ops[op_of(job)].starves)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a task's data");
    return __real_cst_store_assign(store, job);
}

void __wrap_cst_store_finish(struct cst_store *store, struct cst_store_job *job,
                             bool made)
{
    const struct cst_visit *visit = job->owner;

    say_job(made ? "has made" : "has not made", job);
    if (made && (visit->task->flags & CST_TASK_CANCELLED))
        sim_wrong(sim_now, "what was not run has made something");
    __real_cst_store_finish(store, job, made);
}

void __wrap_cst_store_withdraw(struct cst_store *store,
                               struct cst_store_job *job)
{
    say_job("is not to run", job);
    __real_cst_store_withdraw(store, job);
}

enum castell_status __wrap_cst_store_born(struct cst_store *store,
                                          const struct cst_piece *piece)
{
    say_piece("has of main", piece);
    return __real_cst_store_born(store, piece);
}

enum castell_status __wrap_cst_store_push(struct cst_store *store, uint32_t to,
                                          const struct cst_piece *piece)
{
    sim_say(sim_now, "%u: is to send %llu to %u", here(),
            (unsigned long long)piece->version, to);
    return __real_cst_store_push(store, to, piece);
}

void __wrap_cst_store_drop(struct cst_store *store, uint64_t version)
{
    sim_say(sim_now, "%u: drops %llu", here(), (unsigned long long)version);
    __real_cst_store_drop(store, version);
}

enum castell_status __wrap_cst_store_cut(struct cst_store *store,
                                         const struct cst_piece *child,
                                         uint64_t origin)
{
    say_piece("cuts", child);
    sim_say(sim_now, "       from %llu", (unsigned long long)origin);
    return __real_cst_store_cut(store, child, origin);
}

bool __wrap_cst_store_receive(struct cst_store *store,
                              const struct cst_piece *piece, bool may_home,
                              struct cst_rows *ret_rows)
{
    say_piece("gets", piece);
    return __real_cst_store_receive(store, piece, may_home, ret_rows);
}

enum castell_status __wrap_cst_store_come_home(struct cst_store *store,
                                               const struct cst_piece *piece)
{
    say_piece("brings home", piece);
    return __real_cst_store_come_home(store, piece);
}

enum castell_status __wrap_cst_store_save(struct cst_store *store,
                                          const struct cst_piece *piece)
{
    say_piece("saves", piece);
    return __real_cst_store_save(store, piece);
}
