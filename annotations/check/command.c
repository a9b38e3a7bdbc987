/* command("sort -o {out} {in}") and its like: programs as a body. */
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

static void add_word(struct cst_checker *checker, struct cst_command *command,
                     const struct cst_text *word)
{
    command->words =
        cst_memory_room(checker->memory, command->words, command->words_count,
                        sizeof(*command->words));
    command->words[command->words_count++] = (struct cst_text){
        .bytes = cst_memory_copy(checker->memory, word->bytes, word->size),
        .size = word->size};
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
        add_word(checker, command, &word);
        cst_text_release(&word);
    }
}

/* stdin(path), stdout(path), stderr(path) */
static void check_streams(struct cst_checker *checker,
                          struct cst_subject *subject)
{
    const struct cst_body_model *body = subject->body;
    struct cst_programs *programs = body->programs;

    for (int i = 0; i < 3; i++) {
        const struct cst_clause *clause = cst_pragma_find(
            &body->site->pragma, CST_CLAUSE_STDIN + (unsigned)i, NULL);
        const struct cst_token *name;
        size_t parameter;

        if (programs)
            programs->streams[i] = -1;
        if (!clause || clause->sections_count == 0)
            continue;
        name = &clause->sections[0].head.items[0];
        parameter = cst_find_parameter(body, name->text, name->size);
        if (!programs)
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
            programs->streams[i] = (int)parameter;
    }
}

/* One of the clauses with a program in it, if there is one. */
static void read_program(struct cst_checker *checker,
                         struct cst_subject *subject, enum cst_clause_kind kind,
                         struct cst_command *command)
{
    const struct cst_clause *clause =
        cst_pragma_find(&subject->body->site->pragma, kind, NULL);
    struct cst_text text = {0};
    struct cst_place place;

    if (!clause)
        return;
    place = cst_tokens_place(clause->all);
    cst_text_add(&text, "", 0);
    for (size_t i = 0; i < clause->all.count; i++)
        unquote(&clause->all.items[i], &text);
    if (check_references(checker, subject, place, text.bytes)) {
        if (kind != CST_CLAUSE_IMAGE)
            split(checker, text.bytes, command);
        else if (text.size > 0)
            add_word(checker, command, &text);
        if (command->words_count == 0)
            cst_report_error(checker->report, place, "the %.*s names no %s",
                             (int)clause->name.size, clause->name.text,
                             kind == CST_CLAUSE_IMAGE ? "image" : "program");
    }
    cst_text_release(&text);
}

/* A clause that makes no sense here. */
static void refuse(struct cst_checker *checker,
                   const struct cst_subject *subject, enum cst_clause_kind kind,
                   const char *needs)
{
    const struct cst_clause *clause =
        cst_pragma_find(&subject->body->site->pragma, kind, NULL);

    if (clause)
        cst_report_error(checker->report, clause->name.place, "'%.*s' needs %s",
                         (int)clause->name.size, clause->name.text, needs);
}

/* Is there a command, where one may be and must be? */
static bool check_place(struct cst_checker *checker,
                        const struct cst_subject *subject)
{
    const struct cst_pragma *pragma = &subject->body->site->pragma;
    const struct cst_clause *command =
        cst_pragma_find(pragma, CST_CLAUSE_COMMAND, NULL);
    bool contained = subject->body->device == CST_DEVICE_CONTAINER;

    if (!contained)
        refuse(checker, subject, CST_CLAUSE_IMAGE, "device(container)");
    if (contained &&
        (!command || !cst_pragma_find(pragma, CST_CLAUSE_IMAGE, NULL))) {
        cst_report_error(
            checker->report,
            cst_pragma_find(pragma, CST_CLAUSE_DEVICE, NULL)->name.place,
            "device(container) needs an 'image' and a 'command'");
        return false;
    }
    if (!command) {
        refuse(checker, subject, CST_CLAUSE_PROLOG, "a 'command'");
        refuse(checker, subject, CST_CLAUSE_EPILOG, "a 'command'");
        return false;
    }
    if (subject->body->device != CST_DEVICE_BINARY && !contained)
        cst_report_error(checker->report, command->name.place,
                         "'command' needs device(binary)");
    else if (subject->body->is_defined)
        cst_report_error(checker->report, command->name.place,
                         "'%s' has a body of its own besides its command",
                         subject->body->name);
    else
        return true;
    return false;
}

void cst_check_command(struct cst_checker *checker, struct cst_subject *subject)
{
    bool good = check_place(checker, subject);
    struct cst_programs *programs = NULL;

    if (cst_pragma_find(&subject->body->site->pragma, CST_CLAUSE_COMMAND,
                        NULL)) {
        programs = cst_memory_take(checker->memory, sizeof(*programs));
        subject->body->programs = programs;
    }
    if (good && programs) {
        read_program(checker, subject, CST_CLAUSE_PROLOG, &programs->prolog);
        read_program(checker, subject, CST_CLAUSE_COMMAND, &programs->command);
        read_program(checker, subject, CST_CLAUSE_EPILOG, &programs->epilog);
        read_program(checker, subject, CST_CLAUSE_IMAGE, &programs->image);
    }
    check_streams(checker, subject);
}
