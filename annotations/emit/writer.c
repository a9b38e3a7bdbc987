#include "emit/emit_internal.h"

#include <stdarg.h>
#include <stdio.h>

void cst_writer_init(struct cst_writer *writer, struct cst_memory *memory,
                     const char *file, unsigned line)
{
    *writer = (struct cst_writer){.memory = memory, .file = file, .line = line};
    cst_text_add(&writer->text, "\n", 1);
    cst_unit_mark(&writer->text, file, line, true);
}

void cst_write(struct cst_writer *writer, const char *format, ...)
{
    char said[2048];
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(said, sizeof(said), format, args);
    va_end(args);
    if (size < 0 || (size_t)size >= sizeof(said)) {
        char *text = cst_memory_take(writer->memory, (size_t)size + 1);

        va_start(args, format);
        (void)vsnprintf(text, (size_t)size + 1, format, args);
        va_end(args);
        cst_text_string(&writer->text, text);
        return;
    }
    cst_text_add(&writer->text, said, (size_t)size);
}

void cst_write_value(struct cst_writer *writer, struct cst_tokens tokens)
{
    cst_unit_add_tokens(&writer->text, tokens, true);
    cst_unit_mark(&writer->text, writer->file, writer->line, true);
}

void cst_write_literal(struct cst_writer *writer, const char *string)
{
    cst_text_literal(&writer->text, string);
}

void cst_write_where(struct cst_writer *writer, const char *file, unsigned line)
{
    cst_write_literal(writer,
                      cst_memory_format(writer->memory, "%s:%u", file, line));
}
