/*
 * early_test.c - what is said to a process before it is known comes to it.
 */
#include "harness/tap.h"
#include "net/side.h"

static struct side master;

/* Speak to process 2, which is not there, and stay until it has heard. */
static int speak_early(const char *directory, void *argument)
{
    static struct side side;
    static char content[3 * 4096];
    struct cst_net_options options = side_options(directory);
    struct cst_net_payload payload = {{content, 4096, 3, 4096}, content};

    side_init(&side);
    if (cst_net_join(&options, &side.owner, &side.net))
        return 1;
    if (cst_net_send(side.net, 2, "small", 5, NULL) ||
        cst_net_send(side.net, 2, "large", 5, &payload) ||
        cst_net_send(side.net, 0, "said", 4, NULL))
        return 2;
    while (!side.is_over && side.sent + side.not_sent == 0)
        side_step(&side);
    cst_net_leave(side.net);
    while (!side.is_over)
        side_step(&side);
    cst_net_close(side.net);
    return side.errors || side.sent != 1 ? 3 : 10 + (int)side.over;
}

/* Hear of it, and that who spoke has left. */
static int hear(const char *directory, void *argument)
{
    static struct side side;
    struct cst_net_options options = side_options(directory);

    side_init(&side);
    if (cst_net_join(&options, &side.owner, &side.net))
        return 1;
    while (!side.is_over && (side.messages < 1 || side.gone < 1))
        side_step(&side);
    cst_net_leave(side.net);
    while (!side.is_over)
        side_step(&side);
    cst_net_close(side.net);
    return side.errors ? 2 : 10 + (int)side.over;
}

/* An order to send to a process may overtake the news that it has come. */
static void test_early(void)
{
    char *directory = side_directory();
    struct cst_net_options options = side_options(directory);
    pid_t early;
    pid_t late;

    side_init(&master);
    must(cst_net_open(&options, &master.owner, &master.net) == CASTELL_OK,
         "a run");
    early = side_fork(speak_early, directory, NULL);
    must(side_until64(&master, &master.messages, 1, 20000), "one has spoken");
    ok(cst_net_send(master.net, 2, "x", 1, NULL) == CASTELL_ERR_NODE_LOST,
       "the master knows that there is no process 2");
    late = side_fork(hear, directory, NULL);
    ok(side_reap(&master, late, 20000) == 10 + CST_NET_OVER_LEFT,
       "process 2 comes, and hears what was said to it before");
    ok(side_reap(&master, early, 20000) == 10 + CST_NET_OVER_LEFT,
       "who said it knows that it was heard");
    cst_net_close(master.net);
    side_remove(directory);
}

int main(void)
{
    test_early();
    return tap_done();
}
