/*
 * Training by tasks.
 *
 * A step takes a batch of samples, cut in shards of a fixed size. One task
 * computes the gradient of one shard (`learn`). The runtime adds the shards'
 * gradients up, in a fixed tree, and for each piece of the parameters by itself
 * one task moves the weights. So the result is the same bits however many there
 * are to compute it.
 */
#include "train/trainer.h"

#include "common/app.h"
#include "train/gpu.h"
#include "train/saved.h"

#include <castell.h>
#include <castell_checkpoint.h>

enum {
    PIECE = 65536,    /* parameters that one task moves: 256 KiB, of which the
                         runtime adds up gradients by themselves, too */
    TEST_PART = 256,  /* samples of a task that tests */
    CLASSES_FEW = 64, /* no confusion matrix of more */
};

/* ---- Steps -------------------------------------------------------------- */

static int least(int a, int b)
{
    return a < b ? a : b;
}

static int pieces_of(int parameters)
{
    return (parameters + PIECE - 1) / PIECE;
}

int trainer_piece(const struct trainer *t, int piece)
{
    int cut = net_cut_parameters(t->net);
    int below = pieces_of(cut);

    if (piece == t->pieces)
        return t->net->parameters;
    return piece < below ? PIECE * piece : cut + PIECE * (piece - below);
}

int trainer_steps(const struct trainer *t)
{
    return (t->train.count + t->how.batch - 1) / t->how.batch;
}

/* The samples of one shard: where they will be when a task has read them. */
static struct data_part fetched(struct trainer *t, const struct data *data,
                                struct data_part part, uint8_t *bytes,
                                uint8_t *labels)
{
    struct data_place where = {data->bytes_at, data->labels_at, data->sample,
                               data->labels};

    fetch(data->bytes_path, data->labels_path, where, part, bytes, labels);
    return (struct data_part){.count = part.count, .total = part.count};
}

/* The gradient of one shard in two parts. */
static void submit_parts(struct trainer *t, struct data_part part, long row)
{
    long count = net_kept(t->net, part.count);
    real *kept = t->kept + row * t->kept_room;

    learn_above(t->net, part, t->weights, t->train.bytes, t->train.answers,
                count, kept, t->gradient + net_cut_parameters(t->net),
                &t->learned[row]);
    learn_below(t->net, part.count, t->weights, count, kept, t->gradient);
}

/* The gradient of `count` samples from `first` on of an epoch. */
static void submit_gradient(struct trainer *t, int slot, uint64_t key,
                            int first, int count)
{
    int shards = 0;

    for (int done = 0; done < count; done += t->how.shard) {
        struct data_part part = {.first = first + done,
                                 .count = least(count - done, t->how.shard),
                                 .total = t->train.count,
                                 .key = key};
        long row = (long)slot * t->shards + shards;

        if (t->gpu) {
            gpu_submit_shard(t, part, row, shards);
        } else if (!t->train.bytes) {
            long at = row * t->how.shard;
            uint8_t *to = t->bytes + at * t->net->sample;
            uint8_t *labels_to = t->labels + at * t->net->labels;

            part = fetched(t, &t->train, part, to, labels_to);
            learn_fetched(t->net, part, t->weights, to, labels_to,
                          t->gradient, &t->learned[row]);
        } else if (t->kept) {
            submit_parts(t, part, row);
        } else {
            learn(t->net, part, t->weights, t->train.bytes, t->train.answers,
                  t->gradient, &t->learned[row]);
        }
        shards++;
    }
    if (t->gpu)
        gpu_submit_sum(t, shards);
}

static double rate_of(const struct trainer *t, long step)
{
    double epoch = (double)step / trainer_steps(t);

    /* While it rises the first step must not stand still. */
    return t->how.rate * schedule_share(t->how.schedule,
                                        epoch + 0.5 / trainer_steps(t),
                                        t->how.epochs, t->how.warmup);
}

/* Step number `step` of all, from 0. */
static void submit_step(struct trainer *t, long step)
{
    int epoch = (int)(step / trainer_steps(t));
    int first = (int)(step % trainer_steps(t)) * t->how.batch;
    int count = least(t->train.count - first, t->how.batch);
    struct rates rates = {
        .learning = rate_of(t, step),
        .scale = 1.0 / ((double)count * t->net->labels),
        .momentum = t->how.momentum,
        .decay = t->how.decay,
        .step = (int)step + 1,
    };

    submit_gradient(t, (int)(step % TRAINER_WINDOW),
                    data_key(t->how.seed, epoch), first, count);
    if (t->gpu)
        gpu_submit_move(t, rates);
    for (int p = 0; p < t->pieces && !t->gpu; p++) {
        int from = trainer_piece(t, p);
        int size = trainer_piece(t, p + 1) - from;
        real *g = t->gradient + from;

        if (t->how.optimiser == OPTIMISER_SGD)
            move_sgd(rates, size, g, t->weights + from, t->first + from);
        else
            move_adam(rates, size, g, t->weights + from, t->first + from,
                      t->second + from);
    }
}

/* ---- Testing ------------------------------------------------------------ */

int trainer_test_parts(const struct trainer *t)
{
    return (t->test.count + TEST_PART - 1) / TEST_PART;
}

/* Into one of the places for that. */
static void submit_test(struct trainer *t, int place)
{
    long *confusion = t->confusion[place];

    memset(confusion, 0, sizeof(*confusion) * (size_t)t->cells);
    for (int p = 0; p < trainer_test_parts(t); p++) {
        long at = (long)p * TEST_PART;
        struct data_part part = {.first = (int)at,
                                 .count =
                                     least(t->test.count - (int)at, TEST_PART)};
        uint8_t *bytes, *labels;

        if (t->test.bytes) {
            bytes = t->test.bytes + at * t->net->sample;
            labels = t->test.answers + at * t->net->labels;
        } else {
            long row = (long)(p % TRAINER_WINDOW) * TEST_PART;

            bytes = t->test_bytes + row * t->net->sample;
            labels = t->test_labels + row * t->net->labels;
            fetched(t, &t->test, part, bytes, labels);
        }
        test(t->net, part.count, t->weights, bytes, labels, t->cells,
             &t->tested[place][p], confusion);
    }
}

static struct net_score collect_test(struct trainer *t, int place)
{
    struct net_score *tested = t->tested[place];
    int parts = trainer_test_parts(t);
    struct net_score sum = {0};

    #pragma castell wait_on(tested[0:parts], t->confusion[place] [0:t->cells])
    for (int p = 0; p < parts; p++) {
        sum.loss += tested[p].loss;
        sum.labels += tested[p].labels;
        sum.right += tested[p].right;
    }
    return sum;
}

struct net_score trainer_test(struct trainer *t, const long **ret_confusion)
{
    submit_test(t, 0);
    *ret_confusion = t->cells > 1 ? t->confusion[0] : NULL;
    return collect_test(t, 0);
}

/* ---- Epochs ------------------------------------------------------------- */

/* What main() knows of the run. */
struct watch {
    double began, epoch_began;
    double loss; /* of this epoch so far */
    long labels;
};

/* Different numbers among a few; 0 is none. */
static int distinct(const uint64_t *numbers, int count)
{
    int found = 0;

    for (int i = 0; i < count; i++) {
        bool known = numbers[i] == 0;

        for (int j = 0; j < i; j++)
            known = known || numbers[j] == numbers[i];
        found += !known;
    }
    return found;
}

/* Who computed the last steps: those of this one, from here on. */
static void count_workers(struct trainer *t, long step,
                          const struct learned *learned, int shards,
                          struct trainer_news *news)
{
    uint64_t process[64] = {0};
    uint64_t core[64] = {0};
    int count = least(64, t->shards * TRAINER_WINDOW);
    struct learned *seen = t->seen + step % TRAINER_WINDOW * t->shards;

    for (int s = 0; s < t->shards; s++)
        seen[s] = s < shards ? learned[s] : (struct learned){0};
    for (int i = 0; i < count; i++) {
        process[i] = t->seen[i].process;
        core[i] = process[i] ? process[i] << 32 | t->seen[i].executor : 0;
    }
    news->workers = distinct(process, count);
    news->cores = distinct(core, count);
}

/* Wait for the step; tell what it came to. */
static void collect(struct trainer *t, struct watch *watch, long step)
{
    struct learned *learned = t->learned + step % TRAINER_WINDOW * t->shards;
    int in_epoch = (int)(step % trainer_steps(t));
    int first = in_epoch * t->how.batch;
    int count = least(t->train.count - first, t->how.batch);
    int shards = (count + t->how.shard - 1) / t->how.shard;
    struct trainer_news news = {.epoch = (int)(step / trainer_steps(t)) + 1};
    double loss = 0;
    double now;

    #pragma castell wait_on(learned[0:shards])
    for (int s = 0; s < shards; s++)
        loss += learned[s].loss;
    if (isnan(loss) || isinf(loss))
        app_die(1,
                "the loss of step %ld is no number any more; a smaller "
                "--lr may help",
                step + 1);
    t->curve[t->steps++] = loss / ((double)count * t->net->labels);
    news.step_loss = t->curve[t->steps - 1];
    watch->loss += loss;
    watch->labels += (long)count * t->net->labels;
    now = app_now();
    news.share = (double)(first + count) / t->train.count;
    news.done = (news.epoch - 1 + news.share) / t->how.epochs;
    news.loss = watch->loss / (double)watch->labels;
    news.rate = rate_of(t, step);
    news.speed = (first + count) / (now - watch->epoch_began);
    news.ends = in_epoch == trainer_steps(t) - 1;
    count_workers(t, step, learned, shards, &news);
    if (news.ends) {
        int place = (news.epoch - 1) % TRAINER_WINDOW;

        news.test = collect_test(t, place);
        news.confusion = t->cells > 1 ? t->confusion[place] : NULL;
        news.classes = t->net->classes;
        now = app_now();
        news.speed = t->train.count / (now - watch->epoch_began);
        watch->epoch_began = now;
        watch->loss = 0;
        watch->labels = 0;
    }
    news.seconds = now - watch->began;
    t->tell(t->context, &news);
}

/* Should it be saved now, and is it time to stop? */
static bool save(struct trainer *t, const struct watch *watch, long step)
{
    double now = app_now();
    const struct saved_progress progress = {
        .curve_steps = t->steps,
        .loss = watch->loss,
        .labels = watch->labels,
        .seconds = now - watch->began,
        .epoch_seconds = now - watch->epoch_began,
    };

    if (!t->saved)
        return false;
    t->stopped = castell_stop_requested();
    if (t->stopped || step % t->how.save_every == 0)
        saved_make(t->saved, t, &progress, step);
    if (t->stopped)
        saved_wait(t->saved);
    return t->stopped;
}

long trainer_resume(struct trainer *t, const char *model)
{
    if (!t->how.save)
        return 0;
    t->saved = saved_begin(t, model);
    return t->how.resume ? saved_restore(t->saved, t) : 0;
}

void trainer_run(struct trainer *t, long step)
{
    double now = app_now();
    struct watch watch = {.began = now, .epoch_began = now};
    long steps = (long)t->how.epochs * trainer_steps(t);

    if (step > 0) {
        const struct saved_progress *before = saved_progress(t->saved);

        watch =
            (struct watch){now - before->seconds, now - before->epoch_seconds,
                           before->loss, before->labels};
    }
    for (; step < steps + TRAINER_WINDOW; step++) {
        if (step >= TRAINER_WINDOW)
            collect(t, &watch, step - TRAINER_WINDOW);
        if (step >= steps)
            continue;
        submit_step(t, step);
        if ((step + 1) % trainer_steps(t) == 0)
            submit_test(t, (int)(step / trainer_steps(t)) % TRAINER_WINDOW);
        if (save(t, &watch, step + 1))
            return;
    }
}

/* ---- The check ---------------------------------------------------------- */

/* The loss of the first samples with weights moved along a direction. */
static double loss_along(struct trainer *t, int count, const double *direction,
                         double by)
{
    int parameters = t->net->parameters;
    real *kept = app_alloc(parameters, sizeof(*kept));
    struct net_score score;
    int whole = t->test.count;

    memcpy(kept, t->weights, sizeof(*kept) * (size_t)parameters);
    for (int i = 0; i < parameters; i++)
        t->weights[i] += (real)(by * direction[i]);
    t->test.count = count;
    submit_test(t, 0);
    score = collect_test(t, 0);
    #pragma castell barrier
    t->test.count = whole;
    memcpy(t->weights, kept, sizeof(*kept) * (size_t)parameters);
    castell_free(kept);
    return score.loss;
}

double trainer_verify(struct trainer *t)
{
    int parameters = t->net->parameters;
    double *direction = app_alloc(parameters, sizeof(*direction));
    int count =
        least(least(t->how.batch, 128), least(t->train.count, t->test.count));
    struct data train = t->train;
    double norm = 0;
    double by, slope;

    t->train = t->test; /* in the order that it is in */
    submit_gradient(t, 0, 0, 0, count);
    #pragma castell barrier
    t->train = train;
    for (int i = 0; i < parameters; i++)
        norm += (double)t->gradient[i] * (double)t->gradient[i];
    norm = sqrt(norm);
    for (int i = 0; i < parameters; i++) {
        direction[i] = norm > 0 ? (double)t->gradient[i] / norm : 0;
        t->gradient[i] = 0;
    }
    by = 2e-4;
    slope = (loss_along(t, count, direction, by) -
             loss_along(t, count, direction, -by)) /
            (2 * by);
    castell_free(direction);
    return norm > 0 ? fabs(slope - norm) / norm : 1;
}

/* ---- Its life ----------------------------------------------------------- */

void trainer_init(struct trainer *t, struct net *net, struct data *train,
                  struct data *test, const struct training *how)
{
    long steps;

    *t = (struct trainer){
        .net = net, .train = *train, .test = *test, .how = *how};
    t->how.batch = least(how->batch, train->count);
    t->how.shard = least(how->shard, t->how.batch);
    t->shards = (t->how.batch + t->how.shard - 1) / t->how.shard;
    t->pieces = pieces_of(net_cut_parameters(net)) +
                pieces_of(net->parameters - net_cut_parameters(net));
    t->cells = net->classes <= CLASSES_FEW ? net->classes * net->classes : 1;
    steps = (long)how->epochs * trainer_steps(t);
    t->weights = app_alloc(net->parameters, sizeof(real));
    t->first = app_alloc(net->parameters, sizeof(real));
    t->second = app_alloc(net->parameters, sizeof(real));
    memset(t->first, 0, sizeof(real) * (size_t)net->parameters);
    memset(t->second, 0, sizeof(real) * (size_t)net->parameters);
    t->gradient = app_alloc(
        (long)net->parameters * (how->gpu ? t->shards : 1), sizeof(real));
    memset(t->gradient, 0, sizeof(real) * (size_t)net->parameters);
    t->gpu = how->gpu ? gpu_create(t) : NULL;
    t->learned =
        app_alloc((long)TRAINER_WINDOW * t->shards, sizeof(*t->learned));
    t->seen = app_alloc((long)TRAINER_WINDOW * t->shards, sizeof(*t->seen));
    memset(t->seen, 0, sizeof(*t->seen) * TRAINER_WINDOW * (size_t)t->shards);
    t->curve = app_alloc(steps + 1, sizeof(*t->curve));
    for (int i = 0; i < TRAINER_WINDOW; i++) {
        t->tested[i] = app_alloc(trainer_test_parts(t), sizeof(*t->tested[i]));
        t->confusion[i] = app_alloc(t->cells, sizeof(*t->confusion[i]));
    }
    if (train->bytes && how->overlap && net->cut > 0) {
        for (int samples = 1; samples <= t->how.shard; samples++) {
            long room = net_kept(net, samples);

            t->kept_room = room > t->kept_room ? room : t->kept_room;
        }
        t->kept = app_alloc(
            (long)TRAINER_WINDOW * t->shards * t->kept_room, sizeof(real));
    }
    if (!train->bytes) {
        long rows = (long)TRAINER_WINDOW * t->shards * t->how.shard;
        long tests = (long)TRAINER_WINDOW * TEST_PART;

        t->bytes = app_alloc(rows * net->sample, 1);
        t->labels = app_alloc(rows * net->labels, 1);
        t->test_bytes = app_alloc(tests * net->sample, 1);
        t->test_labels = app_alloc(tests * net->labels, 1);
    }
}

void trainer_release(struct trainer *t)
{
    saved_end(t->saved);
    gpu_destroy(t->gpu);
    data_free(&t->train);
    data_free(&t->test);
    castell_free(t->weights);
    castell_free(t->first);
    castell_free(t->second);
    castell_free(t->gradient);
    castell_free(t->learned);
    castell_free(t->seen);
    castell_free(t->curve);
    castell_free(t->kept);
    castell_free(t->bytes);
    castell_free(t->labels);
    castell_free(t->test_bytes);
    castell_free(t->test_labels);
    for (int i = 0; i < TRAINER_WINDOW; i++) {
        castell_free(t->tested[i]);
        castell_free(t->confusion[i]);
    }
    castell_free(t->net);
}
