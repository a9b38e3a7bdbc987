/*
 * join_test.c - who may join a run, who may not, and that strangers at the port
 * do no harm.
 */
#include "base/clock.h"
#include "conn/frames.h"
#include "conn/rundir.h"
#include "harness/tap.h"
#include "net/side.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MANY = 1000, FLOOD = 200 };

/* ---- Orderly ------------------------------------------------------------------ */

/* Join, stay until told to go, leave. */
static int stay(const char *directory, void *argument)
{
    static struct side side;
    struct cst_net_options options = side_options(directory);

    side_init(&side);
    options.hello = "hello";
    options.hello_size = 5;
    if (cst_net_join(&options, &side.owner, &side.net))
        return 1;
    if (cst_net_send(side.net, 0, "I am here", 9, NULL))
        return 3;
    while (!side.is_over)
        side_step(&side);
    cst_net_close(side.net);
    return side.errors ? 2 : 10 + (int)side.over;
}

static int join_and_leave(const char *directory, void *argument)
{
    static struct side side;
    struct cst_net_options options = side_options(directory);
    uint32_t descriptors = 0;
    uint32_t number = 0;

    for (int i = 0; i < *(int *)argument; i++) {
        side_init(&side);
        if (cst_net_join(&options, &side.owner, &side.net))
            return 1;
        if (cst_net_self(side.net) <= number || side.state[0] != 1)
            return 2;
        number = cst_net_self(side.net);
        if (cst_net_send(side.net, 0, "x", 1, NULL))
            return 3;
        cst_net_leave(side.net);
        while (!side.is_over)
            side_step(&side);
        cst_net_close(side.net);
        if (side.over != CST_NET_OVER_LEFT || side.errors)
            return 4;
        if (i == 0)
            descriptors = side_descriptors();
    }
    return side_descriptors() == descriptors ? 0 : 5;
}

static char hello_seen[64];

static void note_hello(void *owner, uint32_t peer, const void *hello,
                       size_t hello_size)
{
    struct side *side = owner;

    side->there++;
    side->state[peer] = 1;
    (void)snprintf(hello_seen, sizeof(hello_seen), "%.*s", (int)hello_size,
                   (const char *)hello);
}

static struct side master;
static _Atomic(bool) awake;

static char *open_master(void)
{
    char *directory = side_directory();
    struct cst_net_options options = side_options(directory);

    options.hello = "master";
    options.hello_size = 6;
    options.shake_ns = 300 * MS;
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

static void test_orderly(void)
{
    char *directory = open_master();
    int count = MANY;
    uint32_t descriptors;
    pid_t pids[2];

    master.owner.joined = note_hello;
    cst_net_close(master.net);
    {
        struct cst_net_options options = side_options(directory);

        if (cst_net_open(&options, &master.owner, &master.net))
            tap_bail(castell_error_text());
    }
    pids[0] = side_fork(stay, directory, NULL);
    pids[1] = side_fork(stay, directory, NULL);
    must(side_until(&master, &master.there, 2, 20000), "two workers join");
    ok(strcmp(hello_seen, "hello") == 0, "their hello comes: %s", hello_seen);
    must(side_until64(&master, &master.messages, 2, 20000), "and say so");
    cst_net_expel(master.net, 1, "we have enough");
    ok(master.gone == 1 && master.last_end == CST_NET_SENT_AWAY &&
           strcmp(master.last_why, "we have enough") == 0,
       "one is sent away");
    ok(cst_net_send(master.net, 1, "x", 1, NULL) == CASTELL_ERR_NODE_LOST,
       "and gets no message any more");
    cst_net_close(master.net);
    ok(side_reap(NULL, pids[0], 10000) == 10 + CST_NET_OVER_SENT_AWAY &&
           side_reap(NULL, pids[1], 10000) == 10 + CST_NET_OVER_SENT_AWAY,
       "both know it: one by name, the other by the end of the run");
    side_remove(directory);

    directory = open_master();
    descriptors = side_descriptors();
    pids[0] = side_fork(join_and_leave, directory, &count);
    ok(side_reap(&master, pids[0], 60000) == 0, "%d joins and leaves", MANY);
    ok(master.joined == MANY && master.gone == MANY && !master.errors &&
           master.messages == MANY && master.last_joined == MANY,
       "each was heard, and had a number of its own");
    ok(side_descriptors() == descriptors, "no descriptor was left");
    close_master(directory);
}

/* ---- Refused --------------------------------------------------------------------- */

/* Try to join; the error's text goes to the file descriptor. */
static int try_join(const char *directory, void *argument)
{
    static struct side side;
    struct cst_net_options options = side_options(directory);
    enum castell_status status;
    const char *text;

    side_init(&side);
    options.join_ns = 2 * S;
    status = cst_net_join(&options, &side.owner, &side.net);
    text = castell_error_text();
    if (write(*(int *)argument, text, strlen(text) + 1) < 0)
        return 99;
    return -(int)status;
}

/* The status of a try to join, and what it said. */
static int tried(const char *directory, char *ret_text, size_t capacity)
{
    ssize_t got;
    int pipes[2];
    int status;

    if (pipe(pipes))
        tap_bail("no pipe");
    status =
        side_reap(&master, side_fork(try_join, directory, &pipes[1]), 20000);
    got = read(pipes[0], ret_text, capacity - 1);
    ret_text[got > 0 ? got : 0] = '\0';
    close(pipes[0]);
    close(pipes[1]);
    return -status;
}

/* The master's file in another run's directory, which has another secret. */
static char *copy_directory(const char *directory)
{
    char *other = side_directory();
    struct cst_where where;

    if (cst_rundir_read(directory, &where) || cst_rundir_write(other, &where))
        tap_bail(castell_error_text());
    return other;
}

static void test_refused(void)
{
    char *directory = open_master();
    char *other = copy_directory(directory);
    char text[512];
    char path[128];

    master.refuse_all = true;
    ok(tried(directory, text, sizeof(text)) == CASTELL_ERR_UNSATISFIABLE &&
           strstr(text, "no room for 0 bytes of hello"),
       "the owner refuses: %s", text);
    ok(strstr(master.last_log, "was refused"), "and it is logged: %s",
       master.last_log);
    master.refuse_all = false;
    ok(tried(other, text, sizeof(text)) == CASTELL_ERR_UNSATISFIABLE &&
           strstr(text, "secret"),
       "who has another secret does not join: %s", text);

    (void)snprintf(path, sizeof(path), "%s/secret", other);
    ok(!chmod(path, 0640) &&
           tried(other, text, sizeof(text)) == CASTELL_ERR_INVALID &&
           strstr(text, "0640") && strstr(text, "0600"),
       "a secret for the group is none: %s", text);
    ok(!chmod(path, 0600) && !chmod(other, 0711) &&
           tried(other, text, sizeof(text)) == CASTELL_ERR_INVALID &&
           strstr(text, "0711"),
       "nor is one in a directory for others: %s", text);
    ok(!chmod(other, 0700) && !truncate(path, 31) &&
           tried(other, text, sizeof(text)) == CASTELL_ERR_INVALID,
       "nor one of 31 bytes: %s", text);
    must(!unlink(path) && !symlink("/dev/zero", path), "a link is made");
    ok(tried(other, text, sizeof(text)) == CASTELL_ERR_INVALID,
       "nor a symbolic link: %s", text);
    must(!unlink(path), "and removed");
    ok(tried(other, text, sizeof(text)) == CASTELL_ERR_INVALID, "nor none: %s",
       text);
    must(cst_rundir_make_secret(other) == CASTELL_OK, "a secret is made");
    ok(cst_rundir_make_secret(other) == CASTELL_ERR_SYSTEM,
       "a secret is made once: %s", castell_error_text());
    (void)snprintf(path, sizeof(path), "%s/master", other);
    ok(!unlink(path) &&
           tried(other, text, sizeof(text)) == CASTELL_ERR_NODE_LOST,
       "no master in time: %s", text);
    ok(master.joined == 0, "nobody joined");
    side_remove(other);
    close_master(directory);
}

/* ---- Strangers --------------------------------------------------------------------- */

/* A raw connection to the master's port. */
static int knock(const char *directory)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct cst_where where;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (cst_rundir_read(directory, &where))
        tap_bail(castell_error_text());
    address.sin_port = htons(where.port);
    (void)inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
        tap_bail("cannot connect");
    return fd;
}

/* Does the master close it within that time? Drops what it says before; or
   keeps it, when there is room. */
static bool is_closed(int fd, uint32_t ms, uint8_t *bytes, size_t *size)
{
    uint64_t end = cst_clock_ns() + ms * MS;
    uint8_t waste[256];
    size_t capacity = size ? *size : 0;

    if (size)
        *size = 0;
    while (cst_clock_ns() < end) {
        ssize_t got =
            size && *size < capacity
                ? recv(fd, bytes + *size, capacity - *size, MSG_DONTWAIT)
                : recv(fd, waste, sizeof(waste), MSG_DONTWAIT);

        if (got == 0 || (got < 0 && errno != EAGAIN))
            return true;
        if (got > 0 && size)
            *size += (size_t)got;
        side_step(&master);
    }
    return false;
}

static void say(int fd, const void *bytes, size_t size)
{
    if (send(fd, bytes, size, MSG_NOSIGNAL) != (ssize_t)size)
        tap_bail("cannot send");
}

static bool has_text(const uint8_t *bytes, size_t size, const char *text)
{
    return memmem(bytes, size, text, strlen(text)) != NULL;
}

/* A hello, and perhaps what comes behind it. */
static int say_hello(const char *directory, uint16_t version)
{
    struct cst_shake_hello hello = {.version = version,
                                    .kind = CST_LINK_CONTROL};
    struct cst_writer writer = {0};
    int fd = knock(directory);

    cst_put_shake_hello(&writer, &hello);
    say(fd, writer.bytes, writer.size);
    cst_writer_release(&writer);
    return fd;
}

static void test_garbage(const char *directory)
{
    static const char http[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    uint8_t bytes[512] = {CST_SEGMENT_JOIN};
    size_t size;
    int fd;

    fd = knock(directory);
    say(fd, http, sizeof(http) - 1);
    ok(is_closed(fd, 5000, NULL, NULL), "a web browser is shown the door");
    close(fd);
    fd = knock(directory);
    say(fd, bytes, CST_SEGMENT_PREFIX);
    ok(is_closed(fd, 5000, NULL, NULL), "so is who joins without a proof");
    close(fd);
    ok(strstr(master.log, "garbage") && master.logged == 1,
       "that is logged once: %s", master.last_log);

    fd = say_hello(directory, CST_NET_VERSION + 1);
    size = sizeof(bytes);
    ok(is_closed(fd, 5000, bytes, &size) &&
           has_text(bytes, size, "this run speaks version 1, not version 2"),
       "another version is told so");
    close(fd);

    fd = say_hello(directory, CST_NET_VERSION);
    memset(bytes, 0, sizeof(bytes));
    bytes[0] = CST_SEGMENT_PROOF;
    bytes[4] = CST_PROOF_SIZE;
    say(fd, bytes, CST_SEGMENT_PREFIX + CST_PROOF_SIZE);
    size = sizeof(bytes);
    ok(is_closed(fd, 5000, bytes, &size) &&
           has_text(bytes, size, "you do not know this run's secret"),
       "a wrong proof is told so");
    close(fd);

    fd = say_hello(directory, CST_NET_VERSION);
    memset(bytes, 0, sizeof(bytes));
    bytes[0] = CST_SEGMENT_PROOF;
    bytes[4] = CST_PROOF_SIZE;
    ok(is_closed(fd, 5000, NULL, NULL), "half a handshake ends in time");
    close(fd);
    ok(strstr(master.log, "in time"), "and is logged: %s", master.last_log);
}

/* The proof of one connection, on another. */
static void test_replay(const char *directory)
{
    uint8_t bytes[256];
    uint8_t proof[CST_SEGMENT_PREFIX + CST_PROOF_SIZE] = {CST_SEGMENT_PROOF, 0,
                                                          0, 0, CST_PROOF_SIZE};
    ssize_t got = 0;
    size_t size = sizeof(bytes);
    int fd = say_hello(directory, CST_NET_VERSION);

    /* The server's own proof, sent back to it. */
    for (int i = 0; i < 500 && got < 72; i++) {
        side_step(&master);
        got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_PEEK);
    }
    must(got == CST_SEGMENT_PREFIX + CST_NONCE_SIZE + CST_PROOF_SIZE,
         "the master proves itself first");
    memcpy(proof + CST_SEGMENT_PREFIX,
           bytes + CST_SEGMENT_PREFIX + CST_NONCE_SIZE, CST_PROOF_SIZE);
    say(fd, proof, sizeof(proof));
    ok(is_closed(fd, 5000, bytes, &size) && has_text(bytes, size, "secret"),
       "its own proof is none of ours");
    close(fd);
}

static void test_flood(const char *directory)
{
    int fds[FLOOD];
    uint32_t descriptors = side_descriptors();
    int one = 1;

    for (int i = 0; i < FLOOD; i++) {
        fds[i] = knock(directory);
        if (i % 8 == 0)
            side_step(&master);
    }
    side_run(&master, 50);
    ok(side_descriptors() <= descriptors + FLOOD + 64,
       "%d strangers hold no more than 64 descriptors", FLOOD);
    ok(side_reap(&master, side_fork(join_and_leave, directory, &one), 20000) ==
           0,
       "a worker joins all the same");
    ok(strstr(master.log, "strangers"), "the flood is logged");
    side_run(&master, 500);
    ok(side_descriptors() == descriptors + FLOOD,
       "and when their time is over, none is left");
    for (int i = 0; i < FLOOD; i++)
        close(fds[i]);
}

static void test_strangers(void)
{
    char *directory = open_master();

    test_garbage(directory);
    test_replay(directory);
    test_flood(directory);
    ok(master.joined == 1 && master.gone == 1 && !master.errors,
       "the run saw one worker come and go");
    close_master(directory);
}

/* ---- Sleep ------------------------------------------------------------------------ */

static void *sleep_long(void *argument)
{
    uint64_t *naps = argument;

    /* Heartbeats end a sleep too: only a wake ends all of them. */
    while (!atomic_load(&awake)) {
        cst_net_sleep(master.net, 1000 * S);
        ++*naps;
    }
    return NULL;
}

static void test_wake(void)
{
    char *directory = open_master();
    uint64_t naps = 0;
    pthread_t thread;

    (void)cst_net_poll(master.net);
    ok(cst_net_doze(master.net), "nothing is there: it may sleep");
    if (pthread_create(&thread, NULL, sleep_long, &naps))
        tap_bail("no thread");
    (void)usleep(20000);
    atomic_store(&awake, true);
    cst_net_wake(master.net);
    ok(pthread_join(thread, NULL) == 0 && naps < 10,
       "a thread that sleeps is woken by another");
    close_master(directory);
}

static void expel_at_once(void *owner, uint32_t peer, const void *hello,
                          size_t hello_size)
{
    cst_net_expel(((struct side *)owner)->net, peer, "not now");
}

static int come_and_go(const char *directory, void *argument)
{
    static struct side side;
    struct cst_net_options options = side_options(directory);

    side_init(&side);
    if (cst_net_join(&options, &side.owner, &side.net))
        return 1;
    while (!side.is_over)
        side_step(&side);
    cst_net_close(side.net);
    return side.errors ? 2 : 10 + (int)side.over;
}

static void test_expelled(void)
{
    char *directory = side_directory();
    struct cst_net_options options = side_options(directory);
    int wrong = 0;

    side_init(&master);
    master.owner.joined = expel_at_once;
    must(!cst_net_open(&options, &master.owner, &master.net), "a master");
    for (int i = 0; i < 20; i++)
        wrong += side_reap(&master, side_fork(come_and_go, directory, NULL),
                           5000) != 10 + CST_NET_OVER_SENT_AWAY;
    ok(wrong == 0, "who is welcome and told to go in one breath has been in");
    close_master(directory);
}

int main(void)
{
    test_wake();
    test_expelled();
    test_orderly();
    test_refused();
    test_strangers();
    return tap_done();
}
