#include "trace/notes.h"

#include "base/memory.h"

#include <string.h>

enum { WAITING_MAX = 4 << 20, TEXT_MAX = 1 << 16 };

struct cst_trace_note {
    struct cst_trace_note *next;
    struct cst_trace_chunk chunk;
    char body[];
};

void cst_trace_notes_init(struct cst_trace_notes *notes)
{
    cst_lock_init(&notes->lock, CST_RANK_TRACE, "notes of a trace");
}

void cst_trace_notes_release(struct cst_trace_notes *notes)
{
    while (notes->first) {
        struct cst_trace_note *next = notes->first->next;

        cst_free(notes->first);
        notes->first = next;
    }
    cst_lock_release(&notes->lock);
}

bool cst_trace_notes_add(struct cst_trace_notes *notes,
                         struct cst_trace_chunk chunk, const void *head,
                         size_t head_size, const char *text) CST_UNCHECKED
{
    size_t text_size = text ? strnlen(text, TEXT_MAX) : 0;
    struct cst_trace_note *note =
        cst_alloc(sizeof(*note) + head_size + text_size);
    bool fits;

    if (!note)
        return false;
    chunk.size = (uint32_t)(head_size + text_size);
    note->chunk = chunk;
    note->next = NULL;
    if (head_size > 0)
        memcpy(note->body, head, head_size);
    if (text_size > 0)
        memcpy(note->body + head_size, text, text_size);
    cst_lock_take(&notes->lock);
    fits = notes->size < WAITING_MAX;
    if (fits) {
        notes->size += sizeof(*note) + chunk.size;
        if (notes->last)
            notes->last->next = note;
        else
            notes->first = note;
        notes->last = note;
    }
    cst_lock_drop(&notes->lock);
    if (!fits)
        cst_free(note);
    return fits;
}

void cst_trace_notes_drain(struct cst_trace_notes *notes,
                           struct cst_trace_file *file) CST_UNCHECKED
{
    struct cst_trace_note *note;

    cst_lock_take(&notes->lock);
    note = notes->first;
    notes->first = notes->last = NULL;
    notes->size = 0;
    cst_lock_drop(&notes->lock);
    while (note) {
        struct cst_trace_note *next = note->next;

        (void)cst_trace_file_add(file, &note->chunk, note->body);
        cst_free(note);
        note = next;
    }
}
