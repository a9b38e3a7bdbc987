/*
 * The bodies and waits of a run as bytes for the page; page.c says which.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "report/page.h"

#include <stdlib.h>
#include <string.h>

enum {
    SPANS_MAX = 2000000, /* that a browser draws without waiting */
    THRESHOLD_NS = 1000, /* the first try at what is short */
    NEST_LOOK = 64,      /* as the page looks back */
    LOW_BITS = 32,       /* of a task's number, behind the prefix */
    BASE64_IN = 3,
};

enum span_type { BODY = 0, BAD_BODY = 1, WAIT = 2, MANY = 3 };

struct span {
    uint64_t begin_ns;
    uint64_t end_ns;
    uint64_t id;
    uint32_t place; /* of its track in the picture */
    uint32_t kind;
    enum span_type type;
};

struct spans {
    const struct cst_history *history;
    struct cst_page_spans *to;
    struct span *list;
    size_t count;
    uint32_t *places; /* of each track, or NONE */
};

/* ---- Which, in which order ------------------------------------------------------ */

static int compare_spans(const void *a_, const void *b_)
{
    const struct span *a = a_, *b = b_;

    if (a->place != b->place)
        return a->place < b->place ? -1 : 1;
    if (a->begin_ns != b->begin_ns)
        return a->begin_ns < b->begin_ns ? -1 : 1;
    return a->end_ns > b->end_ns ? -1 : a->end_ns < b->end_ns;
}

/* Executors by node and number, then other threads; empty ones not at all. */
static bool place_tracks(struct spans *spans)
{
    const struct cst_history *history = spans->history;
    size_t tracks = history->tracks_count;
    bool *used = cst_zalloc(tracks + 1);

    spans->places = cst_alloc((tracks + 1) * sizeof(*spans->places));
    spans->to->tracks = cst_zalloc((tracks + 1) * sizeof(*spans->to->tracks));
    if (!used || !spans->places || !spans->to->tracks) {
        cst_free(used);
        return false;
    }
    for (size_t i = 0; i < history->attempts_count; i++)
        used[history->attempts[i].track] = true;
    for (size_t i = 0; i < tracks; i++)
        if (history->tracks[i].executor != CST_HISTORY_NONE)
            used[i] = true;
    for (uint32_t node = 0; node < history->nodes_count; node++)
        for (int others = 0; others < 2; others++)
            for (uint32_t number = 0; number < tracks; number++)
                for (uint32_t i = 0; i < tracks; i++) {
                    const struct cst_history_track *track = &history->tracks[i];

                    if (track->node != node || track->number != number ||
                        !used[i] ||
                        (track->executor == CST_HISTORY_NONE) != others)
                        continue;
                    spans->places[i] = (uint32_t)spans->to->tracks_count;
                    spans->to->tracks[spans->to->tracks_count++].track = i;
                }
    for (size_t i = 0; i < tracks; i++)
        if (!used[i])
            spans->places[i] = CST_HISTORY_NONE;
    cst_free(used);
    return true;
}

static bool collect(struct spans *spans)
{
    const struct cst_history *history = spans->history;

    spans->list =
        cst_alloc((history->attempts_count + history->spans_count + 1) *
                  sizeof(*spans->list));
    if (!spans->list)
        return false;
    for (size_t i = 0; i < history->attempts_count; i++) {
        const struct cst_history_attempt *attempt = &history->attempts[i];
        uint32_t kind = history->tasks[attempt->task].kind;

        spans->list[spans->count++] = (struct span){
            attempt->started_ns,
            attempt->ended_ns,
            history->tasks[attempt->task].id,
            spans->places[attempt->track],
            kind < history->kinds_count ? kind : (uint32_t)history->kinds_count,
            attempt->ended && attempt->result == 0 ? BODY : BAD_BODY};
    }
    for (size_t i = 0; i < history->spans_count; i++) {
        const struct cst_history_span *span = &history->spans[i];

        if (span->kind == CST_HISTORY_WAIT &&
            spans->places[span->track] != CST_HISTORY_NONE)
            spans->list[spans->count++] =
                (struct span){span->begin_ns,
                              span->end_ns,
                              0,
                              spans->places[span->track],
                              0,
                              WAIT};
    }
    qsort(spans->list, spans->count, sizeof(*spans->list), compare_spans);
    return true;
}

/* ---- Too many ---------------------------------------------------------------------- */

static bool is_short(const struct span *span, uint64_t threshold)
{
    return span->end_ns - span->begin_ns < threshold &&
           (span->type == BODY || span->type == MANY);
}

/* Put short ones that follow one another together, each run of them one. */
static void merge(struct spans *spans, uint64_t threshold)
{
    size_t kept = 0;
    uint64_t most = 0; /* the longest in the run, which names it */

    for (size_t i = 0; i < spans->count; i++) {
        struct span span = spans->list[i];
        struct span *last = kept > 0 ? &spans->list[kept - 1] : NULL;

        if (last && last->place == span.place && is_short(&span, threshold) &&
            is_short(last, threshold) &&
            span.begin_ns < last->end_ns + threshold) {
            if (span.end_ns - span.begin_ns > most) {
                most = span.end_ns - span.begin_ns;
                last->kind = span.kind;
            }
            last->type = MANY;
            if (span.end_ns > last->end_ns)
                last->end_ns = span.end_ns;
            continue;
        }
        most = span.end_ns - span.begin_ns;
        spans->list[kept++] = span;
    }
    spans->count = kept;
}

/* ---- Bytes --------------------------------------------------------------------------- */

static bool put(struct cst_page_spans *to, uint64_t number)
{
    if (to->bytes_max - to->bytes_count < 16) {
        size_t max = to->bytes_max > 0 ? 2 * to->bytes_max : 1 << 16;
        uint8_t *bytes = cst_realloc(to->bytes, max);

        if (!bytes)
            return false;
        to->bytes = bytes;
        to->bytes_max = max;
    }
    for (; number > 127; number >>= 7)
        to->bytes[to->bytes_count++] = (uint8_t)(number & 127) | 128;
    to->bytes[to->bytes_count++] = (uint8_t)number;
    return true;
}

static bool find_prefix(struct cst_page_spans *to, uint64_t id,
                        size_t *ret_index)
{
    uint64_t prefix = id >> LOW_BITS << LOW_BITS;
    uint64_t *prefixes;
    size_t i = 0;

    while (i < to->prefixes_count && to->prefixes[i] != prefix)
        i++;
    *ret_index = i;
    if (i < to->prefixes_count)
        return true;
    if (to->prefixes_count == to->prefixes_max) {
        size_t max = 2 * to->prefixes_max + 16;

        prefixes = cst_realloc(to->prefixes, max * sizeof(*prefixes));
        if (!prefixes)
            return false;
        to->prefixes = prefixes;
        to->prefixes_max = max;
    }
    to->prefixes[to->prefixes_count++] = prefix;
    return true;
}

static bool put_task(struct cst_page_spans *to, uint64_t id, int64_t *before)
{
    int64_t low = (int64_t)(id & UINT32_MAX);
    int64_t by = low - *before;
    size_t prefix;

    *before = low;
    return find_prefix(to, id, &prefix) && put(to, prefix) &&
           put(to, by < 0 ? 2 * (uint64_t)-by - 1 : 2 * (uint64_t)by);
}

/* It has so many within that who looks back does not find it. */
static void note_long(struct cst_page_track *track, const struct span *first,
                      size_t index, size_t left)
{
    const struct span *span = &first[index];

    if (left <= NEST_LOOK || track->long_count == CST_PAGE_LONG_MAX ||
        span[NEST_LOOK].place != span->place ||
        span[NEST_LOOK].begin_ns >= span->end_ns)
        return;
    track->longest[track->long_count++] = (uint32_t)index;
}

static bool write_track(struct spans *spans, size_t first, size_t count)
{
    struct cst_page_spans *to = spans->to;
    const struct span *list = &spans->list[first];
    struct cst_page_track *track = &to->tracks[list[0].place];
    uint64_t last = 0;
    int64_t before = 0;

    track->count = count;
    for (size_t i = 0; i < count; i++) {
        const struct span *span = &list[i];

        if (!put(to, span->begin_ns - last) ||
            !put(to, span->end_ns - span->begin_ns) ||
            !put(to, (uint64_t)span->kind << 2 | span->type) ||
            ((span->type == BODY || span->type == BAD_BODY) &&
             !put_task(to, span->id, &before)))
            return false;
        last = span->begin_ns;
        note_long(track, list, i, count - i);
    }
    return true;
}

static bool write_tracks(struct spans *spans)
{
    size_t count;

    for (size_t i = 0; i < spans->count; i += count) {
        count = 1;
        while (i + count < spans->count &&
               spans->list[i + count].place == spans->list[i].place)
            count++;
        if (!write_track(spans, i, count))
            return false;
    }
    spans->to->count = spans->count;
    return true;
}

enum castell_status cst_page_spans_create(const struct cst_history *history,
                                          struct cst_page_spans *ret_spans)
{
    struct spans spans = {.history = history, .to = ret_spans};
    uint64_t threshold = THRESHOLD_NS;
    bool good;

    memset(ret_spans, 0, sizeof(*ret_spans));
    good = place_tracks(&spans) && collect(&spans);
    for (; good && spans.count > SPANS_MAX && threshold < history->total_ns;
         threshold *= 2)
        merge(&spans, threshold);
    good = good && write_tracks(&spans);
    cst_free(spans.list);
    cst_free(spans.places);
    return good ? CASTELL_OK
                : cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for the page");
}

void cst_page_spans_release(struct cst_page_spans *spans)
{
    cst_free(spans->bytes);
    cst_free(spans->tracks);
    cst_free(spans->prefixes);
}

void cst_page_spans_write(const struct cst_page_spans *spans, FILE *to)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < spans->bytes_count; i += BASE64_IN) {
        size_t left = spans->bytes_count - i;
        uint32_t bits = (uint32_t)spans->bytes[i] << 16;
        char text[4] = "====";

        if (left > 1)
            bits |= (uint32_t)spans->bytes[i + 1] << 8;
        if (left > 2)
            bits |= spans->bytes[i + 2];
        for (size_t j = 0; j < 4 && j <= left; j++)
            text[j] = digits[bits >> (18 - 6 * j) & 63];
        (void)fwrite(text, 1, sizeof(text), to);
    }
    (void)fputc('\n', to);
}
