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

/* A wait's kind is 0; what a device did is a wait with one of these, and a number
   behind it: bytes. */
enum span_type { BODY = 0, BAD_BODY = 1, WAIT = 2, MANY = 3 };
enum { NO_DEVICE = 0, KERNEL, TO_DEVICE, TO_MAIN, BETWEEN };

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
    struct cst_page_prefixes *prefixes;
    struct span *list;
    size_t count;
    uint32_t *places; /* of each track, or NONE */
    uint32_t *rows;   /* of each device, CST_PAGE_ROWS */
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

/* What a device did is behind its node's executors. */
static void place_devices(struct spans *spans, uint32_t node)
{
    const struct cst_history *history = spans->history;

    for (uint32_t i = 0; i < history->devices_count; i++)
        for (int row = CST_PAGE_KERNELS;
             history->devices[i].node == node && row < CST_PAGE_ROWS; row++) {
            struct cst_page_track *track =
                &spans->to->tracks[spans->to->tracks_count];

            spans->rows[(size_t)i * CST_PAGE_ROWS + (size_t)row] =
                (uint32_t)spans->to->tracks_count++;
            track->track = CST_HISTORY_NONE;
            track->device = i;
            track->row = (enum cst_page_row)row;
        }
}

/* Executors by node and number, then other threads; empty ones not at all. */
static bool place_tracks(struct spans *spans)
{
    const struct cst_history *history = spans->history;
    size_t tracks = history->tracks_count;
    bool *used = cst_zalloc(tracks + 1);

    spans->places = cst_alloc((tracks + 1) * sizeof(*spans->places));
    spans->rows = cst_zalloc((history->devices_count + 1) * CST_PAGE_ROWS *
                             sizeof(*spans->rows));
    spans->to->tracks =
        cst_zalloc((tracks + history->devices_count * CST_PAGE_ROWS + 1) *
                   sizeof(*spans->to->tracks));
    if (!used || !spans->places || !spans->rows || !spans->to->tracks) {
        cst_free(used);
        return false;
    }
    for (size_t i = 0; i < history->attempts_count; i++)
        used[history->attempts[i].track] = true;
    for (size_t i = 0; i < tracks; i++)
        if (history->tracks[i].executor != CST_HISTORY_NONE)
            used[i] = true;
    for (uint32_t node = 0; node < history->nodes_count; node++) {
        for (int others = 0; others < 2; others++)
            for (uint32_t number = 0; number < tracks; number++)
                for (uint32_t i = 0; i < tracks; i++) {
                    const struct cst_history_track *track = &history->tracks[i];

                    if (track->node != node || track->number != number ||
                        !used[i] ||
                        (track->executor == CST_HISTORY_NONE) != others)
                        continue;
                    spans->places[i] = (uint32_t)spans->to->tracks_count;
                    spans->to->tracks[spans->to->tracks_count].device =
                        track->device;
                    spans->to->tracks[spans->to->tracks_count++].track = i;
                }
        place_devices(spans, node);
    }
    for (size_t i = 0; i < tracks; i++)
        if (!used[i])
            spans->places[i] = CST_HISTORY_NONE;
    cst_free(used);
    return true;
}

static void collect_devices(struct spans *spans)
{
    static const uint32_t kinds[] = {
        [CST_HISTORY_TO_DEVICE] = TO_DEVICE,
        [CST_HISTORY_TO_MAIN] = TO_MAIN,
        [CST_HISTORY_BETWEEN] = BETWEEN,
    };
    const struct cst_history *history = spans->history;

    for (size_t i = 0; i < history->copies_count; i++) {
        const struct cst_history_copy *copy = &history->copies[i];
        enum cst_page_row row =
            copy->way == CST_HISTORY_TO_MAIN ? CST_PAGE_OUT : CST_PAGE_IN;

        spans->list[spans->count++] = (struct span){
            copy->begin_ns,
            copy->end_ns,
            copy->bytes,
            spans->rows[copy->device * (size_t)CST_PAGE_ROWS + row],
            kinds[copy->way],
            WAIT};
    }
    for (size_t i = 0; i < history->kernels_count; i++) {
        const struct cst_history_kernel *kernel = &history->kernels[i];

        spans->list[spans->count++] =
            (struct span){kernel->begin_ns,
                          kernel->end_ns,
                          0,
                          spans->rows[kernel->device * (size_t)CST_PAGE_ROWS +
                                      CST_PAGE_KERNELS],
                          KERNEL,
                          WAIT};
    }
}

static bool collect(struct spans *spans)
{
    const struct cst_history *history = spans->history;

    spans->list =
        cst_alloc((history->attempts_count + history->spans_count +
                   history->copies_count + history->kernels_count + 1) *
                  sizeof(*spans->list));
    if (!spans->list)
        return false;
    for (size_t i = 0; i < history->attempts_count; i++) {
        const struct cst_history_attempt *attempt = &history->attempts[i];

        spans->list[spans->count++] = (struct span){
            attempt->started_ns,
            attempt->ended_ns,
            history->tasks[attempt->task].id,
            spans->places[attempt->track],
            cst_page_kind(history, history->tasks[attempt->task].kind),
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
    collect_devices(spans);
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

bool cst_page_put(struct cst_page_bytes *bytes, uint64_t number)
{
    if (bytes->max - bytes->count < 16) {
        size_t max = bytes->max > 0 ? 2 * bytes->max : 1 << 16;
        uint8_t *at = cst_realloc(bytes->at, max);

        if (!at)
            return false;
        bytes->at = at;
        bytes->max = max;
    }
    for (; number > 127; number >>= 7)
        bytes->at[bytes->count++] = (uint8_t)(number & 127) | 128;
    bytes->at[bytes->count++] = (uint8_t)number;
    return true;
}

bool cst_page_put_signed(struct cst_page_bytes *bytes, int64_t number)
{
    return cst_page_put(bytes, number < 0 ? 2 * (uint64_t)-number - 1
                                          : 2 * (uint64_t)number);
}

static bool find_prefix(struct cst_page_prefixes *prefixes, uint64_t id,
                        size_t *ret_index)
{
    uint64_t prefix = id >> LOW_BITS << LOW_BITS;
    uint64_t *at;
    size_t i = 0;

    while (i < prefixes->count && prefixes->at[i] != prefix)
        i++;
    *ret_index = i;
    if (i < prefixes->count)
        return true;
    if (prefixes->count == prefixes->max) {
        size_t max = 2 * prefixes->max + 16;

        at = cst_realloc(prefixes->at, max * sizeof(*at));
        if (!at)
            return false;
        prefixes->at = at;
        prefixes->max = max;
    }
    prefixes->at[prefixes->count++] = prefix;
    return true;
}

bool cst_page_put_task(struct cst_page_bytes *bytes,
                       struct cst_page_prefixes *prefixes, uint64_t id,
                       int64_t *before)
{
    int64_t low = (int64_t)(id & UINT32_MAX);
    int64_t by = low - *before;
    size_t prefix;

    *before = low;
    return find_prefix(prefixes, id, &prefix) && cst_page_put(bytes, prefix) &&
           cst_page_put_signed(bytes, by);
}

void cst_page_write_bytes(const struct cst_page_bytes *bytes, FILE *to)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < bytes->count; i += BASE64_IN) {
        size_t left = bytes->count - i;
        uint32_t bits = (uint32_t)bytes->at[i] << 16;
        char text[4] = "====";

        if (left > 1)
            bits |= (uint32_t)bytes->at[i + 1] << 8;
        if (left > 2)
            bits |= bytes->at[i + 2];
        for (size_t j = 0; j < 4 && j <= left; j++)
            text[j] = digits[bits >> (18 - 6 * j) & 63];
        (void)fwrite(text, 1, sizeof(text), to);
    }
    (void)fputc('\n', to);
}

/* ---- Tracks ---------------------------------------------------------------------- */

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
    struct cst_page_bytes *bytes = &to->bytes;
    const struct span *list = &spans->list[first];
    struct cst_page_track *track = &to->tracks[list[0].place];
    uint64_t last = 0;
    int64_t before = 0;

    track->count = count;
    for (size_t i = 0; i < count; i++) {
        const struct span *span = &list[i];

        if (!cst_page_put(bytes, span->begin_ns - last) ||
            !cst_page_put(bytes, span->end_ns - span->begin_ns) ||
            !cst_page_put(bytes, (uint64_t)span->kind << 2 | span->type) ||
            ((span->type == BODY || span->type == BAD_BODY) &&
             !cst_page_put_task(bytes, spans->prefixes, span->id, &before)) ||
            (span->type == WAIT && span->kind != NO_DEVICE &&
             !cst_page_put(bytes, span->id)))
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
                                          struct cst_page_prefixes *prefixes,
                                          struct cst_page_spans *ret_spans)
{
    struct spans spans = {
        .history = history, .to = ret_spans, .prefixes = prefixes};
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
    cst_free(spans.rows);
    return good ? CASTELL_OK
                : cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for the page");
}

void cst_page_spans_release(struct cst_page_spans *spans)
{
    cst_free(spans->bytes.at);
    cst_free(spans->tracks);
}
