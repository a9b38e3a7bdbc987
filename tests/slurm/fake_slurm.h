/*
 * fake_slurm.h - a SLURM in virtual time, for the test that includes it, once.
 *
 * It answers errands as the commands do. With `faults` it loses answers, submits
 * what it gave none to, or does it later, tells half of what it knows, or garbage,
 * and its jobs stop, fail, and are put back into the queue.
 */
#ifndef CST_TEST_FAKE_SLURM_H
#define CST_TEST_FAKE_SLURM_H

#include "slurm/fake_part.h"

static bool is_in_order(enum cst_slurm_state before, enum cst_slurm_state after)
{
    switch (after) {
    case CST_SLURM_PENDING:
        return before == 0 || before == CST_SLURM_PENDING;
    case CST_SLURM_RESUMED:
        return before == CST_SLURM_SUSPENDED || before == CST_SLURM_RESUMED;
    case CST_SLURM_RUNNING:
        return before == 0 || before == CST_SLURM_PENDING ||
               before == CST_SLURM_RUNNING || before == CST_SLURM_RESUMED;
    case CST_SLURM_REQUEUED:
        return before == CST_SLURM_RUNNING || before == CST_SLURM_SUSPENDED ||
               before == CST_SLURM_RESUMED;
    case CST_SLURM_REFUSED:
        return before == 0;
    case CST_SLURM_SUSPENDED:
    case CST_SLURM_ENDED:
    case CST_SLURM_OWN_JOB:
    case CST_SLURM_SILENT:
    case CST_SLURM_ANSWERS:
    case CST_SLURM_JOBS_ONLY:
    case CST_SLURM_KEEPS:
    case CST_SLURM_HELPED:
    default:
        return before != CST_SLURM_ENDED && before != CST_SLURM_REFUSED;
    }
}

static void hear(void *owner, const struct cst_slurm_event *event)
{
    (void)owner;
    if (event->id == CST_SLURM_OWN) {
        fake.silences += event->state == CST_SLURM_SILENT;
        if (event->state == CST_SLURM_OWN_JOB)
            fake.own_seconds = event->seconds_left;
        fake.jobs_only += event->state == CST_SLURM_JOBS_ONLY;
        fake.keeps += event->state == CST_SLURM_KEEPS;
        if (event->state == CST_SLURM_JOBS_ONLY ||
            event->state == CST_SLURM_KEEPS)
            memcpy(fake.said, event->text, sizeof(fake.said));
        return;
    }
    CST_ASSERT(event->id < TICKETS_MAX);
    if (!is_in_order(fake.told[event->id], event->state)) {
        (void)printf("# %u: %s after %s\n", event->id,
                     cst_slurm_state_name(event->state),
                     cst_slurm_state_name(fake.told[event->id]));
        fake.disorder++;
    }
    fake.told[event->id] = event->state;
    fake.last[event->id] = *event;
    fake.resumed += event->state == CST_SLURM_RESUMED;
    fake.ends[event->id] +=
        event->state == CST_SLURM_ENDED || event->state == CST_SLURM_REFUSED;
}

static void open_tickets(const char *own_job)
{
    struct cst_tickets_options options = {
        .run_dir = "/it's a/castell.ab.1.host",
        .run = "ab",
        .own_job = own_job,
        .user = 7,
        .look_ns = 500 * NS_PER_MS,
        .expand = fake.expand,
        .tell = hear,
    };

    cst_tickets_init(&tickets, &options);
}

static void begin(uint32_t seed, bool faults, const char *own_job)
{
    memset(&fake, 0, sizeof(fake));
    fake.seed = seed;
    fake.faults = faults;
    fake.next_number = 10;
    fake.now_ns = 1000 * NS_PER_S;
    open_tickets(own_job);
}

/* ---- SLURM --------------------------------------------------------------- */

static void add_job(const char *name, int element, uint64_t born_ns)
{
    struct job *job = &fake.jobs[fake.jobs_count++];

    CST_ASSERT(fake.jobs_count < JOBS_MAX);
    *job = (struct job){.number = fake.next_number,
                        .element = element,
                        .word = "PENDING",
                        .born_ns = born_ns,
                        .since_ns = born_ns};
    (void)snprintf(job->name, sizeof(job->name), "%s", name);
}

static void submit(const struct cst_errand *errand, uint64_t born_ns)
{
    const char *name = option_of(errand, "--job-name=");
    const char *array = option_of(errand, "--array=");
    char *end;

    if (!array)
        add_job(name, -1, born_ns);
    while (array && *array) {
        unsigned long from = strtoul(array, &end, 10);
        unsigned long to = *end == '-' ? strtoul(end + 1, &end, 10) : from;

        for (; from <= to; from++)
            add_job(name, (int)from, born_ns);
        array = *end == ',' ? end + 1 : end;
    }
    fake.next_number++;
}

static void run_salloc(const struct cst_errand *errand,
                       struct cst_errand_answer *answer)
{
    static char errors[200];

    if (fake.refuse) {
        answer->status = 1;
        answer->errors = fake.refuse;
        return;
    }
    if (fake.faults && chance(6)) {
        answer->errors = "salloc: error: Socket timed out on send/recv\n";
        answer->status = 1;
        answer->timed_out = chance(2);
        if (chance(2))
            return;
    } else {
        /* Then it waits until it is killed. */
        (void)sprintf(errors,
                      chance(2) ? "salloc: Granted job allocation %u\n"
                                : "salloc: Pending job allocation %u\n"
                                  "salloc: job queued\n",
                      fake.next_number);
        answer->errors = errors;
        answer->status = chance(2) ? 137 : 0;
    }
    submit(errand, fake.now_ns + (fake.faults && chance(9) ? 3 * NS_PER_S : 0));
    fake.jobs[fake.jobs_count - 1].bare = true;
}

static void run_sbatch(const struct cst_errand *errand,
                       struct cst_errand_answer *answer, char *output)
{
    fake.submits++;
    if (strcmp(errand->command.list[0], "salloc") == 0) {
        run_salloc(errand, answer);
        return;
    }
    if (fake.refuse || (fake.no_arrays && option_of(errand, "--array="))) {
        answer->status = 1;
        answer->errors = fake.refuse ? fake.refuse : fake.no_arrays;
        return;
    }
    if (fake.faults && chance(6)) {
        answer->errors = "sbatch: error: Socket timed out on send/recv\n";
        answer->status = 1;
        answer->timed_out = chance(2);
        if (chance(2)) /* it has submitted all the same, or does it later */
            submit(errand, fake.now_ns + (chance(2) ? 3 * NS_PER_S : 0));
        return;
    }
    (void)sprintf(output, "%s%u%s\n", chance(3) ? "Hello!\n7 jobs\n" : "",
                  fake.next_number, chance(3) ? ";mini" : "");
    if (fake.faults && chance(10))
        output[0] = '\0'; /* an answer without a number */
    submit(errand, fake.now_ns);
}

static const char *node_of(const struct job *job, char *node, size_t size)
{
    if (strcmp(job->word, "PENDING") == 0 ||
        (job->bare && strcmp(job->word, "COMPLETED") == 0))
        return "";
    (void)snprintf(node, size, "node%u", job->bare ? job->number : 1);
    return node;
}

static size_t print_job(const struct job *job, char *to)
{
    char number[32];
    char node[32];
    int length;

    if (job->element < 0)
        (void)snprintf(number, sizeof(number), "%u", job->number);
    else
        (void)snprintf(number, sizeof(number), "%u_%d", job->number,
                       job->element);
    length = sprintf(to, "%s|%s|%s|%s|%s|%s\n", number, job->name, job->word,
                     strcmp(job->word, "RUNNING") == 0 ? "59:00" : "1:00:00",
                     node_of(job, node, sizeof(node)),
                     strcmp(job->word, "PENDING") == 0 ? "Resources" : "None");
    return (size_t)length;
}

static void run_squeue(struct cst_errand_answer *answer, char *output)
{
    size_t used = 0;

    if (fake.now_ns < fake.down_until_ns) {
        answer->status = 1;
        answer->errors = "slurm_load_jobs error: Unable to contact slurm "
                         "controller (connect failure)\n";
        return;
    }
    for (size_t i = 0; i < fake.jobs_count; i++) {
        const struct job *job = &fake.jobs[i];

        if (job->born_ns > fake.now_ns ||
            (job->ended && fake.now_ns - job->since_ns > 60 * NS_PER_S))
            continue;
        if (fake.faults && chance(60))
            continue; /* half an answer */
        if (fake.faults && chance(30))
            used += (size_t)sprintf(output + used, "garbage|%c\n", 7);
        used += print_job(job, output + used);
        if (fake.faults && chance(30))
            used += print_job(job, output + used);
    }
}

static void run_scancel(const struct cst_errand *errand)
{
    for (size_t k = 1; k < errand->command.count; k++)
        CST_ASSERT(strcmp(errand->command.list[k], "5") != 0);
    for (size_t i = 0; i < fake.parts_count; i++)
        for (size_t k = 1; k < errand->command.count; k++) {
            const char *dot = strchr(errand->command.list[k], '.');

            if (dot && strtoul(dot + 1, NULL, 10) == i &&
                !(fake.faults && chance(5)))
                fake.parts[i].step = false;
        }
    for (size_t i = 0; i < fake.jobs_count; i++) {
        struct job *job = &fake.jobs[i];
        char number[32];

        (void)snprintf(number, sizeof(number),
                       job->element < 0 ? "%u" : "%u_%d", job->number,
                       job->element);
        for (size_t k = 1; k < errand->command.count; k++)
            if (!job->ended && job->born_ns <= fake.now_ns &&
                strcmp(errand->command.list[k], number) == 0 &&
                !(fake.faults && chance(5))) {
                job->word = "CANCELLED";
                job->ended = true;
                job->since_ns = fake.now_ns;
            }
    }
}

static void live(struct job *job)
{
    static const char *const ends[] = {"COMPLETED", "FAILED",    "NODE_FAIL",
                                       "TIMEOUT",   "CANCELLED", "PREEMPTED"};
    bool waits = strcmp(job->word, "PENDING") == 0;

    if (job->ended || fake.still || job->born_ns > fake.now_ns)
        return;
    if ((waits && chance(8)) ||
        (strcmp(job->word, "SUSPENDED") == 0 && chance(3)))
        job->word = "RUNNING";
    else if (fake.faults && !waits && chance(60))
        job->word = "SUSPENDED";
    else if (fake.faults && !waits && chance(80))
        job->word = "PENDING"; /* somebody has put it back */
    else if (fake.faults && chance(100))
        job->word = ends[fake.seed % 6];
    for (size_t i = 0; i < 6; i++)
        job->ended = job->ended || strcmp(job->word, ends[i]) == 0;
    if (job->ended)
        job->since_ns = fake.now_ns;
}

/* Let time go by, with all that is to be done in it. */
static void pass(uint64_t ns)
{
    static char output[JOBS_MAX * 200];
    uint64_t end_ns = fake.now_ns + ns;

    while (fake.now_ns < end_ns) {
        struct cst_errand errand;
        struct cst_errand_answer answer = {.output = output, .errors = ""};
        uint64_t wake_ns;

        output[0] = '\0';
        cst_tickets_errand(&tickets, fake.now_ns, &errand, &wake_ns);
        if (fake.faults && errand.kind != CST_ERRAND_NONE && chance(200))
            fake.down_until_ns = fake.now_ns + 20 * NS_PER_S;
        if (errand.kind == CST_ERRAND_SUBMIT)
            run_sbatch(&errand, &answer, output);
        else if (errand.kind == CST_ERRAND_LOOK)
            run_squeue(&answer, output);
        else if (errand.kind == CST_ERRAND_CANCEL)
            run_scancel(&errand);
        else if (errand.kind == CST_ERRAND_OWN)
            (void)sprintf(output, "5|x|RUNNING|10:00|node1|None\n");
        else
            run_other(&errand, &answer, output);
        if (errand.kind != CST_ERRAND_NONE) {
            fake.now_ns += 20 * NS_PER_MS;
            cst_tickets_answer(&tickets, fake.now_ns, &errand, &answer);
        } else {
            fake.now_ns += 200 * NS_PER_MS;
        }
        cst_errand_release(&errand);
        for (size_t i = 0; i < fake.jobs_count; i++)
            live(&fake.jobs[i]);
        end_steps();
    }
}

static size_t jobs_left(void)
{
    size_t left = 0;

    for (size_t i = 0; i < fake.jobs_count; i++)
        left += !fake.jobs[i].ended;
    return left;
}

#endif
