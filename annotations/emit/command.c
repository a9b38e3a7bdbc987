/* Writes bodies that run another program. */
#include "emit/emit_internal.h"

#include <string.h>

static size_t find(const struct cst_body_model *body, const char *name,
                   size_t size)
{
    size_t i = 0;

    while (i < body->parameters_count &&
           (strlen(body->parameters[i].name) != size ||
            memcmp(body->parameters[i].name, name, size) != 0))
        i++;
    return i;
}

/* What printf needs for a parameter: a conversion, and a cast. */
static const char *conversion(enum cst_format format, const char **ret_cast)
{
    switch (format) {
    case CST_FORMAT_SIGNED:
        *ret_cast = "(long long)";
        return "%lld";
    case CST_FORMAT_UNSIGNED:
        *ret_cast = "(unsigned long long)";
        return "%llu";
    case CST_FORMAT_FLOATING:
        *ret_cast = "(double)";
        return "%.17g";
    case CST_FORMAT_LONG_DOUBLE:
        *ret_cast = "(long double)";
        return "%.21Lg";
    case CST_FORMAT_STRING:
    case CST_FORMAT_NONE:
    default:
        *ret_cast = "(const char *)";
        return "%s";
    }
}

/*
 * A word with {parameters} in it becomes a format, and arguments behind it.
 * Returns how many parameters are in it.
 */
static size_t split_word(const struct cst_task_model *task,
                         const struct cst_body_model *body,
                         const struct cst_text *word, struct cst_writer *writer,
                         struct cst_text *format)
{
    size_t count = 0;

    cst_text_add(format, "", 0);
    for (size_t i = 0; i < word->size; i++) {
        const char *cast;
        size_t size, parameter;

        if (word->bytes[i] != '{') {
            cst_text_string(format, word->bytes[i] == '%' ? "%" : "");
            cst_text_add(format, &word->bytes[i], 1);
            continue;
        }
        size = strcspn(word->bytes + i + 1, "}");
        parameter = find(body, word->bytes + i + 1, size);
        cst_text_string(format,
                        conversion(body->parameters[parameter].format, &cast));
        cst_text_format(&writer->text, ", %s(%s)", cast,
                        cst_body_value(writer->memory, task, parameter));
        count++;
        i += size + 1;
    }
    return count;
}

/* char *__castell_w<name> = the word, in memory of its own if need be */
static bool write_word(struct cst_writer *writer,
                       const struct cst_task_model *task,
                       const struct cst_body_model *body,
                       const struct cst_text *word, const char *name)
{
    struct cst_writer arguments = {.memory = writer->memory};
    struct cst_text format = {0};
    bool any = split_word(task, body, word, &arguments, &format) > 0;

    if (any) {
        cst_write(writer,
                  "const int __castell_z%s = __builtin_snprintf("
                  "(char *)0, 0, ",
                  name);
        cst_write_literal(writer, format.bytes);
        cst_write(writer, "%s); ", arguments.text.bytes);
        cst_write(writer,
                  "char *const __castell_w%s = __builtin_malloc((size_t)"
                  "__castell_z%s + 1); if (__castell_w%s) "
                  "__builtin_snprintf(__castell_w%s, (size_t)__castell_z%s + "
                  "1, ",
                  name, name, name, name, name);
        cst_write_literal(writer, format.bytes);
        cst_write(writer, "%s); ", arguments.text.bytes);
    } else {
        cst_write(writer, "const char *const __castell_w%s = ", name);
        cst_write_literal(writer, word->bytes);
        cst_write(writer, "; ");
    }
    cst_text_release(&arguments.text);
    cst_text_release(&format);
    return any;
}

/* The files that a container must see. */
static void write_paths(struct cst_writer *writer,
                        const struct cst_task_model *task)
{
    cst_write(writer, "const char *const __castell_f[] = {");
    for (size_t i = 0; i < task->accesses_count; i++)
        if (cst_clause_is_file(task->accesses[i].kind))
            cst_write(writer, "(const char *)%s, ",
                      cst_body_value(writer->memory, task,
                                     task->accesses[i].parameter));
    cst_write(writer, "(const char *)0}; ");
}

/* __castell_r = castell_execute...(); its words are there if `made` are. */
static void write_call(struct cst_writer *writer,
                       const struct cst_task_model *task,
                       const struct cst_programs *programs,
                       const struct cst_command *command, const bool *made)
{
    bool is_main = command == &programs->command;
    bool contained = is_main && programs->image.words_count > 0;

    cst_write(writer, "{ const char *const __castell_c[] = {");
    for (size_t i = 0; i < command->words_count; i++)
        cst_write(writer, "__castell_w%zu, ", i);
    cst_write(writer, "(const char *)0}; ");
    if (contained)
        write_paths(writer, task);
    cst_write(writer, "__castell_r = 127; if (1");
    for (size_t i = 0; i < command->words_count; i++)
        if (made[i])
            cst_write(writer, " && __castell_w%zu", i);
    if (contained)
        cst_write(writer, " && __castell_wi) __castell_r = castell_execute_in("
                          "__castell_wi, __castell_c, __castell_f");
    else
        cst_write(writer, ") __castell_r = castell_execute(__castell_c");
    for (int i = 0; i < 3; i++) {
        if (!is_main || programs->streams[i] < 0)
            cst_write(writer, ", (const char *)0");
        else
            cst_write(writer, ", (const char *)%s",
                      cst_body_value(writer->memory, task,
                                     (size_t)programs->streams[i]));
    }
    cst_write(writer, "); } ");
}

/* { run it; __castell_r is its status } */
static void write_program(struct cst_writer *writer,
                          const struct cst_task_model *task,
                          const struct cst_body_model *body,
                          const struct cst_command *command)
{
    const struct cst_programs *programs = body->programs;
    bool *made = cst_memory_take(writer->memory, command->words_count + 1);
    bool image = false;

    cst_write(writer, "{ ");
    for (size_t i = 0; i < command->words_count; i++)
        made[i] = write_word(writer, task, body, &command->words[i],
                             cst_memory_format(writer->memory, "%zu", i));
    if (command == &programs->command && programs->image.words_count > 0)
        image = write_word(writer, task, body, &programs->image.words[0], "i");
    write_call(writer, task, programs, command, made);
    for (size_t i = 0; i < command->words_count; i++)
        if (made[i])
            cst_write(writer, "__builtin_free(__castell_w%zu); ", i);
    if (image)
        cst_write(writer, "__builtin_free(__castell_wi); ");
    cst_write(writer, "} ");
}

void cst_write_command(struct cst_writer *writer,
                       const struct cst_task_model *task,
                       const struct cst_body_model *body)
{
    const struct cst_programs *programs = body->programs;

    cst_write(writer, "int __castell_r = 0; ");
    if (programs->prolog.words_count > 0) {
        write_program(writer, task, body, &programs->prolog);
        cst_write(writer, "if (__castell_r) return __castell_r; ");
    }
    write_program(writer, task, body, &programs->command);
    if (programs->epilog.words_count > 0) {
        cst_write(writer, "{ const int __castell_e = __castell_r; ");
        write_program(writer, task, body, &programs->epilog);
        cst_write(writer, "if (__castell_e) __castell_r = __castell_e; } ");
    }
    cst_write(writer, "return __castell_r; ");
}
