#include "sched/recall.h"

#include "base/fail.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The text: a line that says what it is; a line for each size class of each
 * implementation, with the hash of its names, the class, how many durations
 * were ever taken, and the last of them, oldest first; and a hash of all that.
 */
static const char title[] = "castell measures 1\n";

enum { LINE_SIZE = 320, RECORDS_MAX = 1 << 16 };

struct record {
    uint64_t who;
    uint32_t class;
    uint32_t count; /* samples that are there */
    uint64_t sample[CST_SAMPLES];
};

struct cst_recall {
    struct record *records;
    size_t count;
};

/* FNV-1a. */
static uint64_t hash_more(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *byte = bytes;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ byte[i]) * 1099511628211u;
    return hash;
}

static uint64_t hash(const void *bytes, size_t size)
{
    return hash_more(14695981039346656037u, bytes, size);
}

static uint64_t who(const struct cst_kind *kind,
                    const struct cst_choice *choice)
{
    const char *name = choice->name ? choice->name : "";
    uint32_t device = (uint32_t)choice->device;
    uint64_t made = hash(kind->name, strlen(kind->name) + 1);

    made = hash_more(made, name, strlen(name) + 1);
    return hash_more(made, &device, sizeof(device));
}

/* ---- Reading -------------------------------------------------------------- */

/* The number at *at, which goes on behind it and the character after it. */
static bool take(const char **at, int base, uint64_t *ret_number)
{
    char *end;

    if (**at == ' ' || **at == '-' || **at == '+')
        return false;
    *ret_number = strtoull(*at, &end, base);
    if (end == *at || (*end != ' ' && *end != '\n'))
        return false;
    *at = end + 1;
    return true;
}

static bool read_record(const char **at, struct record *ret_record)
{
    struct record record = {0};
    uint64_t class;
    uint64_t count;

    if (!take(at, 16, &record.who) || !take(at, 10, &class) ||
        class >= CST_SIZE_CLASSES || !take(at, 10, &count) || count == 0 ||
        count > CST_SAMPLES)
        return false;
    record.class = (uint32_t) class;
    record.count = (uint32_t)count;
    for (uint32_t i = 0; i < record.count; i++)
        if (!take(at, 10, &record.sample[i]) || record.sample[i] == 0)
            return false;
    *ret_record = record;
    return (*at)[-1] == '\n';
}

/* Is it whole? Where its records end, or NULL. */
static const char *check_text(const char *text, size_t size)
{
    const char *last = NULL;
    const char *at;
    uint64_t sum;

    if (size < sizeof(title) || text[size] != '\0' || strlen(text) != size ||
        memcmp(text, title, sizeof(title) - 1) != 0 || text[size - 1] != '\n')
        return NULL;
    for (size_t i = size - 1; i > 0 && !last; i--)
        if (text[i - 1] == '\n')
            last = text + i;
    at = last;
    if (!last || !take(&at, 16, &sum) || *at != '\0' ||
        sum != hash(text, (size_t)(last - text)))
        return NULL;
    return last;
}

static bool read_all(const char *at, const char *end, struct cst_recall *recall)
{
    size_t lines = 0;

    for (const char *line = at; line < end; line = strchr(line, '\n') + 1)
        lines++;
    if (lines == 0 || lines > RECORDS_MAX)
        return false;
    recall->records = cst_zalloc(lines * sizeof(*recall->records));
    if (!recall->records)
        return false;
    while (recall->count < lines)
        if (!read_record(&at, &recall->records[recall->count++]))
            return false;
    return at == end;
}

bool cst_recall_read(struct cst_kinds *kinds, const char *text, size_t size)
{
    struct cst_recall *recall = cst_zalloc(sizeof(*recall));
    char *copy = cst_alloc(size + 1);
    const char *end = NULL;
    bool good = false;

    if (recall && copy) {
        memcpy(copy, text, size);
        copy[size] = '\0';
        end = check_text(copy, size);
        good = end && read_all(copy + sizeof(title) - 1, end, recall);
    }
    cst_free(copy);
    if (!good) {
        cst_recall_destroy(recall);
        return false;
    }
    cst_recall_destroy(cst_kinds_recall(kinds, recall));
    return true;
}

void cst_recall_seed(const struct cst_recall *recall,
                     const struct cst_kind *kind, struct cst_choice *choice)
{
    uint64_t name = who(kind, choice);

    for (size_t i = 0; recall && i < recall->count; i++) {
        const struct record *record = &recall->records[i];
        struct cst_measure *measure = &choice->measures[record->class];

        if (record->who != name)
            continue;
        memcpy(measure->sample, record->sample, sizeof(measure->sample));
        measure->count = record->count;
        cst_measure_settle(measure);
    }
}

void cst_recall_destroy(struct cst_recall *recall)
{
    if (!recall)
        return;
    cst_free(recall->records);
    cst_free(recall);
}

/* ---- Writing -------------------------------------------------------------- */

static size_t write_measure(char *text, uint64_t name, uint32_t class,
                            const struct cst_measure *measure)
{
    uint32_t count =
        measure->count < CST_SAMPLES ? measure->count : CST_SAMPLES;
    size_t size = (size_t)snprintf(text, LINE_SIZE, "%016" PRIx64 " %u %u",
                                   name, class, count);

    for (uint32_t i = measure->count - count; i < measure->count; i++)
        size += (size_t)snprintf(text + size, LINE_SIZE - size, " %" PRIu64,
                                 measure->sample[i % CST_SAMPLES]);
    text[size++] = '\n';
    return size;
}

/* The lines of a kind, at text unless that is NULL; how many bytes at most. */
static size_t write_kind(char *text, const struct cst_kind *kind)
{
    uint32_t choices = atomic_load(&kind->choices_count);
    size_t size = 0;

    for (uint32_t i = 0; choices > 1 && i < choices; i++)
        for (uint32_t class = 0; class < CST_SIZE_CLASSES; class ++) {
            const struct cst_measure *measure =
                &kind->choices[i].measures[class];

            if (measure->count == 0)
                continue;
            size +=
                text ? write_measure(text + size, who(kind, &kind->choices[i]),
                                     class, measure)
                     : LINE_SIZE;
        }
    return size;
}

char *cst_recall_text(struct cst_kinds *kinds, size_t *ret_size)
{
    const struct cst_kind *kind;
    size_t room = 0;
    size_t size = sizeof(title) - 1;
    char *text;

    for (uint32_t i = 0; (kind = cst_kinds_at(kinds, i)) != NULL; i++)
        room += write_kind(NULL, kind);
    text = room > 0 ? cst_alloc(size + room + LINE_SIZE) : NULL;
    if (!text)
        return NULL;
    memcpy(text, title, size);
    for (uint32_t i = 0; (kind = cst_kinds_at(kinds, i)) != NULL; i++)
        size += write_kind(text + size, kind);
    size += (size_t)snprintf(text + size, LINE_SIZE, "%016" PRIx64 "\n",
                             hash(text, size));
    *ret_size = size;
    return text;
}
