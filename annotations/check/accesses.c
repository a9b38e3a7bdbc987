/* The clauses that say what a task does with its parameters' data. */
#include "check/check_internal.h"

#include <string.h>

/* What a section is of. */
struct target {
    struct cst_checker *checker;
    struct cst_subject *subject;
    const struct cst_clause *clause;
    const struct cst_section *section;
    size_t parameter;
    const char *member;
    const char *name; /* as the user wrote it */
    CXType type;
};

static bool writes(enum cst_clause_kind kind)
{
    return kind != CST_CLAUSE_IN && kind != CST_CLAUSE_IN_DELETE &&
           kind != CST_CLAUSE_COLLECTION_IN;
}

static struct cst_place head_place(const struct target *target)
{
    return cst_tokens_place(target->section->head);
}

/* Find the parameter, and for p.x.y the member of it. */
static bool find_target(struct target *target)
{
    struct cst_tokens head = target->section->head;
    struct cst_checker *checker = target->checker;
    const struct cst_body_model *body = target->subject->body;
    const struct cst_token *name = &head.items[0];

    target->member = "";
    target->name = cst_tokens_text(checker->memory, head);
    if (name->kind != CST_TOKEN_NAME) {
        cst_report_error(checker->report, head_place(target),
                         "the name of a parameter should stand here");
        return false;
    }
    target->parameter = cst_find_parameter(body, name->text, name->size);
    if (target->parameter == body->parameters_count) {
        cst_report_error(checker->report, name->place,
                         "'%.*s' is no parameter of '%s'", (int)name->size,
                         name->text, body->name);
        return false;
    }
    target->type = target->subject->types[target->parameter];
    for (size_t i = 1; i < head.count; i += 2) {
        const struct cst_token *member = &head.items[i + 1];

        if (i + 1 >= head.count || !cst_token_is(&head.items[i], ".") ||
            member->kind != CST_TOKEN_NAME) {
            cst_report_error(checker->report, head.items[i].place,
                             "only a parameter, or a member p.x of a struct "
                             "passed by value, can have sections");
            return false;
        }
        target->type = cst_type_is_record(target->type)
                           ? cst_type_member(checker->memory, target->type,
                                             member->text, member->size)
                           : (CXType){0};
        if (target->type.kind == CXType_Invalid) {
            cst_report_error(checker->report, member->place,
                             "there is no member '%.*s' here",
                             (int)member->size, member->text);
            return false;
        }
        target->member =
            cst_memory_format(checker->memory, "%s.%.*s", target->member,
                              (int)member->size, member->text);
    }
    return true;
}

/* The same section, or one whose data a body gets in another way? */
static bool collides(const struct target *target,
                     const struct cst_access_model *other)
{
    struct cst_memory *memory = target->checker->memory;
    enum cst_clause_kind kind = target->clause->kind;

    if (other->parameter != target->parameter ||
        strcmp(other->member, target->member) != 0)
        return false;
    if (*target->member || !other->section || kind == CST_CLAUSE_REDUCTION ||
        other->kind == CST_CLAUSE_REDUCTION || cst_clause_is_collection(kind) ||
        cst_clause_is_collection(other->kind) || cst_clause_is_file(kind))
        return true;
    return strcmp(cst_tokens_text(memory, target->section->all),
                  cst_tokens_text(memory, other->section->all)) == 0;
}

/*
 * A parameter may have several sections, as a stencil has; but not one of
 * them twice, nor beside copies and lists that the body gets in its place.
 */
static bool claim(struct target *target)
{
    struct cst_task_model *task = target->subject->task;

    for (size_t i = 0; i < task->accesses_count; i++) {
        if (!collides(target, &task->accesses[i]))
            continue;
        cst_report_error(
            target->checker->report, head_place(target),
            "'%s' stands in two clauses",
            cst_tokens_text(target->checker->memory, target->section->all));
        return false;
    }
    target->subject->claims[target->parameter] = target->clause;
    return true;
}

static struct cst_access_model *add_access(const struct target *target)
{
    struct cst_task_model *task = target->subject->task;
    struct cst_access_model *access;

    task->accesses =
        cst_memory_room(target->checker->memory, task->accesses,
                        task->accesses_count, sizeof(*task->accesses));
    access = &task->accesses[task->accesses_count++];
    *access = (struct cst_access_model){
        .parameter = target->parameter,
        .member = target->member,
        .kind = target->clause->kind,
    };
    return access;
}

/* ---- Files ---------------------------------------------------------- */

static void check_file(struct target *target)
{
    CXType type = target->type;

    if (!cst_type_is_pointer(type) ||
        !cst_type_is_char(cst_type_target(type))) {
        cst_report_error(target->checker->report, head_place(target),
                         "'%s' is no path: a %s is named by a parameter of "
                         "type 'const char *'",
                         target->name,
                         cst_clause_is_directory(target->clause->kind)
                             ? "directory"
                             : "file");
        return;
    }
    if (claim(target))
        add_access(target);
}

/* ---- Sections ------------------------------------------------------- */

/* Does the expression name only what can be known at the call? */
static void check_expressions(struct target *target)
{
    const struct cst_section *section = target->section;
    bool constant;

    for (size_t i = 0; i < section->dimensions_count; i++) {
        (void)cst_check_names(target->checker, target->subject,
                              section->dimensions[i].lower, &constant);
        (void)cst_check_names(target->checker, target->subject,
                              section->dimensions[i].length, &constant);
    }
    (void)cst_check_names(target->checker, target->subject,
                          section->element_count, &constant);
}

/* x alone: right only for an array whose declaration says its size. */
static bool check_whole(struct target *target)
{
    CXType type = target->type;

    if (clang_getCanonicalType(type).kind == CXType_ConstantArray &&
        clang_getArraySize(clang_getCanonicalType(type)) > 0)
        return true;
    cst_report_error(target->checker->report, head_place(target),
                     "'%s' is a pointer: say how much of it, as in %s[0:n] or "
                     "*%s",
                     target->name, target->name, target->name);
    return false;
}

/*
 * Follow the dimensions. Returns whether there are arrays all the way;
 * *ret_element is then what the last one is of.
 */
static bool follow(struct target *target, CXType *ret_element)
{
    const struct cst_section *section = target->section;
    CXType type = cst_type_target(target->type);

    for (size_t i = 1; i < section->dimensions_count; i++) {
        if (!cst_type_is_array(type)) {
            cst_report_error(
                target->checker->report, section->dimensions[i].place,
                "'%s' has not that many dimensions: for blocks of a matrix, "
                "declare it as 'double (*%s)[n]', not as pointer to pointer",
                target->name, target->name);
            return false;
        }
        type = cst_type_target(type);
    }
    *ret_element = type;
    return true;
}

static bool check_element(struct target *target, CXType element)
{
    if (cst_type_has_size(element))
        return true;
    cst_report_error(target->checker->report, head_place(target),
                     "elements of '%s' have type '%s', which has no size",
                     target->name,
                     cst_type_said(target->checker->memory, element));
    return false;
}

static bool check_const(struct target *target, CXType element)
{
    if (!writes(target->clause->kind) || !cst_type_is_const(element))
        return true;
    cst_report_error(target->checker->report, head_place(target),
                     "'%s' points to const data, which '%.*s' would write",
                     target->name, (int)target->clause->name.size,
                     target->clause->name.text);
    return false;
}

static void warn_of_pointers(struct target *target, CXType element)
{
    CXType innermost = cst_type_innermost(element);

    if (!target->checker->options->warn_pointers ||
        !cst_type_is_pointer(innermost))
        return;
    cst_report_warning(target->checker->report, head_place(target),
                       "elements of '%s' are pointers: what they point to is "
                       "not part of the data (for blocks, use collection_in) "
                       "[-Wcastell-pointers]",
                       target->name);
}

static void check_collection(struct target *target)
{
    const struct cst_section *section = target->section;
    CXType element = cst_type_target(target->type);

    if (section->dimensions_count != 1 || section->dimensions[0].is_index) {
        cst_report_error(target->checker->report, head_place(target),
                         "a collection has one dimension, as in tiles[0:k] : "
                         "n");
        return;
    }
    if (!cst_type_is_pointer(element) || cst_type_is_array(element)) {
        cst_report_error(target->checker->report, head_place(target),
                         "'%s' is no collection: its elements have to be "
                         "pointers, not '%s'",
                         target->name,
                         cst_type_said(target->checker->memory, element));
        return;
    }
    element = cst_type_target(element);
    if (check_element(target, element) && check_const(target, element) &&
        claim(target))
        add_access(target)->section = section;
}

static void check_section(struct target *target)
{
    const struct cst_section *section = target->section;
    bool whole = section->dimensions_count == 0 && !section->is_element;
    struct cst_access_model *access;
    const struct cst_reduction_model *reduction = NULL;
    CXType element;

    if (!cst_type_is_pointer(target->type)) {
        cst_report_error(target->checker->report, head_place(target),
                         "'%s' is passed by value and has no sections",
                         target->name);
        return;
    }
    check_expressions(target);
    if (cst_clause_is_collection(target->clause->kind)) {
        check_collection(target);
        return;
    }
    if ((whole && !check_whole(target)) || !follow(target, &element) ||
        !check_element(target, element) || !check_const(target, element))
        return;
    if (target->clause->kind == CST_CLAUSE_REDUCTION) {
        reduction = cst_check_reduction(target->checker, target->clause,
                                        cst_type_innermost(element));
        if (!reduction)
            return;
    }
    warn_of_pointers(target, element);
    if (!claim(target))
        return;
    access = add_access(target);
    access->section = section;
    if (whole)
        access->whole_count = (unsigned long long)clang_getArraySize(
            clang_getCanonicalType(target->type));
    access->reduction = reduction;
}

static void check_clause(struct cst_checker *checker,
                         struct cst_subject *subject,
                         const struct cst_clause *clause)
{
    for (size_t i = 0; i < clause->sections_count; i++) {
        struct target target = {
            .checker = checker,
            .subject = subject,
            .clause = clause,
            .section = &clause->sections[i],
        };

        if (!find_target(&target))
            continue;
        if (cst_clause_is_file(clause->kind))
            check_file(&target);
        else
            check_section(&target);
    }
}

/* ---- What no clause names ------------------------------------------- */

static void check_unclaimed(struct cst_checker *checker,
                            const struct cst_subject *subject, size_t index)
{
    const struct cst_parameter *parameter = &subject->body->parameters[index];
    CXType type = subject->types[index];
    const char *member = NULL;

    if (cst_type_is_function_pointer(type)) {
        cst_report_error(checker->report, parameter->place,
                         "parameter '%s' is a pointer to a function, which "
                         "means nothing in another process",
                         parameter->name);
    } else if (cst_type_is_pointer(type)) {
        if (!subject->claims[index])
            cst_report_error(
                checker->report, parameter->place,
                "parameter '%s' is a pointer and stands in no clause%s",
                parameter->name,
                parameter->format == CST_FORMAT_STRING
                    ? " (for a path there are file_in, dir_in and so on)"
                    : "");
    } else if (cst_type_is_record(type) && !subject->claims[index]) {
        member = cst_type_pointer_member(checker->memory, type);
    }
    if (member && checker->options->warn_pointers)
        cst_report_warning(checker->report, parameter->place,
                           "member '%s' of parameter '%s' is a pointer and "
                           "stands in no clause [-Wcastell-pointers]",
                           member, parameter->name);
}

/* Sections with errors were not claimed, but are no pointers without clause. */
static void claim_wrong_ones(struct cst_subject *subject)
{
    const struct cst_pragma *pragma = &subject->body->site->pragma;

    for (size_t i = 0; i < pragma->clauses_count; i++) {
        const struct cst_clause *clause = &pragma->clauses[i];

        for (size_t j = 0; j < clause->sections_count; j++) {
            const struct cst_token *name = &clause->sections[j].head.items[0];
            size_t parameter =
                cst_find_parameter(subject->body, name->text, name->size);

            if (parameter < subject->body->parameters_count)
                subject->claims[parameter] = clause;
        }
    }
}

void cst_check_accesses(struct cst_checker *checker,
                        struct cst_subject *subject)
{
    const struct cst_pragma *pragma = &subject->body->site->pragma;

    for (size_t i = 0; i < pragma->clauses_count; i++) {
        const struct cst_clause *clause = &pragma->clauses[i];

        if (cst_clause_has_sections(clause->kind) ||
            cst_clause_is_file(clause->kind))
            check_clause(checker, subject, clause);
    }
    claim_wrong_ones(subject);
    for (size_t i = 0; i < subject->body->parameters_count; i++)
        check_unclaimed(checker, subject, i);
}
