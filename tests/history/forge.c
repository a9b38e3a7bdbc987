#include "history/forge.h"

#include "harness/tap.h"
#include "trace/world.h"

#include <stdlib.h>
#include <string.h>

/* The clock of a process begins somewhere. */
enum { SINCE = 1000000000, ROW = 64, GROUP_MAX = 16 };

/* An event, with what goes with it. */
struct forge_group {
    uint32_t track;
    size_t order;
    size_t count;
    struct cst_trace_record records[GROUP_MAX];
};

static uint64_t shown(const struct forge *forge, uint64_t ns)
{
    return (uint64_t)(SINCE + (double)ns * (1 + forge->drift) + forge->offset);
}

static void put(struct forge *forge, const void *bytes, size_t size)
{
    if (size > 0 && fwrite(bytes, size, 1, forge->file) != 1)
        tap_bail("a trace cannot be written");
}

static void chunk(struct forge *forge, enum cst_trace_chunk_type type,
                  uint32_t track, uint64_t number, size_t size)
{
    const struct cst_trace_chunk head = {(uint16_t)type, (uint16_t)track,
                                         (uint32_t)size, number};

    put(forge, &head, sizeof(head));
}

static void moment(struct forge *forge, enum cst_trace_chunk_type type,
                   uint64_t ns)
{
    const struct cst_trace_moment now = {shown(forge, ns), shown(forge, ns),
                                         SINCE + ns};

    chunk(forge, type, 0, 0, sizeof(now));
    put(forge, &now, sizeof(now));
}

struct forge *forge_open(const char *directory, uint32_t number, uint32_t cores,
                         double offset, double drift)
{
    const struct cst_trace_header header = {CST_TRACE_MAGIC, CST_TRACE_VERSION,
                                            sizeof(struct cst_trace_record),
                                            number + 1};
    const struct cst_trace_node node = {number, cores, 1 << 20, 0};
    struct forge *forge = calloc(1, sizeof(*forge));
    char name[32];

    (void)snprintf(name, sizeof(name), "events-n%u-1.bin", number);
    if (forge)
        forge->file = fopen(world_path(directory, name), "we");
    if (!forge || !forge->file)
        tap_bail("no trace");
    forge->offset = offset;
    forge->drift = drift;
    put(forge, &header, sizeof(header));
    chunk(forge, CST_TRACE_CHUNK_HOST, 0, 0, 2);
    name[0] = 'n';
    name[1] = (char)('0' + number);
    put(forge, name, 2);
    moment(forge, CST_TRACE_CHUNK_CLOCK, 0);
    chunk(forge, CST_TRACE_CHUNK_NODE, 0, 0, sizeof(node) + 1);
    put(forge, &node, sizeof(node));
    put(forge, "r", 1);
    for (uint32_t i = 0; i < cores; i++)
        chunk(forge, CST_TRACE_CHUNK_TRACK, i, i, 0);
    forge_kind(forge, 0, "work");
    return forge;
}

static int compare_groups(const void *a_, const void *b_)
{
    const struct forge_group *a = a_, *b = b_;

    if (a->track != b->track)
        return a->track < b->track ? -1 : 1;
    if (a->records[0].ticks != b->records[0].ticks)
        return a->records[0].ticks < b->records[0].ticks ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

void forge_close(struct forge *forge, uint64_t ns)
{
    if (forge->groups_count > 0)
        qsort(forge->groups, forge->groups_count, sizeof(*forge->groups),
              compare_groups);
    for (size_t i = 0; i < forge->groups_count; i++) {
        const struct forge_group *group = &forge->groups[i];
        size_t size = group->count * sizeof(*group->records);

        chunk(forge, CST_TRACE_CHUNK_EVENTS, group->track, 0, size);
        put(forge, group->records, size);
    }
    if (ns != UINT64_MAX)
        moment(forge, CST_TRACE_CHUNK_END, ns);
    (void)fclose(forge->file);
    free(forge->groups);
    free(forge);
}

static void records(struct forge *forge, uint32_t track,
                    const struct cst_trace_record *list, size_t count)
{
    struct forge_group *group;

    if (forge->groups_count == forge->groups_max) {
        forge->groups_max = 2 * forge->groups_max + 64;
        forge->groups =
            realloc(forge->groups, forge->groups_max * sizeof(*forge->groups));
        if (!forge->groups)
            tap_bail("no memory");
    }
    if (count > GROUP_MAX)
        tap_bail("too many records in a group");
    group = &forge->groups[forge->groups_count];
    group->track = track;
    group->order = forge->groups_count++;
    group->count = count;
    memcpy(group->records, list, count * sizeof(*list));
}

void forge_event(struct forge *forge, uint32_t track, uint64_t ns,
                 enum cst_trace_event event, uint64_t task, int32_t value)
{
    const struct cst_trace_record record = {
        .ticks = shown(forge, ns),
        .task = task,
        .event = (uint16_t)event,
        .value = value,
    };

    records(forge, track, &record, 1);
}

void forge_kind(struct forge *forge, uint32_t kind, const char *name)
{
    chunk(forge, CST_TRACE_CHUNK_KIND, 0, kind, strlen(name));
    put(forge, name, strlen(name));
}

void forge_submit(struct forge *forge, uint64_t ns, uint64_t task,
                  const struct forge_access *accesses, int32_t count)
{
    struct cst_trace_record list[GROUP_MAX] = {{.ticks = shown(forge, ns),
                                                .task = task,
                                                .event = CST_TRACE_SUBMITTED,
                                                .value = count}};

    if (count >= GROUP_MAX)
        tap_bail("too many accesses");
    for (int32_t i = 0; i < count; i++)
        list[i + 1] = (struct cst_trace_record){
            .ticks = accesses[i].base,
            .task = ROW,
            .event = CST_TRACE_ACCESS,
            .kind = (uint16_t)accesses[i].mode,
            .value = 1,
        };
    records(forge, 0, list, (size_t)count + 1);
}

void forge_run(struct forge *forge, uint32_t track, uint64_t task,
               uint64_t ready, uint64_t started, uint64_t ended)
{
    forge_event(forge, track, ready, CST_TRACE_READY, task, 0);
    forge_event(forge, track, started, CST_TRACE_STARTED, task, 1);
    forge_event(forge, track, ended, CST_TRACE_ENDED, task, 0);
}

void forge_start(struct forge *forge, uint32_t track, uint64_t ns,
                 uint64_t task, uint64_t memory, int32_t cores)
{
    const struct cst_trace_record list[] = {
        {.ticks = shown(forge, ns),
         .task = task,
         .event = CST_TRACE_STARTED,
         .value = 1},
        {.ticks = memory, .event = CST_TRACE_HOLDS, .value = cores},
    };

    records(forge, track, list, 2);
}

void forge_transfer(struct forge *forge, uint32_t track, uint64_t begin,
                    uint64_t end, uint32_t from, uint64_t bytes)
{
    const struct cst_trace_record list[] = {
        {.ticks = shown(forge, end),
         .task = 1,
         .event = CST_TRACE_TRANSFER,
         .value = (int32_t)from},
        {.ticks = bytes, .task = end - begin, .event = CST_TRACE_SIZE},
    };

    records(forge, track, list, 2);
}

void forge_sync(struct forge *forge, uint64_t ns, uint64_t round, double wrong)
{
    const struct cst_trace_sync sync = {
        shown(forge, ns), (uint64_t)(SINCE + (double)ns + wrong), round};

    chunk(forge, CST_TRACE_CHUNK_SYNC, 0, 0, sizeof(sync));
    put(forge, &sync, sizeof(sync));
}

void forge_text(struct forge *forge, uint64_t ns, enum cst_trace_event event,
                uint64_t subject, const char *text)
{
    const struct cst_trace_text head = {shown(forge, ns), subject,
                                        (uint32_t)event, UINT32_MAX};

    chunk(forge, CST_TRACE_CHUNK_TEXT, 0, 0, sizeof(head) + strlen(text));
    put(forge, &head, sizeof(head));
    put(forge, text, strlen(text));
}

void forge_counters(struct forge *forge,
                    const struct cst_trace_counters *counters)
{
    chunk(forge, CST_TRACE_CHUNK_COUNTERS, 0, 0, sizeof(*counters));
    put(forge, counters, sizeof(*counters));
}

void forge_track(struct forge *forge, uint32_t track)
{
    chunk(forge, CST_TRACE_CHUNK_TRACK, track, track, 0);
}

void forge_device(struct forge *forge, uint32_t number, const char *name)
{
    const struct cst_trace_device device = {1 << 20, CASTELL_OPENCL, 4};

    chunk(forge, CST_TRACE_CHUNK_DEVICE, 0, number,
          sizeof(device) + strlen(name));
    put(forge, &device, sizeof(device));
    put(forge, name, strlen(name));
}

void forge_depot(struct forge *forge, const struct cst_trace_depot *depot)
{
    chunk(forge, CST_TRACE_CHUNK_DEPOT, 0, 0, sizeof(*depot));
    put(forge, depot, sizeof(*depot));
}

void forge_lasted(struct forge *forge, uint32_t track, struct forge_span span,
                  enum cst_trace_event what, uint64_t subject, int32_t value)
{
    const struct cst_trace_record list[] = {
        {.ticks = shown(forge, span.told),
         .task = subject,
         .event = (uint16_t)what,
         .value = value},
        {.ticks = what == CST_TRACE_KERNEL ? 0 : ROW,
         .task = span.end - span.begin,
         .event = CST_TRACE_SIZE},
        {.ticks = shown(forge, span.begin), .event = CST_TRACE_BEGAN},
    };

    records(forge, track, list, 3);
}

void forge_class(struct forge *forge, uint32_t class, const char *name)
{
    chunk(forge, CST_TRACE_CHUNK_CLASS, 0, class, strlen(name));
    put(forge, name, strlen(name));
}

void forge_request(struct forge *forge, uint64_t ns,
                   struct cst_trace_request request, const char *why)
{
    request.ticks = shown(forge, ns);
    chunk(forge, CST_TRACE_CHUNK_REQUEST, 0, 0, sizeof(request) + strlen(why));
    put(forge, &request, sizeof(request));
    put(forge, why, strlen(why));
}
