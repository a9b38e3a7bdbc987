#include "read/pragma.h"

#include "read/pragma_internal.h"

#include <string.h>

/* What stands in a clause's parentheses. */
enum shape {
    SHAPE_NOTHING, /* no parentheses at all */
    SHAPE_SECTIONS,
    SHAPE_REDUCTION,
    SHAPE_CHECKPOINT,
    SHAPE_COLLECTION,
    SHAPE_NAMES,
    SHAPE_EXPRESSION,
    SHAPE_NAME,
    SHAPE_STRING,
    SHAPE_CONSTRAINT,
    SHAPE_FAILURE,
    SHAPE_TOKENS, /* whatever: looked at later */
};

static const struct {
    const char *name;
    enum cst_clause_kind kind;
    enum shape shape;
} clauses[] = {
    {"in", CST_CLAUSE_IN, SHAPE_SECTIONS},
    {"out", CST_CLAUSE_OUT, SHAPE_SECTIONS},
    {"inout", CST_CLAUSE_INOUT, SHAPE_SECTIONS},
    {"concurrent", CST_CLAUSE_CONCURRENT, SHAPE_SECTIONS},
    {"commutative", CST_CLAUSE_COMMUTATIVE, SHAPE_SECTIONS},
    {"in_delete", CST_CLAUSE_IN_DELETE, SHAPE_SECTIONS},
    {"reduction", CST_CLAUSE_REDUCTION, SHAPE_REDUCTION},
    {"collection_in", CST_CLAUSE_COLLECTION_IN, SHAPE_COLLECTION},
    {"collection_out", CST_CLAUSE_COLLECTION_OUT, SHAPE_COLLECTION},
    {"collection_inout", CST_CLAUSE_COLLECTION_INOUT, SHAPE_COLLECTION},
    {"file_in", CST_CLAUSE_FILE_IN, SHAPE_NAMES},
    {"file_out", CST_CLAUSE_FILE_OUT, SHAPE_NAMES},
    {"file_inout", CST_CLAUSE_FILE_INOUT, SHAPE_NAMES},
    {"dir_in", CST_CLAUSE_DIR_IN, SHAPE_NAMES},
    {"dir_out", CST_CLAUSE_DIR_OUT, SHAPE_NAMES},
    {"dir_inout", CST_CLAUSE_DIR_INOUT, SHAPE_NAMES},
    {"stdin", CST_CLAUSE_STDIN, SHAPE_NAMES},
    {"stdout", CST_CLAUSE_STDOUT, SHAPE_NAMES},
    {"stderr", CST_CLAUSE_STDERR, SHAPE_NAMES},
    {"priority", CST_CLAUSE_PRIORITY, SHAPE_EXPRESSION},
    {"deadline", CST_CLAUSE_DEADLINE, SHAPE_EXPRESSION},
    {"timeout", CST_CLAUSE_TIMEOUT, SHAPE_EXPRESSION},
    {"cost", CST_CLAUSE_COST, SHAPE_EXPRESSION},
    {"if", CST_CLAUSE_IF, SHAPE_EXPRESSION},
    {"final", CST_CLAUSE_FINAL, SHAPE_EXPRESSION},
    {"constraint", CST_CLAUSE_CONSTRAINT, SHAPE_CONSTRAINT},
    {"implements", CST_CLAUSE_IMPLEMENTS, SHAPE_NAME},
    {"device", CST_CLAUSE_DEVICE, SHAPE_NAME},
    {"on_failure", CST_CLAUSE_ON_FAILURE, SHAPE_FAILURE},
    {"label", CST_CLAUSE_LABEL, SHAPE_STRING},
    {"command", CST_CLAUSE_COMMAND, SHAPE_STRING},
    {"prolog", CST_CLAUSE_PROLOG, SHAPE_STRING},
    {"epilog", CST_CLAUSE_EPILOG, SHAPE_STRING},
    {"image", CST_CLAUSE_IMAGE, SHAPE_STRING},
    {"kernel", CST_CLAUSE_KERNEL, SHAPE_NAME},
    {"source", CST_CLAUSE_SOURCE, SHAPE_TOKENS},
    {"range", CST_CLAUSE_RANGE, SHAPE_TOKENS},
    {"local", CST_CLAUSE_LOCAL, SHAPE_TOKENS},
    {"async", CST_CLAUSE_ASYNC, SHAPE_NOTHING},
    {"replicated", CST_CLAUSE_REPLICATED, SHAPE_NOTHING},
    {"distributed", CST_CLAUSE_DISTRIBUTED, SHAPE_NOTHING},
    {"isolated", CST_CLAUSE_ISOLATED, SHAPE_NOTHING},
};

static const struct {
    const char *name;
    enum cst_pragma_kind kind;
    enum shape shape; /* of a stand-alone one */
} pragmas[] = {
    {"task", CST_PRAGMA_TASK, SHAPE_NOTHING},
    {"implements", CST_PRAGMA_IMPLEMENTS, SHAPE_NOTHING},
    {"wait_on", CST_PRAGMA_WAIT_ON, SHAPE_SECTIONS},
    {"delete", CST_PRAGMA_DELETE, SHAPE_SECTIONS},
    {"checkpoint", CST_PRAGMA_CHECKPOINT, SHAPE_CHECKPOINT},
    {"restore", CST_PRAGMA_RESTORE, SHAPE_CHECKPOINT},
    {"barrier", CST_PRAGMA_BARRIER, SHAPE_NOTHING},
    {"group", CST_PRAGMA_GROUP, SHAPE_EXPRESSION},
    {"wait_group", CST_PRAGMA_WAIT_GROUP, SHAPE_EXPRESSION},
    {"cancel_group", CST_PRAGMA_CANCEL_GROUP, SHAPE_EXPRESSION},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

bool cst_pragma_is_checkpoint(enum cst_pragma_kind kind)
{
    return kind == CST_PRAGMA_CHECKPOINT || kind == CST_PRAGMA_RESTORE;
}

bool cst_pragma_stands_alone(enum cst_pragma_kind kind)
{
    return kind >= CST_PRAGMA_WAIT_ON;
}

bool cst_clause_has_sections(enum cst_clause_kind kind)
{
    return kind <= CST_CLAUSE_COLLECTION_INOUT;
}

bool cst_clause_is_collection(enum cst_clause_kind kind)
{
    return kind >= CST_CLAUSE_COLLECTION_IN &&
           kind <= CST_CLAUSE_COLLECTION_INOUT;
}

bool cst_clause_is_file(enum cst_clause_kind kind)
{
    return kind >= CST_CLAUSE_FILE_IN && kind <= CST_CLAUSE_DIR_INOUT;
}

bool cst_clause_is_directory(enum cst_clause_kind kind)
{
    return kind >= CST_CLAUSE_DIR_IN && kind <= CST_CLAUSE_DIR_INOUT;
}

bool cst_pragma_is_word(const struct cst_token *token)
{
    for (size_t i = 0; i < COUNT(clauses); i++)
        if (cst_token_is(token, clauses[i].name))
            return true;
    for (size_t i = 0; i < COUNT(pragmas); i++)
        if (cst_token_is(token, pragmas[i].name))
            return true;
    return false;
}

const struct cst_clause *cst_pragma_find(const struct cst_pragma *pragma,
                                         enum cst_clause_kind kind,
                                         const struct cst_clause *after)
{
    size_t i = after ? (size_t)(after - pragma->clauses) + 1 : 0;

    for (; i < pragma->clauses_count; i++)
        if (pragma->clauses[i].kind == kind)
            return &pragma->clauses[i];
    return NULL;
}

/* ---- What is in the parentheses ------------------------------------- */

static void read_reduction(struct cst_parser *parser, struct cst_clause *clause)
{
    struct cst_tokens rest = clause->all;
    size_t colon = cst_parser_find(rest, 0, ":");

    if (colon == rest.count) {
        cst_parser_error(parser, &clause->name,
                         "'reduction' needs an operator and a ':', as in "
                         "reduction(+: x[0:n])");
        return;
    }
    if (colon != 1 || rest.items[0].kind == CST_TOKEN_NUMBER) {
        cst_parser_error(parser, &rest.items[0],
                         "one operator or the name of a function stands before "
                         "the ':' of 'reduction'");
        return;
    }
    clause->operation = rest.items[0];
    cst_parser_sections(parser, clause, cst_parser_part(rest, 2, rest.count));
}

/* path: sections, or path, step: sections */
static void read_checkpoint(struct cst_parser *parser,
                            struct cst_clause *clause)
{
    struct cst_tokens rest = clause->all;
    size_t colon = cst_parser_find(rest, 0, ":");
    size_t comma = cst_parser_find(rest, 0, ",");
    struct cst_tokens path, step;

    if (comma > colon)
        comma = colon;
    path = cst_parser_part(rest, 0, comma);
    step = cst_parser_part(rest, comma < colon ? comma + 1 : colon, colon);
    if (colon == rest.count || path.count == 0 ||
        (comma < colon && step.count == 0) ||
        cst_parser_find(step, 0, ",") != step.count) {
        cst_parser_error(parser, &clause->name,
                         "'%.*s' needs a path and a ':', as in "
                         "%.*s(\"state\", step: x[0:n])",
                         (int)clause->name.size, clause->name.text,
                         (int)clause->name.size, clause->name.text);
        return;
    }
    cst_parser_add_item(parser, clause,
                        (struct cst_item){.value = path, .has_value = true});
    cst_parser_add_item(
        parser, clause,
        (struct cst_item){.value = step, .has_value = step.count > 0});
    cst_parser_sections(parser, clause,
                        cst_parser_part(rest, colon + 1, rest.count));
}

static void read_names(struct cst_parser *parser, struct cst_clause *clause)
{
    size_t start = 0;

    while (start <= clause->all.count) {
        size_t end = cst_parser_find(clause->all, start, ",");
        struct cst_tokens name = cst_parser_part(clause->all, start, end);

        if (name.count == 1 && name.items[0].kind == CST_TOKEN_NAME)
            cst_parser_add_section(
                parser, clause,
                (struct cst_section){.head = name, .all = name});
        else
            cst_parser_error(parser, name.count ? name.items : &clause->name,
                             "'%.*s' takes names of parameters",
                             (int)clause->name.size, clause->name.text);
        start = end + 1;
    }
}

static void read_constraint(struct cst_parser *parser,
                            struct cst_clause *clause)
{
    size_t start = 0;

    while (start <= clause->all.count) {
        size_t end = cst_parser_find(clause->all, start, ",");
        struct cst_tokens part = cst_parser_part(clause->all, start, end);

        if (part.count >= 3 && part.items[0].kind == CST_TOKEN_NAME &&
            cst_token_is(&part.items[1], "="))
            cst_parser_add_item(
                parser, clause,
                (struct cst_item){.key = part.items[0],
                                  .value = cst_parser_part(part, 2, part.count),
                                  .has_value = true});
        else
            cst_parser_error(parser, part.count ? part.items : &clause->name,
                             "'constraint' takes key=value, as in "
                             "constraint(cores=2, memory=64MiB)");
        start = end + 1;
    }
}

static void read_failure(struct cst_parser *parser, struct cst_clause *clause)
{
    size_t start = 0;

    while (start <= clause->all.count) {
        size_t end = cst_parser_find(clause->all, start, ",");
        struct cst_tokens part = cst_parser_part(clause->all, start, end);
        struct cst_item item = {0};
        bool plain = part.count == 1;
        bool with_value = part.count >= 4 &&
                          cst_token_is(&part.items[1], "(") &&
                          cst_token_is(&part.items[part.count - 1], ")");

        if ((plain || with_value) && part.items[0].kind == CST_TOKEN_NAME) {
            item.key = part.items[0];
            item.has_value = with_value;
            if (with_value)
                item.value = cst_parser_part(part, 2, part.count - 1);
            cst_parser_add_item(parser, clause, item);
        } else {
            cst_parser_error(parser, part.count ? part.items : &clause->name,
                             "'on_failure' takes retry(n), fail, ignore or "
                             "cancel_successors");
        }
        start = end + 1;
    }
}

static void read_string(struct cst_parser *parser, struct cst_clause *clause)
{
    for (size_t i = 0; i < clause->all.count; i++) {
        if (clause->all.items[i].kind == CST_TOKEN_STRING)
            continue;
        cst_parser_error(parser, &clause->all.items[i],
                         "'%.*s' takes a string in quotes",
                         (int)clause->name.size, clause->name.text);
        return;
    }
}

static void read_shape(struct cst_parser *parser, struct cst_clause *clause,
                       enum shape shape)
{
    size_t comma;

    switch (shape) {
    case SHAPE_SECTIONS:
    case SHAPE_COLLECTION:
        cst_parser_sections(parser, clause, clause->all);
        break;
    case SHAPE_REDUCTION:
        read_reduction(parser, clause);
        break;
    case SHAPE_CHECKPOINT:
        read_checkpoint(parser, clause);
        break;
    case SHAPE_NAMES:
        read_names(parser, clause);
        break;
    case SHAPE_CONSTRAINT:
        read_constraint(parser, clause);
        break;
    case SHAPE_FAILURE:
        read_failure(parser, clause);
        break;
    case SHAPE_STRING:
        read_string(parser, clause);
        break;
    case SHAPE_NAME:
        if (clause->all.count != 1 ||
            clause->all.items[0].kind != CST_TOKEN_NAME)
            cst_parser_error(parser, clause->all.items, "'%.*s' takes one name",
                             (int)clause->name.size, clause->name.text);
        break;
    case SHAPE_EXPRESSION:
        comma = cst_parser_find(clause->all, 0, ",");
        if (comma != clause->all.count)
            cst_parser_error(parser, &clause->all.items[comma],
                             "'%.*s' takes one expression",
                             (int)clause->name.size, clause->name.text);
        break;
    case SHAPE_TOKENS:
    case SHAPE_NOTHING:
    default:
        break;
    }
}

/* ---- Clauses -------------------------------------------------------- */

/*
 * Take the parentheses at the reader's place, if they are there. Returns
 * whether what is there fits: none for a shape of nothing, else some.
 */
static bool read_parentheses(struct cst_parser *parser,
                             struct cst_clause *clause, enum shape shape)
{
    struct cst_tokens tokens = parser->tokens;
    size_t open = parser->at, close;
    bool there = open < tokens.count && cst_token_is(&tokens.items[open], "(");

    if (there) {
        close = cst_parser_close(tokens, open);
        clause->all = cst_parser_part(tokens, open + 1, close);
        parser->at = close + 1;
    }
    if (there && shape == SHAPE_NOTHING) {
        cst_parser_error(parser, &clause->name, "'%.*s' takes no argument",
                         (int)clause->name.size, clause->name.text);
        return false;
    }
    if (shape != SHAPE_NOTHING && clause->all.count == 0) {
        cst_parser_error(parser, &clause->name,
                         "'%.*s' needs an argument in parentheses",
                         (int)clause->name.size, clause->name.text);
        return false;
    }
    return true;
}

static struct cst_clause *add_clause(struct cst_parser *parser,
                                     const struct cst_token *name)
{
    struct cst_pragma *pragma = parser->pragma;
    struct cst_clause *clause;

    pragma->clauses = cst_memory_room(parser->memory, pragma->clauses,
                                      pragma->clauses_count, sizeof(*clause));
    clause = &pragma->clauses[pragma->clauses_count++];
    *clause = (struct cst_clause){.name = *name};
    return clause;
}

static void read_clause(struct cst_parser *parser)
{
    const struct cst_token *name = &parser->tokens.items[parser->at++];
    struct cst_clause *clause = add_clause(parser, name);

    for (size_t i = 0; i < COUNT(clauses); i++) {
        if (!cst_token_is(name, clauses[i].name))
            continue;
        clause->kind = clauses[i].kind;
        if (read_parentheses(parser, clause, clauses[i].shape))
            read_shape(parser, clause, clauses[i].shape);
        return;
    }
    parser->pragma->clauses_count--;
    cst_parser_error(parser, name, "unknown clause '%.*s'", (int)name->size,
                     name->text);
    if (parser->at < parser->tokens.count &&
        cst_token_is(&parser->tokens.items[parser->at], "("))
        parser->at = cst_parser_close(parser->tokens, parser->at) + 1;
}

static void read_clauses(struct cst_parser *parser)
{
    while (parser->at < parser->tokens.count) {
        const struct cst_token *token = &parser->tokens.items[parser->at];

        if (token->kind == CST_TOKEN_NAME) {
            read_clause(parser);
        } else if (cst_token_is(token, ",") && parser->at > 1) {
            parser->at++;
        } else {
            cst_parser_error(parser, token, "a clause should stand here");
            return;
        }
    }
}

/* A clause other than these may stand once only. */
static bool may_repeat(enum cst_clause_kind kind)
{
    return cst_clause_has_sections(kind) || cst_clause_is_file(kind) ||
           kind == CST_CLAUSE_CONSTRAINT;
}

static void check_repeats(struct cst_parser *parser)
{
    const struct cst_pragma *pragma = parser->pragma;

    for (size_t i = 0; i < pragma->clauses_count; i++) {
        const struct cst_clause *clause = &pragma->clauses[i];

        if (!may_repeat(clause->kind) &&
            cst_pragma_find(pragma, clause->kind, NULL) != clause)
            cst_parser_error(parser, &clause->name, "'%.*s' is given twice",
                             (int)clause->name.size, clause->name.text);
    }
}

/* One that stands alone: its argument is its only clause. */
static void read_stand_alone(struct cst_parser *parser, enum shape shape)
{
    struct cst_clause *clause = add_clause(parser, &parser->tokens.items[0]);

    clause->kind = CST_CLAUSE_IN;
    if (read_parentheses(parser, clause, shape))
        read_shape(parser, clause, shape);
    if (parser->at < parser->tokens.count)
        cst_parser_error(parser, &parser->tokens.items[parser->at],
                         "nothing may follow '%.*s'", (int)clause->name.size,
                         clause->name.text);
}

static void read_pragma(struct cst_parser *parser)
{
    const struct cst_token *name = &parser->tokens.items[0];
    size_t i = 0;

    while (i < COUNT(pragmas) && !cst_token_is(name, pragmas[i].name))
        i++;
    if (i == COUNT(pragmas)) {
        cst_parser_error(parser, name,
                         cst_pragma_is_word(name)
                             ? "'%.*s' is a clause: 'task' or 'implements' "
                               "comes before it"
                             : "unknown pragma 'castell %.*s'",
                         (int)name->size, name->text);
        return;
    }
    parser->pragma->kind = pragmas[i].kind;
    if (pragmas[i].kind == CST_PRAGMA_TASK) {
        parser->at = 1;
        read_clauses(parser);
    } else if (pragmas[i].kind == CST_PRAGMA_IMPLEMENTS) {
        read_clauses(parser);
    } else {
        parser->at = 1;
        read_stand_alone(parser, pragmas[i].shape);
    }
    check_repeats(parser);
}

void cst_pragma_parse(struct cst_memory *memory, struct cst_report *report,
                      struct cst_tokens tokens, struct cst_place place,
                      struct cst_pragma *ret_pragma)
{
    struct cst_parser parser = {.memory = memory,
                                .report = report,
                                .pragma = ret_pragma,
                                .tokens = tokens};
    struct cst_token nothing = {.place = place};

    *ret_pragma = (struct cst_pragma){
        .place = tokens.count ? tokens.items[0].place : place,
        .tokens = tokens};
    if (tokens.count == 0)
        cst_parser_error(&parser, &nothing,
                         "a word should follow '#pragma castell'");
    else if (cst_parser_balanced(&parser))
        read_pragma(&parser);
    if (parser.failed)
        ret_pragma->kind = CST_PRAGMA_NONE;
}
