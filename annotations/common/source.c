#include "common/source.h"

#include "common/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct cst_source {
    struct cst_source *next;
    const char *name;
    const char *bytes; /* NULL: cannot be read */
    size_t *lines;     /* where each starts; one more than there are */
    size_t lines_count;
};

char *cst_source_read(struct cst_memory *memory, const char *file,
                      size_t *ret_size)
{
    struct cst_text text = {0};
    char chunk[2048];
    size_t got;
    char *bytes = NULL;
    FILE *stream = fopen(file, "r");

    if (!stream)
        return NULL;
    while ((got = fread(chunk, 1, sizeof(chunk), stream)) > 0)
        cst_text_add(&text, chunk, got);
    if (!ferror(stream)) {
        bytes = cst_memory_copy(memory, text.bytes, text.size);
        *ret_size = text.size;
    }
    (void)fclose(stream);
    cst_text_release(&text);
    return bytes;
}

/* A line marker may name anything. */
static bool is_regular_file(const char *name)
{
    struct stat status;

    return stat(name, &status) == 0 && S_ISREG(status.st_mode);
}

static struct cst_source *load(struct cst_sources *sources, const char *name)
{
    struct cst_memory *memory = sources->memory;
    struct cst_source *source = cst_memory_take(memory, sizeof(*source));
    size_t size = 0;

    source->name = cst_memory_copy(memory, name, strlen(name));
    if (is_regular_file(name))
        source->bytes = cst_source_read(memory, name, &size);
    for (size_t at = 0; source->bytes && at <= size; at++) {
        if (at != 0 && source->bytes[at - 1] != '\n')
            continue;
        source->lines = cst_memory_room(memory, source->lines,
                                        source->lines_count, sizeof(size_t));
        source->lines[source->lines_count++] = at;
    }
    source->next = sources->first;
    sources->first = source;
    return source;
}

const char *cst_source_line(struct cst_sources *sources, const char *file,
                            unsigned line, size_t *ret_size)
{
    struct cst_source *source = sources->first;
    const char *start;

    while (source && strcmp(source->name, file) != 0)
        source = source->next;
    if (!source)
        source = load(sources, file);
    if (line == 0 || line > source->lines_count)
        return NULL;
    start = source->bytes + source->lines[line - 1];
    *ret_size = strcspn(start, "\r\n");
    return start;
}
