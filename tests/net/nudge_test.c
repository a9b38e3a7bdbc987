/*
 * A process that sleeps is woken before there is a message for it.
 */
#include "base/clock.h"
#include "harness/tap.h"
#include "net/side.h"

#include <unistd.h>

/* Returns false when it cannot; TAP is the parent's alone. */
static bool say(struct side *side, uint32_t to)
{
    if (cst_net_send(side->net, to, "x", 1, NULL))
        return false;
    cst_net_flush(side->net);
    return true;
}

/* Sleep until rung for nothing; say so. */
static int be_worker(const char *directory, void *argument)
{
    static struct side side;
    struct cst_net_options options = side_options(directory);
    uint64_t end = cst_clock_ns() + 20 * S;
    bool nudged = false;

    (void)argument;
    options.shm = true;
    side_init(&side);
    if (cst_net_join(&options, &side.owner, &side.net))
        return 1;
    if (!say(&side, CST_NET_MASTER)) /* so they come to share memory */
        return 3;
    while (!nudged && cst_clock_ns() < end) {
        uint64_t before = side.messages;

        if (cst_net_poll(side.net) == 0 && cst_net_doze(side.net))
            nudged = cst_net_sleep(side.net, S) &&
                     cst_net_poll(side.net) == 0 && side.messages == before;
    }
    if (!nudged || !say(&side, CST_NET_MASTER))
        return 2;
    cst_net_leave(side.net);
    while (!side.is_over)
        side_step(&side);
    cst_net_close(side.net);
    return 0;
}

int main(void)
{
    static struct side master;
    char *directory = side_directory();
    struct cst_net_options options = side_options(directory);
    uint64_t end = cst_clock_ns() + 20 * S;
    uint32_t nudges = 0;
    pid_t pid;

    options.shm = true;
    side_init(&master);
    if (cst_net_open(&options, &master.owner, &master.net))
        tap_bail(castell_error_text());
    ok(!cst_net_nudge(master.net, 1), "nobody is nudged who is not there");
    pid = side_fork(be_worker, directory, NULL);
    must(side_until64(&master, &master.messages, 1, 20000),
         "a worker is there");
    while (master.messages < 2 && master.gone == 0 && cst_clock_ns() < end) {
        nudges += cst_net_nudge(master.net, master.last_joined);
        side_step(&master);
    }
    ok(nudges > 0, "it sleeps and is nudged");
    ok(master.messages == 2, "it wakes up before it is told anything");
    ok(side_reap(&master, pid, 20000) == 0, "and ends well");
    cst_net_close(master.net);
    side_remove(directory);
    return tap_done();
}
