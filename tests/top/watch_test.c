/*
 * Pictures survive the way over a socket, and no bytes harm who reads them.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "harness/tap.h"
#include "watch/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KINDS = 70, NODES = 33, REQUESTS = 9, ROUNDS = 20000 };

static uint64_t seed = 88172645463325252u;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static void fill(struct cst_watch_picture *picture)
{
    *picture = (struct cst_watch_picture){
        .program = "program",
        .process = 4711,
        .many = true,
        .now_ns = UINT64_MAX,
        .elapsed_ns = 1,
        .ready = 2,
        .failure = "it failed",
    };
    for (uint64_t i = 0; i < KINDS; i++) {
        char name[CST_WATCH_NAME_MAX];
        struct cst_watch_kind *kind;

        (void)snprintf(name, sizeof(name), "kind %d", (int)i);
        kind = cst_watch_kind(picture, name);
        kind->submitted = 10 * i;
        kind->running = i;
        kind->done = 2 * i;
        kind->failed = UINT64_C(1) << (i % 64);
        kind->measured_ns = next_random();
    }
    for (uint32_t i = 0; i < NODES; i++) {
        struct cst_watch_node *node = cst_watch_add_node(picture);

        node->number = i;
        node->state = i % CST_WATCH_STATES_COUNT;
        node->cores = UINT32_MAX - i;
        node->came_bytes = next_random();
        cst_watch_name(node->name, "host");
    }
    for (uint32_t i = 0; i < REQUESTS; i++) {
        struct cst_watch_request *request = cst_watch_add_request(picture);

        request->ticket = i + 1;
        request->state = i % CST_WATCH_REQUESTS_COUNT;
        request->age_ns = next_random();
        cst_watch_name(request->class, "class");
        cst_watch_name(request->job, "12_3");
        (void)snprintf(request->reason, sizeof(request->reason), "why %d",
                       (int)i);
        (void)snprintf(request->pending, sizeof(request->pending), "Priority");
    }
}

static bool is_same(const struct cst_watch_picture *a,
                    const struct cst_watch_picture *b)
{
    return strcmp(a->program, b->program) == 0 && a->process == b->process &&
           a->many == b->many && a->now_ns == b->now_ns &&
           a->elapsed_ns == b->elapsed_ns && a->ready == b->ready &&
           strcmp(a->failure, b->failure) == 0 &&
           a->kinds_count == b->kinds_count &&
           a->nodes_count == b->nodes_count &&
           a->requests_count == b->requests_count &&
           memcmp(a->requests, b->requests,
                  a->requests_count * sizeof(*a->requests)) == 0 &&
           memcmp(a->kinds, b->kinds, a->kinds_count * sizeof(*a->kinds)) ==
               0 &&
           memcmp(a->nodes, b->nodes, a->nodes_count * sizeof(*a->nodes)) == 0;
}

static void test_bytes(void)
{
    struct cst_watch_picture picture, read;
    struct cst_writer writer = {0};
    bool short_ones = true;
    size_t wrong = 0;
    uint8_t *bytes;

    fill(&picture);
    cst_watch_put_picture(&writer, &picture);
    must(!writer.bad && writer.size > 0, "a picture is written");
    ok(cst_watch_get_picture(writer.bytes, writer.size, &read) &&
           is_same(&picture, &read),
       "a picture is the same behind the socket");
    cst_watch_picture_release(&read);
    for (size_t size = 0; size < writer.size; size++)
        if (cst_watch_get_picture(writer.bytes, size, &read)) {
            cst_watch_picture_release(&read);
            short_ones = false;
        }
    ok(short_ones, "one that is cut off is none");
    bytes = cst_alloc(writer.size);
    CST_ASSERT(bytes);
    for (int i = 0; i < ROUNDS; i++) {
        memcpy(bytes, writer.bytes, writer.size);
        for (int j = 0; j < 3; j++)
            bytes[next_random() % writer.size] = (uint8_t)next_random();
        if (!cst_watch_get_picture(bytes, writer.size, &read))
            continue;
        for (size_t k = 0; k < read.nodes_count; k++)
            wrong += read.nodes[k].state >= CST_WATCH_STATES_COUNT;
        for (size_t k = 0; k < read.requests_count; k++)
            wrong += read.requests[k].state >= CST_WATCH_REQUESTS_COUNT;
        cst_watch_picture_release(&read);
    }
    ok(wrong == 0, "spoilt ones are read, or refused, without harm");
    cst_free(bytes);
    cst_writer_release(&writer);
    cst_watch_picture_release(&picture);
}

static void test_sums(void)
{
    struct cst_watch_picture picture = {.process = 1};
    struct cst_watch_kind *kind = cst_watch_kind(&picture, "one");
    struct cst_watch_node *node = cst_watch_add_node(&picture);
    struct cst_watch_kind total;

    kind->submitted = 10;
    kind->running = 7;
    kind->done = 5;
    kind->failed = 1;
    node->cores = 2;
    node->busy = 3;
    kind = cst_watch_kind(&picture, "two");
    kind->submitted = 1;
    kind->cancelled = 2;
    cst_watch_straighten(&picture);
    total = cst_watch_total(&picture);
    ok(picture.kinds[0].running == 4 && picture.kinds[1].submitted == 2,
       "counts that were read at several moments add up");
    ok(cst_watch_waiting(&total) == 0 && total.submitted == 12,
       "in all as well");
    ok(picture.nodes[0].busy == 2, "no more cores are busy than there are");
    ok(cst_watch_kind(&picture, "one") == &picture.kinds[0] &&
           picture.kinds_count == 2,
       "a kind is found by its name");
    cst_watch_picture_release(&picture);
    ok(cst_watch_memory_used() > 100000, "this process uses memory");
}

static void test_names(void)
{
    size_t program = 0;
    long pid = 0;

    ok(cst_watch_read_name("a.b.12", &program, &pid) && program == 3 &&
           pid == 12,
       "a name has a program and a number");
    ok(!cst_watch_read_name("a.b", &program, &pid) &&
           !cst_watch_read_name(".12", &program, &pid) &&
           !cst_watch_read_name("a.012", &program, &pid) &&
           !cst_watch_read_name("a.12x", &program, &pid) &&
           !cst_watch_read_name("a", &program, &pid),
       "others have not");
}

static void test_heads(void)
{
    uint8_t head[CST_WATCH_HEAD];
    size_t size = 0;
    uint8_t what = 0;

    cst_watch_put_head(head, CST_WATCH_DRAIN, 7);
    ok(cst_watch_get_head(head, 7, &what, &size) == CASTELL_OK &&
           what == CST_WATCH_DRAIN && size == 7,
       "a head is read");
    ok(cst_watch_get_head(head, 6, &what, &size) == CASTELL_ERR_INVALID,
       "one of too much is not");
    head[4]++;
    ok(cst_watch_get_head(head, 7, &what, &size) == CASTELL_ERR_INVALID &&
           strstr(castell_error_text(), "version"),
       "nor one of another version");
    head[0]++;
    ok(cst_watch_get_head(head, 7, &what, &size) == CASTELL_ERR_INVALID,
       "nor what is none");
}

int main(void)
{
    test_bytes();
    test_sums();
    test_names();
    test_heads();
    return tap_done();
}
