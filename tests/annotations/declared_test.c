/*
 * What castellcc declares: every kind, before main() starts; of one that two
 * files use, each file's struct, with its reductions in the same order.
 */
#include "harness/tap.h"
#include "sched/declare.h"

#include <string.h>

/* Of the files in shared/, which castellcc compiles. */
void submit_first(int *x, int n, long *sum, int *top);
void submit_second(int *x, int n, long *sum, int *top);

enum { N = 5 };

/* The structs of that name; as many as there are, but 4 at most kept. */
static size_t find(const char *name, struct castell_kind **ret_kinds)
{
    size_t count = 0;

    for (const struct cst_declared *each = cst_kinds_declared(); each;
         each = each->next)
        if (strcmp(each->name, name) == 0 && count++ < 4)
            ret_kinds[count - 1] = each->kind;
    return count;
}

static void test_reductions(void)
{
    struct castell_kind *kinds[4];

    must(find("gather", kinds) == 2 && kinds[0] != kinds[1] &&
             kinds[0]->reductions && kinds[1]->reductions,
         "each file declares its struct of a kind, with its reductions");
    for (uint32_t i = 0; i < 2; i++) {
        const struct castell_reduction *a = kinds[0]->reductions[i];
        const struct castell_reduction *b = kinds[1]->reductions[i];
        const struct castell_reduction *found =
            cst_kinds_reduction("gather", i);
        uint32_t index_a = 9, index_b = 9;

        ok(a && b && a != b, "reduction %u: each file has its own", i);
        ok(cst_kinds_find_reduction("gather", a, &index_a) &&
               cst_kinds_find_reduction("gather", b, &index_b) &&
               index_a == i && index_b == i,
           "reduction %u: both have that index", i);
        ok(found == a || found == b, "reduction %u: the index leads back", i);
        ok(found && found->element_size == (i ? sizeof(int) : sizeof(long)),
           "reduction %u: it is that of access %u", i, i + 1);
    }
    ok(!kinds[0]->reductions[2] && !kinds[1]->reductions[2], "no third");
}

static void test_bodiless(void)
{
    struct castell_kind *kinds[4];

    must(find("bodiless", kinds) == 1,
         "a kind is declared by the file that submits it");
    ok(!kinds[0]->body && !kinds[0]->reductions,
       "it has no body, when there is none, and no reductions");
}

static void test_run(void)
{
    int x[N] = {1, 2, 3, 4, 5}, top = 0, status;
    long sum = 0;

    castell_start(NULL, NULL);
    submit_first(x, N, &sum, &top);
    submit_second(x, N, &sum, &top);
    status = castell_stop();
    ok(status == 0 && sum == 130 && top == 15,
       "the tasks of both files run: %ld and %d", sum, top);
}

int main(void)
{
    test_reductions();
    test_bodiless();
    test_run();
    return tap_done();
}
