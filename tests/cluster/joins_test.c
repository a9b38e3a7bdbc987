/*
 * Workers join a run and leave it, a thousand times one after another while
 * tasks run: each result is right, and nothing is kept of those who are gone.
 * They are workers by what they say: they have a net, and run no task that they
 * are given, so that it is run again elsewhere when they go.
 */
#include "cluster/message.h"
#include "cluster/party.h"
#include "harness/tap.h"
#include "net/net.h"
#include "sched/declare.h"

#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

enum {
    WARM = 100,
    ROUNDS = 1000,
    TASKS = 4,
    SIZE = 1024,
    DIE_EVERY = 20,      /* so many leave, one dies */
    BYTES_PER_JOIN = 256 /* that there was such a number, and its counts */
};

#define GO(call)                                                               \
    do {                                                                       \
        if ((call) != CASTELL_OK)                                              \
            tap_bail(castell_error_text());                                    \
    } while (0)

static int add_body(void *const *buffers, const void *argument)
{
    int *numbers = buffers[0];

    (void)argument;
    for (int i = 0; i < SIZE; i++)
        numbers[i] += 1;
    return 0;
}

static struct castell_kind add_kind = {.name = "add", .body = add_body};

__attribute__((constructor)) static void declare(void)
{
    castell_must(castell_kind_declare(&add_kind), NULL);
}

/* ---- A worker that does nothing -------------------------------------------- */

static bool on_admit(void *owner, const void *hello, size_t hello_size,
                     char *why)
{
    (void)owner;
    (void)hello;
    (void)hello_size;
    why[0] = '\0';
    return true;
}

static void on_joined(void *owner, uint32_t peer, const void *hello,
                      size_t hello_size)
{
    (void)owner;
    (void)peer;
    (void)hello;
    (void)hello_size;
}

static void on_gone(void *owner, uint32_t peer, enum cst_net_end how,
                    const char *why)
{
    (void)owner;
    (void)peer;
    (void)how;
    (void)why;
}

static void on_over(void *owner, enum cst_net_over how, const char *why)
{
    (void)why;
    *(int *)owner = (int)how;
}

static void on_message(void *owner, uint32_t peer, const void *header,
                       size_t header_size, const struct cst_rows *into)
{
    (void)owner;
    (void)peer;
    (void)header;
    (void)header_size;
    (void)into;
}

static bool on_payload(void *owner, uint32_t peer, const void *header,
                       size_t header_size, size_t payload_size,
                       struct cst_rows *ret_into)
{
    (void)owner;
    (void)peer;
    (void)header;
    (void)header_size;
    (void)payload_size;
    (void)ret_into;
    return false;
}

static void on_dropped(void *owner, uint32_t peer, const struct cst_rows *into)
{
    (void)owner;
    (void)peer;
    (void)into;
}

static void on_sent(void *owner, uint32_t peer, void *cookie, bool arrived)
{
    (void)owner;
    (void)peer;
    (void)cookie;
    (void)arrived;
}

static struct cst_net *join(const char *directory, int *over)
{
    const struct cst_net_owner owner = {.owner = over,
                                        .admit = on_admit,
                                        .joined = on_joined,
                                        .gone = on_gone,
                                        .over = on_over,
                                        .message = on_message,
                                        .payload_into = on_payload,
                                        .dropped = on_dropped,
                                        .sent = on_sent};
    struct cst_net_options options = {.directory = directory};
    struct cst_limits limits = {.name = "visitor", .cores = 1, .memory = 1};
    struct cst_writer hello = {0};
    struct utsname system;
    struct cst_net *net;

    if (uname(&system) != 0)
        tap_bail("no name");
    limits.arch = system.machine;
    cst_put_hello(&hello, cst_kinds_table_hash(), &limits, 0);
    options.hello = hello.bytes;
    options.hello_size = hello.size;
    *over = 0;
    GO(cst_net_join(&options, &owner, &net));
    cst_writer_release(&hello);
    return net;
}

static void leave(struct cst_net *net, const int *over)
{
    cst_net_leave(net);
    while (!*over)
        if (cst_net_poll(net) == 0 && cst_net_doze(net))
            cst_net_sleep(net, 1000000);
    cst_net_close(net);
}

/* ---- The run ------------------------------------------------------------------ */

static int numbers[TASKS][SIZE];

static void submit(void)
{
    for (int i = 0; i < TASKS; i++) {
        const struct castell_access access = {.base = numbers[i],
                                              .size = sizeof(numbers[i]),
                                              .mode = CASTELL_INOUT};
        const struct castell_submission submission = {
            .kind = &add_kind, .accesses = &access, .accesses_count = 1};

        GO(castell_task_submit(&submission, NULL));
    }
}

static void visits(const char *directory, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        int over;
        struct cst_net *net = join(directory, &over);

        submit();
        if (i % DIE_EVERY == DIE_EVERY - 1)
            cst_net_close(net);
        else
            leave(net, &over);
        GO(castell_barrier());
    }
}

static int wrong_numbers(int want)
{
    int wrong = 0;

    for (int i = 0; i < TASKS; i++)
        for (int j = 0; j < SIZE; j++)
            wrong += numbers[i][j] != want;
    return wrong;
}

static int count_entries(const char *path)
{
    DIR *directory = opendir(path);
    int count = 0;

    while (directory && readdir(directory))
        count++;
    if (directory)
        (void)closedir(directory);
    return count;
}

int main(void)
{
    struct party party;
    size_t bytes;
    int descriptors, threads;

    party_begin(&party, 0, 1, 1);
    GO(castell_start_with(NULL));
    visits(party.directory, WARM);
    bytes = mallinfo2().uordblks;
    descriptors = count_entries("/proc/self/fd");
    threads = count_entries("/proc/self/task");
    visits(party.directory, ROUNDS);
    ok(wrong_numbers(WARM + ROUNDS) == 0,
       "%d visits of workers, and the result is right", ROUNDS);
    bytes = mallinfo2().uordblks - bytes;
    ok((ptrdiff_t)bytes < (ptrdiff_t)ROUNDS * BYTES_PER_JOIN,
       "they leave no memory behind (%d bytes for each)",
       (int)((ptrdiff_t)bytes / ROUNDS));
    ok(count_entries("/proc/self/fd") == descriptors, "no descriptor");
    ok(count_entries("/proc/self/task") == threads, "no thread");
    ok(castell_stop() == 0, "it stops well");
    ok(party_end(&party) == 0, "and nothing else is in the run's directory");
    return tap_done();
}
