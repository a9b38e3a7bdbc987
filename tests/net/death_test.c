/*
 * death_test.c - processes that are killed, stopped, cut off, or cannot reach
 * each other; and that the others go on.
 */
#include "conn/rundir.h"
#include "harness/tap.h"
#include "net/mesh.h"
#include "net/side.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DEAD_MS = 2000 };

static struct side master;

static struct cst_net_options quick(const char *directory)
{
    struct cst_net_options options = side_options(directory);

    options.heartbeat_ns = 50 * MS;
    options.dead_ns = DEAD_MS * MS;
    return options;
}

static char *open_master(void)
{
    char *directory = side_directory();
    struct cst_net_options options = quick(directory);

    side_init(&master);
    if (cst_net_open(&options, &master.owner, &master.net))
        tap_bail(castell_error_text());
    return directory;
}

static void close_master(char *directory)
{
    cst_net_close(master.net);
    side_remove(directory);
}

/*
 * A worker that says hello to the master, and to everybody whom it hears of
 * when argument is not NULL. Exits with 10 + its enum cst_net_over, or more when
 * somebody was gone before: 20 + ...
 */
static int work(const char *directory, void *argument)
{
    static struct side side;
    struct cst_net_options options = quick(directory);
    uint32_t greeted = 0;

    side_init(&side);
    if (cst_net_join(&options, &side.owner, &side.net))
        return 1;
    do {
        for (; greeted < SIDE_PEERS && side.state[greeted] == 1; greeted++)
            if ((greeted == 0 || argument) &&
                cst_net_send(side.net, greeted, "hello", 5, NULL))
                return 2;
        if (greeted == cst_net_self(side.net))
            greeted++;
        side_step(&side);
    } while (!side.is_over);
    cst_net_close(side.net);
    return (side.gone ? 20 : 10) + (int)side.over;
}

static void test_killed(void)
{
    char *directory = open_master();
    pid_t first = side_fork(work, directory, NULL);
    pid_t second;

    must(side_until64(&master, &master.messages, 1, 20000),
         "a worker is there");
    second = side_fork(work, directory, &second);
    must(side_until64(&master, &master.messages, 2, 20000), "and another");
    kill(first, SIGKILL);
    ok(side_until(&master, &master.gone, 1, 20000) && master.last_gone == 1 &&
           master.last_end == CST_NET_DIED,
       "a killed worker is dead: %s", master.last_why);
    ok(strstr(master.last_why, "connection"),
       "and that is noticed by its connection, not by its silence");
    ok(side_reap(NULL, first, 10000) == 128 + SIGKILL, "so it is");
    kill(second, SIGSTOP);
    ok(side_until(&master, &master.gone, 2, 20000) && master.last_gone == 2 &&
           strstr(master.last_why, "nothing was heard"),
       "one that is stopped is dead: %s", master.last_why);
    kill(second, SIGCONT);
    ok(side_reap(&master, second, 10000) == 20 + CST_NET_OVER_SENT_AWAY,
       "when it comes back it is told to go; it heard of the other's death");
    ok(!master.errors, "all in order");
    close_master(directory);
}

/* ---- The master dies --------------------------------------------------------------- */

static int be_master(const char *directory, void *argument)
{
    struct cst_net_options options = quick(directory);

    side_init(&master);
    if (cst_net_open(&options, &master.owner, &master.net))
        return 1;
    side_until64(&master, &master.messages, 1, 20000);
    return 0; /* without closing: as if killed */
}

static void test_master_lost(void)
{
    char *directory = side_directory();
    pid_t pid = side_fork(be_master, directory, NULL);

    ok(side_reap(NULL, side_fork(work, directory, NULL), 20000) ==
           10 + CST_NET_OVER_MASTER_LOST,
       "a worker without its master is at its end");
    ok(side_reap(NULL, pid, 10000) == 0, "its master had died");
    side_remove(directory);
}

/* ---- A cable --------------------------------------------------------------------- */

enum { WIRES = 16 };

/* Carries bytes between a port of its own and the master's, until it is cut:
   then it reads nothing more, and closes nothing. */
struct cable {
    int listener;
    uint16_t port;
    uint16_t to;
    int pair[WIRES][2];
    int count;
};

static void cable_open(struct cable *cable, uint16_t to)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);

    cable->to = to;
    cable->count = 0;
    cable->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (cable->listener < 0 ||
        bind(cable->listener, (struct sockaddr *)&address, size) ||
        listen(cable->listener, WIRES) ||
        getsockname(cable->listener, (struct sockaddr *)&address, &size))
        tap_bail("no cable");
    cable->port = ntohs(address.sin_port);
}

static void cable_close(struct cable *cable)
{
    for (int i = 0; i < cable->count; i++) {
        close(cable->pair[i][0]);
        close(cable->pair[i][1]);
    }
    close(cable->listener);
}

static void cable_step(struct cable *cable)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons(cable->to)};
    static char bytes[4096];
    int fd = cable->count < WIRES ? accept(cable->listener, NULL, NULL) : -1;

    if (fd >= 0) {
        cable->pair[cable->count][0] = fd;
        fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
            tap_bail("no cable");
        cable->pair[cable->count++][1] = fd;
    }
    for (int i = 0; i < cable->count; i++)
        for (int side = 0; side < 2; side++) {
            ssize_t got =
                recv(cable->pair[i][side], bytes, sizeof(bytes), MSG_DONTWAIT);

            if (got > 0 && send(cable->pair[i][!side], bytes, (size_t)got,
                                MSG_NOSIGNAL) < 0)
                return;
        }
}

static void copy_secret(const char *from, const char *to)
{
    char path[128];
    char secret[CST_SECRET_SIZE];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/secret", from);
    fd = open(path, O_RDONLY);
    if (fd < 0 || read(fd, secret, sizeof(secret)) != sizeof(secret))
        tap_bail("no secret");
    close(fd);
    (void)snprintf(path, sizeof(path), "%s/secret", to);
    fd = open(path, O_WRONLY);
    if (fd < 0 || write(fd, secret, sizeof(secret)) != sizeof(secret))
        tap_bail("no copy of the secret");
    close(fd);
}

static void test_cut(void)
{
    char *directory = open_master();
    char *far_away = side_directory();
    struct cst_mesh *mesh = (struct cst_mesh *)master.net;
    struct cst_where where;
    struct cable cable;
    pid_t pid;

    /* The far worker knows the secret, and another way to the master. */
    if (cst_rundir_read(directory, &where))
        tap_bail(castell_error_text());
    cable_open(&cable, where.port);
    copy_secret(directory, far_away);
    where.port = cable.port;
    if (cst_rundir_write(far_away, &where))
        tap_bail(castell_error_text());
    mesh->links.conns.where.port =
        cable.port; /* what it tells of its data links */
    pid = side_fork(work, far_away, NULL);
    while (master.messages == 0) {
        side_step(&master);
        cable_step(&cable);
    }
    ok(master.there == 1, "a worker is there, at the end of a cable");
    ok(side_until(&master, &master.gone, 1, 20000) &&
           strstr(master.last_why, "nothing was heard"),
       "the cable is cut, and it is dead: %s", master.last_why);
    ok(side_reap(&master, pid, 20000) == 10 + CST_NET_OVER_MASTER_LOST,
       "to it, the master is lost");
    cable_close(&cable);
    close_master(directory);
    side_remove(far_away);
}

/* ---- Two workers that cannot reach each other ----------------------------------------- */

/* A worker with whom nobody can connect. */
static int be_deaf(const char *directory, void *argument)
{
    static struct side side;
    struct cst_net_options options = quick(directory);
    struct cst_mesh *mesh;

    side_init(&side);
    if (cst_net_join(&options, &side.owner, &side.net) ||
        cst_net_send(side.net, 0, "hello", 5, NULL))
        return 1;
    mesh = (struct cst_mesh *)side.net;
    cst_conn_close(&mesh->links.conns, mesh->links.conns.listener);
    while (!side.is_over)
        side_step(&side);
    cst_net_close(side.net);
    return 10 + (int)side.over;
}

static void test_unreachable(void)
{
    char *directory = open_master();
    pid_t deaf = side_fork(be_deaf, directory, NULL);
    pid_t second;
    pid_t third;

    must(side_until64(&master, &master.messages, 1, 20000), "a deaf worker");
    second = side_fork(work, directory, &second);
    ok(side_until(&master, &master.gone, 1, 20000) && master.last_gone == 2,
       "who first cannot reach it must go: %s", master.last_why);
    third = side_fork(work, directory, &third);
    ok(side_until(&master, &master.gone, 2, 20000) && master.last_gone == 1,
       "when another cannot either, it must go itself: %s", master.last_why);
    cst_net_close(master.net);
    ok(side_reap(NULL, deaf, 10000) == 10 + CST_NET_OVER_SENT_AWAY &&
           side_reap(NULL, second, 10000) == 10 + CST_NET_OVER_SENT_AWAY &&
           side_reap(NULL, third, 10000) == 20 + CST_NET_OVER_SENT_AWAY,
       "and all know it");
    side_remove(directory);
}

int main(void)
{
    test_killed();
    test_master_lost();
    test_cut();
    test_unreachable();
    return tap_done();
}
