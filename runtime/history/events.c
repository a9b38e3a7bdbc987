/*
 * The events of one file. What began on a track and has not ended is on a
 * stack, one for each track, for a body that waits runs other tasks meanwhile.
 * Where events were lost the stack is put right by the tasks' numbers.
 */
#include "base/memory.h"
#include "history/pass.h"

#include <string.h>

enum { NODE_BITS = 16 };

/* ---- Spans -------------------------------------------------------------- */

static bool push(struct cst_history_pass *pass,
                 const struct cst_trace_record *record, uint32_t index)
{
    struct cst_history_stack *stack = pass->stack;

    if (!cst_history_reserve(&stack->spans, stack->spans_count,
                             &stack->spans_max, sizeof(*stack->spans)))
        return false;
    stack->spans[stack->spans_count++] = (struct cst_history_open){
        .event = (enum cst_trace_event)record->event,
        .index = index,
        .id = record->task,
        .begin_ns = pass->ns,
    };
    return true;
}

/* The innermost span of a track ends now. */
static void pop(struct cst_history *history, struct cst_history_stack *stack,
                const int32_t *result)
{
    struct cst_history_open *span = &stack->spans[--stack->spans_count];

    if (stack->spans_count > 0)
        stack->spans[stack->spans_count - 1].inner_ns +=
            stack->last_ns - span->begin_ns;
    if (span->event == CST_TRACE_STARTED) {
        struct cst_history_attempt *attempt = &history->attempts[span->index];

        attempt->ended_ns = stack->last_ns;
        attempt->inner_ns = span->inner_ns;
        attempt->ended = result != NULL;
        attempt->result = result ? *result : 0;
    } else {
        history->spans[span->index].end_ns = stack->last_ns;
    }
}

static bool started(struct cst_history_pass *pass,
                    const struct cst_trace_record *record)
{
    struct cst_history *history = pass->history;
    uint32_t task = cst_history_task_of(history, record->task);
    struct cst_history_attempt *attempt;

    if (task == CST_HISTORY_NONE)
        return false;
    if (history->tasks[task].kind == CST_HISTORY_NONE)
        history->tasks[task].kind = cst_history_kind_at(pass, record->kind);
    attempt = CST_HISTORY_PUSH(history, attempts);
    if (!attempt)
        return false;
    *attempt = (struct cst_history_attempt){
        .assigned_ns = CST_HISTORY_NEVER,
        .ready_ns = CST_HISTORY_NEVER,
        .started_ns = pass->ns,
        .ended_ns = pass->ns,
        .task = task,
        .track = pass->track,
        .next = CST_HISTORY_NONE,
        .cores = 1,
        .cause = CST_HISTORY_NONE,
        .number = record->value,
        .inside = pass->stack->spans_count > 0 &&
                  pass->stack->spans[pass->stack->spans_count - 1].event ==
                      CST_TRACE_STARTED,
    };
    pass->stack->held = (uint32_t)history->attempts_count - 1;
    return push(pass, record, pass->stack->held);
}

static bool begin_span(struct cst_history_pass *pass,
                       const struct cst_trace_record *record)
{
    struct cst_history *history = pass->history;
    struct cst_history_span *span = CST_HISTORY_PUSH(history, spans);
    uint32_t task = CST_HISTORY_NONE;

    if (!span)
        return false;
    if (record->task != 0) {
        task = cst_history_task_of(history, record->task);
        if (task == CST_HISTORY_NONE)
            return false;
    }
    *span = (struct cst_history_span){
        .begin_ns = pass->ns,
        .end_ns = pass->ns,
        .track = pass->track,
        .task = task,
        .kind = record->event == CST_TRACE_WAIT_BEGIN ? CST_HISTORY_WAIT
                                                      : CST_HISTORY_IDLE,
    };
    return push(pass, record, (uint32_t)history->spans_count - 1);
}

/* End a span, and those within it whose own end was lost. */
static void end_span(struct cst_history_pass *pass,
                     const struct cst_trace_record *record,
                     enum cst_trace_event begin)
{
    struct cst_history_stack *stack = pass->stack;
    int32_t result = record->value;
    size_t at = stack->spans_count;

    while (at > 0 && (stack->spans[at - 1].event != begin ||
                      stack->spans[at - 1].id != record->task))
        at--;
    if (at == 0)
        return; /* its beginning was lost */
    while (stack->spans_count > at)
        pop(pass->history, stack, NULL);
    pop(pass->history, stack, &result);
}

/* ---- Other events --------------------------------------------------------- */

static bool ready(struct cst_history_pass *pass,
                  const struct cst_trace_record *record)
{
    uint32_t task = cst_history_task_of(pass->history, record->task);
    struct cst_history_ready *entry;

    if (task == CST_HISTORY_NONE)
        return false;
    entry = CST_HISTORY_PUSH(pass->loader, ready);
    if (!entry)
        return false;
    *entry = (struct cst_history_ready){pass->ns, task, pass->file->node,
                                        CST_HISTORY_NONE};
    return true;
}

static bool assigned(struct cst_history_pass *pass,
                     const struct cst_trace_record *record)
{
    struct cst_history *history = pass->history;
    struct cst_history_assignment *assignment;
    uint32_t task = cst_history_task_of(history, record->task);
    uint32_t node = cst_history_node_of(history, (uint16_t)record->value);

    if (task == CST_HISTORY_NONE || node == CST_HISTORY_NONE)
        return false;
    assignment = CST_HISTORY_PUSH(history, assignments);
    if (!assignment)
        return false;
    *assignment = (struct cst_history_assignment){
        pass->ns, task, node, record->value >> NODE_BITS, CST_HISTORY_SENT};
    return true;
}

/* Why it was sent once more: that stands right behind. */
static void again(struct cst_history_pass *pass,
                  const struct cst_trace_record *record)
{
    struct cst_history *history = pass->history;
    struct cst_history_assignment *last =
        history->assignments_count > 0
            ? &history->assignments[history->assignments_count - 1]
            : NULL;
    bool retried = record->event == CST_TRACE_RETRIED;

    history->nodes[pass->file->node].retried += retried;
    if (last && history->tasks[last->task].id == record->task)
        last->reason = retried ? CST_HISTORY_RETRY : CST_HISTORY_RECOMPUTED;
}

static bool done(struct cst_history_pass *pass,
                 const struct cst_trace_record *record)
{
    struct cst_history *history = pass->history;
    uint32_t task = cst_history_task_of(history, record->task);
    uint32_t node = cst_history_node_of(history, (uint16_t)record->value);
    struct cst_history_done *entry;

    if (task == CST_HISTORY_NONE || node == CST_HISTORY_NONE)
        return false;
    entry = CST_HISTORY_PUSH(pass->loader, dones);
    if (!entry)
        return false;
    *entry = (struct cst_history_done){
        pass->ns, task, node, record->value >> NODE_BITS, record->kind != 0};
    return true;
}

static bool transfer(struct cst_history_pass *pass,
                     const struct cst_trace_record *record)
{
    struct cst_history *history = pass->history;
    struct cst_history_transfer *came;
    uint32_t from =
        cst_history_node_of(history, (uint32_t)(uint16_t)record->value);

    if (from == CST_HISTORY_NONE)
        return false;
    came = CST_HISTORY_PUSH(history, transfers);
    if (!came)
        return false;
    *came = (struct cst_history_transfer){.begin_ns = pass->ns,
                                          .end_ns = pass->ns,
                                          .version = record->task,
                                          .from = from,
                                          .to = pass->file->node};
    pass->stack->came = (uint32_t)history->transfers_count - 1;
    pass->stack->came_ready = pass->loader->ready_count;
    pass->stack->sized = pass->stack->came;
    return true;
}

/* What became ready since data came on this track waited for them. */
static void fired(struct cst_history_pass *pass)
{
    struct cst_history_stack *stack = pass->stack;

    if (stack->came == CST_HISTORY_NONE)
        return;
    for (size_t i = stack->came_ready; i < pass->loader->ready_count; i++)
        pass->loader->ready[i].cause = stack->came;
    stack->came = CST_HISTORY_NONE;
}

static bool node_event(struct cst_history_pass *pass,
                       const struct cst_trace_record *record)
{
    struct cst_history *history = pass->history;
    uint32_t index =
        cst_history_node_of(history, (uint32_t)(uint16_t)record->task);
    struct cst_history_node *node;

    if (index == CST_HISTORY_NONE)
        return false;
    node = &history->nodes[index];
    if (record->event == CST_TRACE_NODE_JOINED) {
        if (node->cores == 0 && record->value > 0 &&
            record->value <= CST_HISTORY_CORES_MAX)
            node->cores = (uint32_t)record->value;
        node->joined_ns = pass->ns;
        return true;
    }
    node->gone = record->value;
    node->gone_ns = pass->ns;
    return true;
}

static bool mark_task(struct cst_history_pass *pass,
                      const struct cst_trace_record *record)
{
    uint32_t task = cst_history_task_of(pass->history, record->task);

    if (task == CST_HISTORY_NONE)
        return false;
    pass->history->tasks[task].outcome_ns = pass->ns;
    pass->history->tasks[task].flags |= record->event == CST_TRACE_FAILED
                                            ? CST_HISTORY_FAILED
                                            : CST_HISTORY_CANCELLED;
    return true;
}

static bool take(struct cst_history_pass *pass,
                 const struct cst_trace_record *record)
{
    switch ((enum cst_trace_event)record->event) {
    case CST_TRACE_SUBMITTED:
        return cst_history_submitted(pass, record);
    case CST_TRACE_MORE:
        return cst_history_tell(pass, record);
    case CST_TRACE_READY:
        return ready(pass, record);
    case CST_TRACE_STARTED:
        return started(pass, record);
    case CST_TRACE_WAIT_BEGIN:
    case CST_TRACE_IDLE_BEGIN:
        return begin_span(pass, record);
    case CST_TRACE_ENDED:
        end_span(pass, record, CST_TRACE_STARTED);
        return true;
    case CST_TRACE_WAIT_END:
        end_span(pass, record, CST_TRACE_WAIT_BEGIN);
        return true;
    case CST_TRACE_IDLE_END:
        end_span(pass, record, CST_TRACE_IDLE_BEGIN);
        return true;
    case CST_TRACE_FAILED:
    case CST_TRACE_CANCELLED:
        return mark_task(pass, record);
    case CST_TRACE_ASSIGNED:
        return assigned(pass, record);
    case CST_TRACE_TRANSFER:
        return transfer(pass, record);
    case CST_TRACE_FIRED:
        fired(pass);
        return true;
    case CST_TRACE_NODE_JOINED:
    case CST_TRACE_NODE_GONE:
        return node_event(pass, record);
    case CST_TRACE_DONE:
        return done(pass, record);
    case CST_TRACE_RETRIED:
    case CST_TRACE_RECOMPUTED:
        again(pass, record);
        return true;
    case CST_TRACE_COPY_IN:
    case CST_TRACE_COPY_OUT:
    case CST_TRACE_COPY_PEER:
    case CST_TRACE_KERNEL:
    case CST_TRACE_DEVICE_MEMORY:
        return cst_history_on_device(pass, record);
    case CST_TRACE_MARK:
    case CST_TRACE_EVENTS_END:
    case CST_TRACE_PARENT:
    case CST_TRACE_ACCESS:
    case CST_TRACE_PITCH:
    case CST_TRACE_HOLDS:
    case CST_TRACE_SIZE:
    case CST_TRACE_BEGAN:
        break;
    }
    return true;
}

static bool take_chunk(struct cst_history_pass *pass)
{
    const struct cst_history_reader *reader = &pass->file->reader;
    const struct cst_history_content *content = &pass->file->content;
    size_t number = reader->chunk.track;
    const char *at = reader->body;

    if (number >= content->tracks_count || !content->tracks[number].known)
        return true;
    pass->stack = &pass->stacks[number];
    pass->track = pass->file->tracks[number];
    for (size_t left = reader->chunk.size / sizeof(struct cst_trace_record);
         left > 0; left--) {
        struct cst_trace_record record;
        bool good;

        memcpy(&record, at, sizeof(record));
        at += sizeof(record);
        if (record.event >= CST_TRACE_PARENT) {
            good = cst_history_go_on(pass, &record);
        } else {
            pass->ns = cst_history_time(pass->loader, pass->file, record.ticks);
            if (pass->ns < pass->stack->last_ns)
                pass->ns = pass->stack->last_ns;
            pass->stack->last_ns = pass->ns;
            pass->stack->held = pass->stack->sized = CST_HISTORY_NONE;
            pass->stack->copied = pass->stack->ran = CST_HISTORY_NONE;
            good = take(pass, &record);
        }
        if (!good)
            return false;
    }
    return true;
}

/* ---- Texts and memory ------------------------------------------------------ */

static bool take_text(struct cst_history_pass *pass)
{
    const struct cst_history_reader *reader = &pass->file->reader;
    struct cst_history *history = pass->history;
    size_t size = reader->chunk.size - sizeof(struct cst_trace_text);
    struct cst_trace_text head;
    struct cst_history_text *text;
    char *bytes = cst_zalloc(size + 1);

    memcpy(&head, reader->body, sizeof(head));
    text = bytes ? CST_HISTORY_PUSH(history, texts) : NULL;
    if (!text) {
        cst_free(bytes);
        return false;
    }
    memcpy(bytes, (const char *)reader->body + sizeof(head), size);
    *text = (struct cst_history_text){
        .ns = cst_history_time(pass->loader, pass->file, head.ticks),
        .event = head.event,
        .node = pass->file->node,
        .track = head.track < pass->file->content.tracks_count
                     ? pass->file->tracks[head.track]
                     : CST_HISTORY_NONE,
        .task = CST_HISTORY_NONE,
        .text = bytes,
    };
    if (head.event == CST_TRACE_NODE_GONE) {
        text->node = cst_history_node_of(history, (uint16_t)head.subject);
        return text->node != CST_HISTORY_NONE;
    }
    if (head.subject != 0)
        text->task = cst_history_task_of(history, head.subject);
    return head.subject == 0 || text->task != CST_HISTORY_NONE;
}

static bool take_memory(struct cst_history_pass *pass)
{
    struct cst_history_memory *memory = CST_HISTORY_PUSH(pass->history, memory);
    struct cst_trace_memory from;

    if (!memory)
        return false;
    memcpy(&from, pass->file->reader.body, sizeof(from));
    *memory = (struct cst_history_memory){
        cst_history_time(pass->loader, pass->file, from.ticks), from.resident,
        pass->file->node, CST_HISTORY_NONE};
    return true;
}

static bool take_any(struct cst_history_pass *pass)
{
    uint16_t type = pass->file->reader.chunk.type;

    if (type == CST_TRACE_CHUNK_EVENTS)
        return take_chunk(pass);
    if (type == CST_TRACE_CHUNK_TEXT)
        return take_text(pass);
    if (type == CST_TRACE_CHUNK_MEMORY)
        return take_memory(pass);
    return cst_history_beside(pass);
}

/* ---- All of it --------------------------------------------------------------- */

static enum castell_status read_all(struct cst_history_pass *pass)
{
    cst_history_reader_rewind(&pass->file->reader);
    for (;;) {
        bool more;
        enum castell_status status =
            cst_history_reader_next(&pass->file->reader, &more);

        if (status < 0 || !more)
            return status;
        if (!take_any(pass))
            return cst_history_no_memory();
    }
}

/* What has no end ended, as far as is known, when its process was last seen. */
static void end_all(struct cst_history_pass *pass)
{
    const struct cst_history_content *content = &pass->file->content;
    uint64_t last =
        cst_history_time(pass->loader, pass->file, content->last.ticks);
    struct cst_history_node *node = &pass->history->nodes[pass->file->node];

    for (size_t i = 0; i < content->tracks_count; i++)
        if (pass->stacks[i].last_ns > last)
            last = pass->stacks[i].last_ns;
    node->begin_ns =
        cst_history_time(pass->loader, pass->file, content->first.ticks);
    node->end_ns = last;
    if (last > pass->history->total_ns)
        pass->history->total_ns = last;
    for (size_t i = 0; i < content->tracks_count; i++) {
        pass->stack = &pass->stacks[i];
        cst_history_end_told(pass);
        pass->stack->last_ns = last;
        while (pass->stack->spans_count > 0)
            pop(pass->history, pass->stack, NULL);
    }
}

enum castell_status cst_history_read_events(struct cst_history_loader *loader,
                                            struct cst_history_file *file)
{
    size_t tracks = file->content.tracks_count;
    struct cst_history_pass pass = {
        .loader = loader, .history = loader->history, .file = file};
    enum castell_status status;

    pass.stacks = cst_zalloc((tracks + 1) * sizeof(*pass.stacks));
    if (!pass.stacks)
        return cst_history_no_memory();
    for (size_t i = 0; i < tracks; i++)
        pass.stacks[i].told = pass.stacks[i].came = pass.stacks[i].sized =
            pass.stacks[i].held = pass.stacks[i].pitched =
                pass.stacks[i].copied = pass.stacks[i].ran = CST_HISTORY_NONE;
    status = read_all(&pass);
    if (status == CASTELL_OK)
        end_all(&pass);
    for (size_t i = 0; i < tracks; i++)
        cst_free(pass.stacks[i].spans);
    cst_free(pass.stacks);
    return status;
}
