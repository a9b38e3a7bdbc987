/*
 * Random jobs, pushes, arrivals and cuts on one store, whose data are compared
 * with what each version must be. Once as a worker's store, once with a home.
 */
#include "base/memory.h"
#include "harness/tap.h"
#include "store/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- What happens -------------------------------------------------------- */

static bool sure(enum castell_status status)
{
    if (status != CASTELL_OK)
        tap_bail(castell_error_text());
    return true;
}

/* Nobody is at work on the block, as when main may write it. */
static bool is_quiet(uint32_t block)
{
    for (int i = 0; i < JOBS; i++)
        if (t.jobs[i].job && t.jobs[i].first <= block &&
            block < t.jobs[i].first + t.jobs[i].count)
            return false;
    for (int i = 0; i < t.sending_count; i++)
        if (t.facts[t.sending[i]].block == block)
            return false;
    return true;
}

/* A version that comes from elsewhere, or that main wrote. */
static void new_content(uint32_t block)
{
    uint64_t old = t.current[block];
    uint64_t version;

    if (t.filling[block])
        return;
    if (t.has_home && draw(2) == 0 && t.home[block] == old &&
        t.facts[old].here && is_quiet(block)) {
        struct cst_region region = region_of(block, 1);

        version = new_version(block);
        t.facts[old].gone = true;
        cst_store_drop(t.store, old);
        fill((char *)region.base, t.facts[version].value); /* NOLINT */
        t.facts[version].here = true;
        t.home[block] = t.current[block] = version;
        sure(cst_store_born(t.store, &(struct cst_piece){version, region}));
        return;
    }
    version = new_version(block);
    t.facts[old].gone = true;
    if (t.facts[old].here)
        cst_store_drop(t.store, old);
    t.facts[version].coming = true;
    t.current[block] = version;
}

/* It begins to come, perhaps from another as well, and does not. */
static void interrupt(const struct cst_piece *piece)
{
    struct cst_rows rows;
    bool twice = draw(2) == 0;

    if (!cst_store_receive(t.store, piece, true, &rows))
        tap_bail("a version was refused");
    fill(rows.base, (uint8_t)draw(256));
    if (twice)
        t.wrong += cst_store_receive(t.store, piece, true, &rows);
    t.wrong += cst_store_received(t.store, piece->version, false) != twice;
}

static void receive(uint64_t version)
{
    struct cst_piece piece = piece_of(version);
    struct cst_rows rows;

    while (draw(4) == 0)
        interrupt(&piece);
    if (!cst_store_receive(t.store, &piece, true, &rows))
        tap_bail("a version was refused");
    t.wrong += cst_store_receive(t.store, &piece, true, &rows);
    fill(rows.base, t.facts[version].value);
    t.facts[version].here = true;
    t.facts[version].coming = false;
    t.wrong += cst_store_received(t.store, version, true);
    if (t.facts[version].gone)
        cst_store_drop(t.store, version);
}

static void assign(struct job *job)
{
    uint32_t writes = draw(3); /* 0: reads; 1: both; 2: writes */
    bool keeps;

    job->first = draw(BLOCKS);
    job->count = 1 + draw(BLOCKS - job->first < 3 ? BLOCKS - job->first : 3);
    for (uint32_t i = 0; i < job->count; i++)
        if (t.filling[job->first + i])
            return;
    job->fired = false;
    job->job = cst_store_job_new(t.store, 1, writes == 2 ? 0 : job->count,
                                 writes == 0 ? 0 : job->count);
    if (!job->job)
        tap_bail("no memory");
    job->job->owner = job;
    keeps = draw(4) == 0;
    job->failed = keeps && draw(2) == 0;
    cst_store_job_room(job->job, 0, writes == 2 ? 0 : job->count,
                       writes == 0 ? 0 : job->count);
    job->job->accesses[0].region = region_of(job->first, job->count);
    for (uint32_t i = 0; i < job->count; i++) {
        uint64_t *current = &t.current[job->first + i];

        if (writes != 2) {
            job->job->accesses[0].inputs[i].piece = piece_of(*current);
            job->job->accesses[0].inputs[i].consumed = writes == 1 && !keeps;
            t.facts[*current].jobs++;
        }
        if (writes == 0)
            continue;
        if (writes == 2 && t.facts[*current].here)
            cst_store_drop(t.store, *current);
        /* A job that keeps what it reads and fails leaves it to others. */
        t.facts[*current].gone = true;
        *current = new_version(job->first + i);
        job->job->accesses[0].outputs[i] = piece_of(*current);
    }
    sure(cst_store_assign(t.store, job->job));
}

/* What its body sees and does. */
static void run_body(const struct job *job)
{
    const struct cst_store_access *access = &job->job->accesses[0];
    char *buffer = job->job->buffers[0];

    for (uint32_t i = 0; i < access->inputs_count; i++) {
        struct fact *fact = &t.facts[access->inputs[i].piece.version];

        t.wrong += !is_all(buffer + (size_t)i * WIDTH, fact->value);
        fact->jobs--;
    }
    for (uint32_t i = 0; i < access->outputs_count; i++) {
        struct fact *fact = &t.facts[access->outputs[i].version];

        fill(buffer + (size_t)i * WIDTH, fact->value);
        fact->here = !job->failed;
        fact->coming = job->failed; /* it runs elsewhere in the end */
    }
}

/* The versions that nobody wants when the job is over. */
static uint32_t unwanted_after(const struct job *job, uint64_t *ret_versions)
{
    const struct cst_store_access *access = &job->job->accesses[0];
    uint32_t count = 0;

    for (uint32_t i = 0; i < access->inputs_count; i++)
        if (!access->inputs[i].consumed &&
            t.facts[access->inputs[i].piece.version].gone)
            ret_versions[count++] = access->inputs[i].piece.version;
    for (uint32_t i = 0; i < access->outputs_count && !job->failed; i++)
        if (t.facts[access->outputs[i].version].gone)
            ret_versions[count++] = access->outputs[i].version;
    return count;
}

static void finish(struct job *job)
{
    uint64_t unwanted[2 * BLOCKS];
    uint32_t count;

    run_body(job);
    count = unwanted_after(job, unwanted);
    cst_store_finish(t.store, job->job, !job->failed);
    for (uint32_t i = 0; i < count; i++)
        cst_store_drop(t.store, unwanted[i]);
    job->job = NULL;
}

/* It is to run elsewhere: what it was to make comes from there. */
static void recall(struct job *job)
{
    const struct cst_store_access *access = &job->job->accesses[0];
    uint64_t unwanted[BLOCKS];
    uint32_t count = 0;

    for (uint32_t i = 0; i < access->inputs_count; i++) {
        uint64_t version = access->inputs[i].piece.version;

        t.facts[version].jobs--;
        if (t.facts[version].gone)
            unwanted[count++] = version;
    }
    for (uint32_t i = 0; i < access->outputs_count; i++)
        t.facts[access->outputs[i].version].coming = true;
    cst_store_withdraw(t.store, job->job);
    while (count > 0)
        cst_store_drop(t.store, unwanted[--count]);
    job->job = NULL;
    t.recalled++;
}

static void sent(int index)
{
    uint64_t version = t.sending[index];

    t.wrong += !is_all(t.rows[index].base, t.facts[version].value);
    t.sending[index] = t.sending[--t.sending_count];
    t.rows[index] = t.rows[t.sending_count];
    t.facts[version].sends--;
    cst_store_sent(t.store, version, true);
}

static void push(uint32_t block)
{
    struct cst_piece piece = piece_of(t.current[block]);

    if (t.sending_count > 40 || t.facts[piece.version].sends > 3)
        return;
    t.facts[piece.version].sends++;
    sure(cst_store_push(t.store, 7, &piece));
}

/* As main waits for it: what lies there is saved when it is wanted. */
static void bring_or_save(uint32_t block)
{
    struct cst_piece piece = piece_of(t.current[block]);
    uint64_t there = t.home[block];

    if (!t.has_home || !t.facts[piece.version].here || t.filling[block] ||
        there == piece.version || (there && !t.facts[there].here))
        return;
    if (there && !t.facts[there].gone) {
        struct cst_piece saved = piece_of(there);

        sure(cst_store_save(t.store, &saved));
    }
    t.filling[block] = piece.version;
    t.home[block] = 0;
    sure(cst_store_come_home(t.store, &piece));
}

static uint64_t find_coming(void)
{
    for (uint64_t version = 1; version <= t.next; version++)
        if (t.facts[version].coming)
            return version;
    return 0;
}

static void step(void)
{
    struct job *job = &t.jobs[draw(JOBS)];
    uint64_t version;

    switch (draw(6)) {
    case 5:
        bring_or_save(draw(BLOCKS));
        break;
    case 0:
        new_content(draw(BLOCKS));
        break;
    case 1:
        push(draw(BLOCKS));
        break;
    case 2:
        version = find_coming();
        if (version)
            receive(version);
        break;
    case 3:
        if (t.sending_count > 0)
            sent((int)draw((uint32_t)t.sending_count));
        break;
    default:
        if (!job->job)
            assign(job);
        else if (draw(5) == 0)
            recall(job);
        else if (job->fired)
            finish(job);
        break;
    }
}

static void end(void)
{
    bool more = true;

    while (more) {
        uint64_t version = find_coming();

        more = version != 0;
        if (version)
            receive(version);
        for (; t.sending_count > 0; more = true)
            sent(0);
        for (int i = 0; i < JOBS; i++)
            if (t.jobs[i].job && t.jobs[i].fired) {
                finish(&t.jobs[i]);
                more = true;
            }
    }
    for (int i = 0; i < JOBS; i++)
        t.wrong += t.jobs[i].job != NULL;
    for (uint32_t block = 0; block < BLOCKS; block++)
        if (t.home[block] && t.home[block] == t.current[block])
            /* NOLINTNEXTLINE(performance-no-int-to-ptr) */
            t.wrong += !is_all((char *)region_of(block, 1).base,
                               t.facts[t.home[block]].value);
}

static void test(uint64_t seed, bool has_home)
{
    struct cst_store_counters counters;

    memset(&t, 0, sizeof(t));
    t.random = seed;
    t.has_home = has_home;
    t.matrix = calloc(ROWS, PITCH);
    if (!t.matrix)
        tap_bail("no memory");
    sure(cst_store_create(has_home ? &home_ops : &away_ops, NULL, &t.store));
    for (uint32_t block = 0; block < BLOCKS; block++) {
        t.current[block] = new_version(block);
        t.facts[t.current[block]].coming = true;
    }
    for (int i = 0; i < STEPS && t.wrong == 0; i++) {
        bool holds = draw(4) == 0; /* what comes together */

        if (holds)
            cst_store_hold(t.store);
        for (uint32_t more = holds ? 1 + draw(6) : 1; more > 0; more--)
            step();
        if (holds)
            cst_store_let_go(t.store);
        if (i % 16 == 0)
            cst_store_check(t.store);
    }
    end();
    cst_store_check(t.store);
    for (uint32_t block = 0; block < BLOCKS; block++)
        cst_store_drop(t.store, t.current[block]);
    cst_store_counters(t.store, &counters);
    ok(t.wrong == 0 && t.fired > 100 && t.recalled > 40,
       "%d jobs, %d recalled, %s home, %d wrong (seed %d)", t.fired, t.recalled,
       has_home ? "with a" : "without", t.wrong, (int)seed);
    ok(counters.in_place > 0 && counters.copied > 0,
       "%d changed in place, %d copied", (int)counters.in_place,
       (int)counters.copied);
    ok(counters.versions == 0 && counters.bytes == 0,
       "nothing is left: %d versions, %d bytes", (int)counters.versions,
       (int)counters.bytes);
    cst_store_destroy(t.store);
    free(t.matrix);
}

/* What is dropped while it is being sent is wanted again by a later cut. */
static void test_wanted_again(void)
{
    uint64_t whole, part;
    struct cst_piece piece;

    memset(&t, 0, sizeof(t));
    t.matrix = calloc(ROWS, PITCH);
    if (!t.matrix)
        tap_bail("no memory");
    sure(cst_store_create(&away_ops, NULL, &t.store));
    whole = new_version(0);
    part = new_version(0);
    piece = piece_of(part);
    piece.region.rows = 1;
    t.facts[whole].coming = true;
    receive(whole);
    sure(cst_store_cut(t.store, &piece, whole));
    sure(cst_store_push(t.store, 1, &piece));
    cst_store_drop(t.store, part);
    sure(cst_store_cut(t.store, &piece, whole));
    cst_store_sent(t.store, part, true);
    sure(cst_store_push(t.store, 2, &piece));
    ok(t.sending_count == 2, "it is sent again");
    cst_store_sent(t.store, part, true);
    cst_store_drop(t.store, part);
    cst_store_drop(t.store, whole);
    ok(!cst_store_has(t.store, part) && !cst_store_has(t.store, whole),
       "and then dropped for good");
    cst_store_destroy(t.store);
    free(t.matrix);
}

int main(void)
{
    test_wanted_again();
    for (uint64_t seed = 1; seed <= 20; seed++) {
        test(seed, false);
        test(seed, true);
    }
    return tap_done();
}
