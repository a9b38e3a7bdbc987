/*
 * Kinds that are declared: found by name, by their reductions, and told from
 * those of another program by one hash. The table is the process's, so each
 * table that is compared is made in a process of its own.
 */
#include "harness/tap.h"
#include "sched/declare.h"
#include "sched/kind.h"

#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, EACH = 50 };

static int body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    return 0;
}

static const struct castell_reduction sum, product, other_sum, other_product;
static const struct castell_reduction *const both[] = {&sum, &product, NULL};
static const struct castell_reduction *const other_both[] = {
    &other_sum, &other_product, NULL};
static const struct castell_reduction *const one[] = {&sum, NULL};

static void test_hash(void)
{
    /* From the specification of FNV. */
    ok(cst_kind_hash("") == UINT64_C(0xcbf29ce484222325) &&
           cst_kind_hash("a") == UINT64_C(0xaf63dc4c8601ec8c) &&
           cst_kind_hash("foobar") == UINT64_C(0x85944171f73967e8),
       "the hash of a name is FNV-1a");
}

/* ---- Tables, each in a process ---------------------------------------- */

struct table {
    struct castell_kind *kinds[4];
    const char *implemented; /* a kind that gets one more body, or NULL */
    struct castell_implementation implementation;
};

/* The hash of a table, as a process that has no other kinds says it. */
static uint64_t hash_of(struct table table)
{
    uint64_t hash = 0;
    int ends[2];
    int status;
    pid_t child;

    must(pipe(ends) == 0, "a pipe");
    child = fork();
    if (child == 0) {
        bool good = true;

        for (size_t i = 0; i < 4 && table.kinds[i]; i++)
            good &= castell_kind_declare(table.kinds[i]) == CASTELL_OK;
        if (table.implemented)
            good &= castell_kind_implement(table.implemented,
                                           &table.implementation) == CASTELL_OK;
        hash = cst_kinds_table_hash();
        good &= write(ends[1], &hash, sizeof(hash)) == sizeof(hash);
        _exit(good ? 0 : 1);
    }
    must(child > 0 && read(ends[0], &hash, sizeof(hash)) == sizeof(hash) &&
             waitpid(child, &status, 0) == child && status == 0,
         "a process says its table's hash");
    (void)close(ends[0]);
    (void)close(ends[1]);
    return hash;
}

static void test_table(void)
{
    struct castell_kind a = {.name = "a", .body = body}, b = {.name = "b"};
    struct castell_kind twin = a, changed = a;
    struct table table = {.kinds = {&a, &b}};
    uint64_t hash = hash_of(table);

    ok(hash_of((struct table){.kinds = {&b, &a}}) == hash,
       "the order does not count");
    ok(hash_of((struct table){.kinds = {&a, &b, &a}}) == hash,
       "nor does declaring a kind twice");
    changed.label = "called so";
    changed.body = NULL;
    ok(hash_of((struct table){.kinds = {&changed, &b}}) == hash,
       "nor what a message says, nor where code lies");
    ok(hash_of((struct table){.kinds = {&a}}) != hash &&
           hash_of((struct table){.kinds = {&a, &b, &twin}}) != hash &&
           hash_of((struct table){.kinds = {&a, &b, &twin, &b}}) !=
               hash_of((struct table){.kinds = {&b}}),
       "the kinds count, each struct of them");
    changed = a;
    changed.name = "c";
    ok(hash_of((struct table){.kinds = {&changed, &b}}) != hash, "names count");
    changed = a;
    changed.flags = CASTELL_ISOLATED;
    ok(hash_of((struct table){.kinds = {&changed, &b}}) != hash, "flags count");
    changed = a;
    changed.on_failure = CASTELL_IGNORE;
    ok(hash_of((struct table){.kinds = {&changed, &b}}) != hash,
       "policies count");
    changed = a;
    changed.retries = 1;
    ok(hash_of((struct table){.kinds = {&changed, &b}}) != hash,
       "retries count");
    changed = a;
    changed.reductions = one;
    twin.reductions = both;
    ok(hash_of((struct table){.kinds = {&changed, &b}}) != hash &&
           hash_of((struct table){.kinds = {&changed, &b}}) !=
               hash_of((struct table){.kinds = {&twin, &b}}),
       "the number of reductions counts");
}

static void test_implementations(void)
{
    struct castell_kind a = {.name = "a", .body = body};
    struct table table = {.kinds = {&a}};
    uint64_t bare = hash_of(table);
    uint64_t hash;

    table.implemented = "a";
    table.implementation =
        (struct castell_implementation){.name = "fast", .body = body};
    hash = hash_of(table);
    ok(hash != bare, "implementations count");
    table.implementation.name = "faster";
    ok(hash_of(table) != hash, "with their names");
    table.implementation.name = "fast";
    table.implemented = "b";
    ok(hash_of(table) != hash, "and with whose they are");
}

/* ---- The table of this process ---------------------------------------- */

static size_t count_of(const char *name)
{
    size_t count = 0;

    for (const struct cst_declared *each = cst_kinds_declared(); each;
         each = each->next)
        if (strcmp(each->name, name) == 0 &&
            strcmp(each->kind->name, name) == 0 &&
            each->hash == cst_kind_hash(name))
            count++;
    return count;
}

static void test_declare(void)
{
    static struct castell_kind kind = {.name = "kind"};
    static struct castell_kind again = {.name = "kind"};
    static struct castell_kind nameless;
    static struct castell_kind empty = {.name = ""};
    /* Found by others, by search; both have the hash 4eac0c95540867e4. */
    static struct castell_kind clash[] = {{.name = "8yn0iYCKYHlIj4-BwPqk"},
                                          {.name = "GReLUrM4wMqfg9yzV3KQ"}};

    ok(!cst_kinds_declared() && cst_kinds_table_hash() == 0,
       "no kind is declared at first");
    ok(castell_kind_declare(NULL) == CASTELL_ERR_INVALID &&
           castell_kind_declare(&nameless) == CASTELL_ERR_INVALID &&
           castell_kind_declare(&empty) == CASTELL_ERR_INVALID &&
           !cst_kinds_declared(),
       "a kind without a name is refused");
    ok(castell_kind_declare(&kind) == CASTELL_OK &&
           castell_kind_declare(&kind) == CASTELL_OK && count_of("kind") == 1,
       "a kind is declared once, however often");
    ok(castell_kind_declare(&again) == CASTELL_OK && count_of("kind") == 2,
       "another struct of its name is declared too");
    ok(castell_kind_declare(&clash[0]) == CASTELL_OK &&
           castell_kind_declare(&clash[1]) == CASTELL_ERR_INVALID &&
           strstr(castell_error_text(), clash[0].name) &&
           strstr(castell_error_text(), clash[1].name) &&
           count_of(clash[1].name) == 0,
       "of two names with one hash the second is refused: %s",
       castell_error_text());
}

static void test_reductions(void)
{
    static struct castell_kind plain = {.name = "reduce"};
    static struct castell_kind here = {.name = "reduce", .reductions = both};
    static struct castell_kind there = {.name = "reduce",
                                        .reductions = other_both};
    static struct castell_kind further = {.name = "further", .reductions = one};
    uint32_t index = 7;

    must(castell_kind_declare(&here) == CASTELL_OK &&
             castell_kind_declare(&there) == CASTELL_OK &&
             castell_kind_declare(&plain) == CASTELL_OK &&
             castell_kind_declare(&further) == CASTELL_OK,
         "kinds with reductions, and without");
    ok(cst_kinds_find_reduction("reduce", &sum, &index) && index == 0 &&
           cst_kinds_find_reduction("reduce", &product, &index) && index == 1,
       "a reduction is found");
    ok(cst_kinds_find_reduction("reduce", &other_product, &index) &&
           index == 1 &&
           cst_kinds_find_reduction("reduce", &other_sum, &index) && index == 0,
       "and what another file has of it, at the same place");
    ok(!cst_kinds_find_reduction("further", &product, &index) &&
           !cst_kinds_find_reduction("nobody", &sum, &index),
       "a reduction of another kind is not");
    ok((cst_kinds_reduction("reduce", 0) == &sum ||
        cst_kinds_reduction("reduce", 0) == &other_sum) &&
           (cst_kinds_reduction("reduce", 1) == &product ||
            cst_kinds_reduction("reduce", 1) == &other_product) &&
           cst_kinds_reduction("further", 0) == &sum,
       "a place has its reduction");
    ok(!cst_kinds_reduction("reduce", 2) &&
           !cst_kinds_reduction("further", 1) &&
           !cst_kinds_reduction("nobody", 0),
       "or none");
}

/* ---- Several threads -------------------------------------------------- */

static struct castell_kind many[THREADS][EACH];
static char names[THREADS][EACH][3];

static void *declare_many(void *argument)
{
    const size_t thread = *(const size_t *)argument;
    size_t failures = 0;

    for (size_t i = 0; i < EACH; i++) {
        /* Each kind is declared by two threads, half of them at one time. */
        struct castell_kind *kind = &many[thread / 2][i];

        failures += castell_kind_declare(kind) != CASTELL_OK;
        failures += count_of(kind->name) != 1;
    }
    return failures ? argument : NULL;
}

static void test_threads(void)
{
    pthread_t threads[THREADS];
    size_t numbers[THREADS];
    size_t failures = 0;

    for (size_t i = 0; i < THREADS; i++)
        for (size_t j = 0; j < EACH; j++) {
            names[i][j][0] = (char)('A' + i);
            names[i][j][1] = (char)('0' + j);
            many[i][j].name = names[i][j];
        }
    for (size_t i = 0; i < THREADS; i++) {
        numbers[i] = i;
        must(pthread_create(&threads[i], NULL, declare_many, &numbers[i]) == 0,
             "a thread");
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *failed;

        (void)pthread_join(threads[i], &failed);
        failures += failed != NULL;
    }
    ok(failures == 0, "threads that declare the same kinds declare each once");
}

int main(void)
{
    test_hash();
    test_table();
    test_implementations();
    test_declare();
    test_reductions();
    test_threads();
    return tap_done();
}
