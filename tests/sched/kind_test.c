/*
 * Kinds of task: one for each name, however many structs name it, with the
 * bodies that were registered for the name before and after, and no more than
 * fit; and nothing half known when there is no memory.
 */
#include "base/memory.h"
#include "harness/tap.h"
#include "sched/kind.h"

#include <string.h>

static const struct cst_limits limits = {
    .name = "here", .arch = "x86_64", .cores = 4, .memory = 1000};

static int body_a(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    return 0;
}

static int body_b(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    return 1;
}

static struct cst_kinds *registry(void)
{
    struct cst_kinds *kinds = NULL;

    if (cst_kinds_create(&limits, &kinds) != CASTELL_OK)
        tap_bail("no memory");
    return kinds;
}

static struct cst_kind *know(struct cst_kinds *kinds,
                             struct castell_kind *public_kind)
{
    struct cst_kind *kind = NULL;

    if (cst_kinds_know(kinds, public_kind, &kind) != CASTELL_OK)
        return NULL;
    return kind;
}

static void test_one_for_each_name(void)
{
    /* Two files of a program that include the same header: equal names, but
       not at the same address. */
    char again[] = "merge";
    struct castell_kind first = {
        .name = "merge", .label = "the first", .body = body_a};
    struct castell_kind second = {.name = again, .body = body_b};
    struct castell_kind third = {.name = "other", .body = body_b};
    struct cst_kinds *kinds = registry();
    struct cst_kind *kind = know(kinds, &first);

    must(kind != NULL, "a kind is registered");
    ok(know(kinds, &second) == kind && first.known == kind &&
           second.known == kind,
       "a second struct of the same name is the same kind");
    ok(kind->choices_count == 1 && kind->choices[0].body == body_a &&
           strcmp(kind->label, "the first") == 0,
       "as the first one described it");
    ok(know(kinds, &third) != kind && strcmp(third.name, "other") == 0,
       "another name is another");
    ok(cst_kinds_at(kinds, 0) == kind &&
           cst_kinds_at(kinds, 1) == third.known && !cst_kinds_at(kinds, 2),
       "they are numbered in that order");
    cst_kinds_destroy(kinds);
    ok(!first.known && !second.known && !third.known,
       "at the end each struct forgets its kind");
    cst_kinds_destroy(NULL);
}

static void test_members(void)
{
    struct castell_kind plain = {.name = "plain", .body = body_a};
    struct castell_kind retried = {
        .name = "retried", .body = body_a, .retries = 2};
    struct castell_kind timed = {
        .name = "timed", .body = body_a, .timeout_ns = 5};
    struct castell_kind wide = {
        .name = "wide", .body = body_a, .constraint = {.cores = 2}};
    struct castell_kind far = {
        .name = "far", .body = body_a, .constraint = {.cores = 5}};
    struct castell_kind none = {.name = "none"};
    struct cst_kinds *kinds = registry();
    struct cst_kind *kind = know(kinds, &plain);

    ok(kind && kind->simple && !kind->careful &&
           kind->choices[0].constraint.cores == 1 &&
           strcmp(kind->label, "plain") == 0,
       "one body that needs a core is simple, and its label is its name");
    kind = know(kinds, &retried);
    ok(kind && !kind->simple && kind->careful, "with retries it is not");
    kind = know(kinds, &timed);
    ok(kind && !kind->simple && kind->careful &&
           (kind->flags & CASTELL_ISOLATED),
       "nor with a timeout, which isolates it");
    kind = know(kinds, &wide);
    ok(kind && !kind->simple && kind->choices[0].possible,
       "nor one that needs more than a core");
    kind = know(kinds, &far);
    ok(kind && !kind->simple && !kind->choices[0].possible,
       "what the node cannot give is not possible");
    ok(!know(kinds, &none) && !none.known &&
           strstr(castell_error_text(), "none"),
       "a kind without any body is refused: %s", castell_error_text());
    cst_kinds_destroy(kinds);
}

static const struct castell_implementation early = {.name = "early",
                                                    .body = body_b};
static const struct castell_implementation middle = {.name = "middle",
                                                     .body = body_b};
static const struct castell_implementation late = {
    .name = "late", .body = body_a, .constraint = {.cores = 5}};

static void test_before_and_after(void)
{
    struct castell_kind kind_here = {.name = "several", .body = body_a};
    struct cst_kinds *kinds = registry();
    struct cst_kind *kind;

    must(cst_kinds_implement(NULL, "several", &early) == CASTELL_OK &&
             cst_kinds_implement(kinds, "several", &middle) == CASTELL_OK,
         "bodies can come before their kind, and before any registry");
    kind = know(kinds, &kind_here);
    must(kind && kind->choices_count == 3, "they are in it from the start");
    ok(!kind->simple, "which is not simple then");
    ok(kind->choices[0].body == body_a && kind->choices[1].body == body_b &&
           kind->choices[2].body == body_b,
       "its own is the first");
    must(cst_kinds_implement(kinds, "several", &late) == CASTELL_OK &&
             kind->choices_count == 4,
         "one that comes after is added");
    ok(strcmp(kind->choices[3].name, "late") == 0 &&
           !kind->choices[3].possible && kind->choices[2].possible,
       "with a constraint of its own");
    cst_kinds_destroy(kinds);

    kinds = registry();
    kind = know(kinds, &kind_here);
    ok(kind && kind->choices_count == 4,
       "the next registry has all of them too");
    cst_kinds_destroy(kinds);
}

/* What makes a kind that was simple a choice. */
static void test_no_longer_simple(void)
{
    struct castell_kind plain = {.name = "changes", .body = body_a};
    struct cst_kinds *kinds = registry();
    struct cst_kind *kind = know(kinds, &plain);
    bool was = kind && kind->simple;

    must(cst_kinds_implement(kinds, "changes", &early) == CASTELL_OK,
         "one more body");
    ok(was && !kind->simple, "from then on there is a choice");
    cst_kinds_destroy(kinds);
}

static void test_too_many(void)
{
    struct castell_kind full = {.name = "full", .body = body_a};
    struct castell_kind over = {.name = "over", .body = body_a};
    struct cst_kinds *kinds = registry();
    struct cst_kind *kind = know(kinds, &full);
    int added = 0;

    for (int i = 1; i < CST_CHOICES_MAX; i++)
        added += cst_kinds_implement(kinds, "full", &early) == CASTELL_OK;
    ok(kind && added == CST_CHOICES_MAX - 1 &&
           kind->choices_count == CST_CHOICES_MAX,
       "a kind has room for %d bodies", CST_CHOICES_MAX);
    ok(cst_kinds_implement(kinds, "full", &late) == CASTELL_ERR_LIMIT &&
           strstr(castell_error_text(), "full") &&
           kind->choices_count == CST_CHOICES_MAX,
       "one more is refused: %s", castell_error_text());
    cst_kinds_destroy(kinds);

    kinds = registry();
    kind = know(kinds, &full);
    ok(kind && kind->choices_count == CST_CHOICES_MAX,
       "and what was refused is not kept for the next registry");
    added = 0;
    for (int i = 0; i < CST_CHOICES_MAX; i++)
        added += cst_kinds_implement(NULL, "over", &early) == CASTELL_OK;
    ok(added == CST_CHOICES_MAX && !know(kinds, &over) && !over.known &&
           strstr(castell_error_text(), "over"),
       "too many for a kind that is not known yet: it is refused");
    cst_kinds_destroy(kinds);
}

static void test_no_memory(void)
{
    static const struct castell_implementation more = {.name = "more",
                                                       .body = body_b};
    struct castell_kind scarce = {.name = "scarce", .body = body_a};
    struct cst_kinds *kinds = NULL;
    struct cst_kind *kind = NULL;
    uint64_t n = 0;
    int wrong = 0;

    cst_alloc_fail_after(1);
    ok(cst_kinds_create(&limits, &kinds) == CASTELL_ERR_NO_MEMORY,
       "no memory for a registry");
    kinds = registry();
    must(cst_kinds_implement(NULL, "scarce", &more) == CASTELL_OK, "a body");
    for (;; n++) {
        cst_alloc_fail_after(n + 1);
        kind = know(kinds, &scarce);
        if (cst_alloc_fail_pending())
            break;
        wrong += kind || scarce.known || cst_kinds_at(kinds, 0);
    }
    cst_alloc_fail_after(0);
    ok(n == 4 && wrong == 0, "%d allocations fail and nothing is known",
       (int)n);
    ok(kind && kind->choices_count == 2, "then there is enough");
    for (n = 0;; n++) {
        enum castell_status status;

        cst_alloc_fail_after(n + 1);
        status = cst_kinds_implement(kinds, "scarce", &late);
        if (cst_alloc_fail_pending())
            break;
        wrong += status != CASTELL_ERR_NO_MEMORY || kind->choices_count != 2;
    }
    cst_alloc_fail_after(0);
    ok(n == 2 && wrong == 0 && kind->choices_count == 3,
       "so with one more body: %d allocations", (int)n);
    cst_kinds_destroy(kinds);
}

int main(void)
{
    test_one_for_each_name();
    test_members();
    test_before_and_after();
    test_no_longer_simple();
    test_too_many();
    test_no_memory();
    return tap_done();
}
