/* command("sort -o {out} {in}"): a program as a body. */
#include "check/check_internal.h"

#include <string.h>

/* What a string literal says, without its quotes. */
static void unquote(const struct cst_token *token, struct cst_text *text)
{
    for (size_t i = 1; i + 1 < token->size; i++) {
        char c = token->text[i];

        if (c == '\\' && i + 2 < token->size) {
            c = token->text[++i];
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
        }
        cst_text_add(text, &c, 1);
    }
}

/* Can this {name} be told to a program? */
static bool check_reference(struct cst_checker *checker,
                            struct cst_subject *subject, struct cst_place place,
                            const char *name, size_t size)
{
    const struct cst_body_model *body = subject->body;
    size_t parameter = cst_find_parameter(body, name, size);

    if (parameter == body->parameters_count) {
        cst_report_error(checker->report, place,
                         "{%.*s} in the command is no parameter of '%s'",
                         (int)size, name, body->name);
        return false;
    }
    if (body->parameters[parameter].format == CST_FORMAT_NONE) {
        cst_report_error(checker->report, place,
                         "{%.*s} in the command is neither a number nor a "
                         "string",
                         (int)size, name);
        return false;
    }
    return true;
}

static bool check_references(struct cst_checker *checker,
                             struct cst_subject *subject,
                             struct cst_place place, const char *text)
{
    const char *open = text;

    while ((open = strchr(open, '{')) != NULL) {
        size_t size = strcspn(open + 1, "}");

        if (open[1 + size] != '}') {
            cst_report_error(checker->report, place,
                             "'{' is not closed in the command");
            return false;
        }
        if (!check_reference(checker, subject, place, open + 1, size))
            return false;
        open += size + 1;
    }
    return true;
}

/* Split at blanks; ' and " keep what is between them together. */
static void split(struct cst_checker *checker, const char *text,
                  struct cst_command *command)
{
    const char *p = text;

    while (*p) {
        struct cst_text word = {0};
        char quote = '\0';

        p += strspn(p, " \t\n");
        if (!*p)
            break;
        cst_text_add(&word, "", 0);
        for (; *p && (quote || !strchr(" \t\n", *p)); p++) {
            if (quote ? *p == quote : *p == '\'' || *p == '"')
                quote = quote ? '\0' : *p;
            else
                cst_text_add(&word, p, 1);
        }
        command->words =
            cst_memory_room(checker->memory, command->words,
                            command->words_count, sizeof(*command->words));
        command->words[command->words_count++] = (struct cst_text){
            .bytes = cst_memory_copy(checker->memory, word.bytes, word.size),
            .size = word.size};
        cst_text_release(&word);
    }
}

/* stdin(path), stdout(path), stderr(path) */
static void check_streams(struct cst_checker *checker,
                          struct cst_subject *subject,
                          struct cst_command *command)
{
    const struct cst_body_model *body = subject->body;

    for (int i = 0; i < 3; i++) {
        const struct cst_clause *clause = cst_pragma_find(
            &body->site->pragma, CST_CLAUSE_STDIN + (unsigned)i, NULL);
        const struct cst_token *name;
        size_t parameter;

        if (command)
            command->streams[i] = -1;
        if (!clause || clause->sections_count == 0)
            continue;
        name = &clause->sections[0].head.items[0];
        parameter = cst_find_parameter(body, name->text, name->size);
        if (!command)
            cst_report_error(checker->report, clause->name.place,
                             "'%.*s' is for a 'command'",
                             (int)clause->name.size, clause->name.text);
        else if (clause->sections_count > 1)
            cst_report_error(checker->report, clause->name.place,
                             "'%.*s' takes one path", (int)clause->name.size,
                             clause->name.text);
        else if (parameter == body->parameters_count ||
                 body->parameters[parameter].format != CST_FORMAT_STRING)
            cst_report_error(checker->report, name->place,
                             "'%.*s' is no parameter that is a path",
                             (int)name->size, name->text);
        else
            command->streams[i] = (int)parameter;
    }
}

void cst_check_command(struct cst_checker *checker, struct cst_subject *subject)
{
    const struct cst_clause *clause =
        cst_pragma_find(&subject->body->site->pragma, CST_CLAUSE_COMMAND, NULL);
    struct cst_command *command = NULL;
    struct cst_text text = {0};
    struct cst_place place;

    if (clause) {
        place = cst_tokens_place(clause->all);
        command = cst_memory_take(checker->memory, sizeof(*command));
        subject->body->command = command;
        cst_text_add(&text, "", 0);
        for (size_t i = 0; i < clause->all.count; i++)
            unquote(&clause->all.items[i], &text);
        if (!subject->body->is_binary)
            cst_report_error(checker->report, clause->name.place,
                             "'command' needs device(binary)");
        else if (subject->body->is_defined)
            cst_report_error(checker->report, clause->name.place,
                             "'%s' has a body of its own besides its command",
                             subject->body->name);
        else if (check_references(checker, subject, place, text.bytes))
            split(checker, text.bytes, command);
        if (!checker->report->errors && command->words_count == 0)
            cst_report_error(checker->report, place,
                             "the command names no program");
        cst_text_release(&text);
    }
    check_streams(checker, subject, command);
}
