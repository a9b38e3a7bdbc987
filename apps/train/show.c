#include "train/show.h"

#include "common/app.h"

#include <castell.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REFRESH_S   0.1
#define MARKS_SHARE 0.005

static double percent(const struct net_score *score)
{
    return score->labels ? 100.0 * (double)score->right / (double)score->labels
                         : 0;
}

static double mean_loss(const struct net_score *score)
{
    return score->labels ? score->loss / (double)score->labels : 0;
}

/* ---- Metrics ------------------------------------------------------------ */

static void check_metrics(struct show *show)
{
    if (show->metrics && (fflush(show->metrics) || ferror(show->metrics)))
        app_die(1, "cannot write %s: %s", show->metrics_path, strerror(errno));
}

void show_begin(struct show *show, const char *metrics,
                const struct model *model, const struct trainer *t,
                bool resumed)
{
    const struct training *how = &t->how;

    *show = (struct show){.metrics_path = metrics, .epochs = how->epochs};
    if (!metrics)
        return;
    show->metrics = fopen(metrics, resumed ? "a" : "w");
    if (!show->metrics)
        app_die(1, "cannot write %s: %s", metrics, strerror(errno));
    fprintf(show->metrics,
            "{\"event\":\"start\",\"net\":\"%s\",\"shape\":\"%s\","
            "\"parameters\":%d,\"samples\":%d,\"test_samples\":%d,"
            "\"epochs\":%d,\"batch\":%d,\"shard\":%d,\"optimiser\":\"%s\","
            "\"learning_rate\":%.9g,\"seed\":%" PRIu64 "}\n",
            model->kind, model->shape, t->net->parameters, t->train.count,
            t->test.count, how->epochs, how->batch, how->shard,
            how->optimiser == OPTIMISER_SGD ? "sgd" : "adam", how->rate,
            how->seed);
    check_metrics(show);
}

static void write_confusion(FILE *file, const long *confusion, int classes)
{
    fprintf(file, ",\"confusion\":[");
    for (int i = 0; i < classes; i++) {
        fprintf(file, "%s[", i ? "," : "");
        for (int j = 0; j < classes; j++)
            fprintf(file, "%s%ld", j ? "," : "", confusion[i * classes + j]);
        fprintf(file, "]");
    }
    fprintf(file, "]");
}

static void write_epoch(struct show *show, const struct trainer_news *news)
{
    if (!show->metrics)
        return;
    fprintf(show->metrics,
            "{\"event\":\"epoch\",\"epoch\":%d,\"loss\":%.9g,"
            "\"test_loss\":%.9g,\"test_accuracy\":%.9g,"
            "\"learning_rate\":%.9g,\"samples_per_s\":%.1f,\"seconds\":%.3f,"
            "\"workers\":%d,\"cores\":%d",
            news->epoch, news->loss, mean_loss(&news->test),
            percent(&news->test) / 100, news->rate, news->speed, news->seconds,
            news->workers, news->cores);
    if (news->confusion)
        write_confusion(show->metrics, news->confusion, news->classes);
    fprintf(show->metrics, "}\n");
    check_metrics(show);
}

void show_end(struct show *show, const struct net_score *test,
              uint64_t curve_sum, uint64_t model_sum)
{
    if (!show->metrics)
        return;
    fprintf(show->metrics,
            "{\"event\":\"end\",\"test_loss\":%.9g,\"test_accuracy\":%.9g,"
            "\"seconds\":%.3f,\"curve\":\"%016" PRIx64
            "\",\"model\":\"%016" PRIx64 "\"}\n",
            mean_loss(test), percent(test) / 100, show->last.seconds, curve_sum,
            model_sum);
    check_metrics(show);
    fclose(show->metrics);
    show->metrics = NULL;
}

/* ---- Lines -------------------------------------------------------------- */

void show_score(const struct net_score *score, char *text, size_t size)
{
    snprintf(text, size, "test %.4f, %.2f %%", mean_loss(score),
             percent(score));
}

/* Seconds until the end, if it goes on like this. */
static double left(const struct trainer_news *news)
{
    return news->done > 0 ? news->seconds * (1 - news->done) / news->done : 0;
}

/* Points of curves in the page about the run: some of the steps' losses, and
   what is known at the end of each epoch. */
static void mark(struct show *show, const struct trainer_news *news)
{
    char text[64];

    if (news->ends || news->done >= show->marked) {
        snprintf(text, sizeof(text), "loss = %.5g", news->step_loss);
        castell_mark(text);
        show->marked = news->done + MARKS_SHARE;
    }
    if (news->ends) {
        snprintf(text, sizeof(text), "test, %% = %.2f", percent(&news->test));
        castell_mark(text);
    }
}

void show_news(void *context, const struct trainer_news *news)
{
    struct show *show = context;
    bool live = isatty(STDOUT_FILENO);
    char who[64] = "";
    char score[96] = "";

    mark(show, news);
    if (!news->ends && (!live || news->seconds - show->shown < REFRESH_S))
        return;
    show->shown = news->seconds;
    if (news->workers > 0)
        snprintf(who, sizeof(who), "  %d worker%s", news->workers,
                 news->workers > 1 ? "s" : "");
    app_begin_line();
    if (news->ends) {
        show_score(&news->test, score, sizeof(score));
        printf("epoch %*d/%d", show->epochs > 9 ? 2 : 1, news->epoch,
               show->epochs);
    } else {
        if (show->last.epoch)
            snprintf(score, sizeof(score), "test %.2f %%",
                     percent(&show->last.test));
        printf("epoch %.2f/%d", news->epoch - 1 + news->share, show->epochs);
    }
    printf("  loss %.4f  %s  %.0f samples/s%s  %.0f s left%s", news->loss,
           score, news->speed, who, left(news), news->ends ? "\n" : "");
    fflush(stdout);
    if (!news->ends)
        return;
    show->last = *news;
    write_epoch(show, news);
}

void show_confusion(const long *confusion, int classes)
{
    printf("label");
    for (int i = 0; i < classes; i++)
        printf("%6d", i);
    printf("   known\n");
    for (int i = 0; i < classes; i++) {
        long sum = 0;

        printf("%5d", i);
        for (int j = 0; j < classes; j++) {
            printf("%6ld", confusion[i * classes + j]);
            sum += confusion[i * classes + j];
        }
        printf("%6.1f %%\n",
               sum ? 100.0 * (double)confusion[i * classes + i] / (double)sum
                   : 0);
    }
}
