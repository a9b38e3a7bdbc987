/*
 * net_bench.c - how fast messages are between two processes of this machine, by
 * TCP, through shared memory and over MPI, beside MPI alone.
 *
 *     mpirun -n 2 net_bench DIRECTORY   (see `make bench-net`)
 *
 * Both processes poll all the time. Of each figure the best of several rounds
 * is told: others may use the machine too.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "net/net.h"

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROUNDS = 25,
    PINGS = 500,
    SMALL = 64, /* bytes of a small message */
    DEPTH = 4,  /* payloads under way */
    SIZES = 2,
    CARRIERS = 3,
};

static const size_t sizes[SIZES] = {1 << 20, 16 << 20};
static const uint32_t counts[SIZES] = {24, 6};

struct figures {
    double round_trip_us;
    double rate[SIZES]; /* GB/s */
};

static char *memory[DEPTH];
static int self;

static void keep_best(struct figures *best, const struct figures *one)
{
    if (best->round_trip_us <= 0 || one->round_trip_us < best->round_trip_us)
        best->round_trip_us = one->round_trip_us;
    for (int i = 0; i < SIZES; i++)
        if (one->rate[i] > best->rate[i])
            best->rate[i] = one->rate[i];
}

static double since_us(uint64_t begin_ns)
{
    return (double)(cst_clock_ns() - begin_ns) / 1e3;
}

/* ---- MPI alone ---------------------------------------------------------------- */

static void finish(MPI_Request *request)
{
    int done = 0;

    while (!done)
        (void)MPI_Test(request, &done, MPI_STATUS_IGNORE);
}

static void mpi_ping(struct figures *figures)
{
    char bytes[SMALL] = "";
    uint64_t begin_ns = cst_clock_ns();

    for (int i = 0; i < PINGS; i++)
        for (int half = 0; half < 2; half++) {
            MPI_Request request;

            if (half == self)
                (void)MPI_Isend(bytes, SMALL, MPI_BYTE, !self, 1,
                                MPI_COMM_WORLD, &request);
            else
                (void)MPI_Irecv(bytes, SMALL, MPI_BYTE, !self, 1,
                                MPI_COMM_WORLD, &request);
            finish(&request);
        }
    figures->round_trip_us = since_us(begin_ns) / PINGS;
}

static void mpi_stream(struct figures *figures, int which)
{
    MPI_Request requests[DEPTH];
    uint64_t begin_ns = cst_clock_ns();
    char end = 0;

    for (uint32_t i = 0; i < counts[which] + DEPTH; i++) {
        if (i >= DEPTH)
            finish(&requests[i % DEPTH]);
        if (i >= counts[which])
            continue;
        if (self == 0)
            (void)MPI_Isend(memory[i % DEPTH], (int)sizes[which], MPI_BYTE, 1,
                            2, MPI_COMM_WORLD, &requests[i % DEPTH]);
        else
            (void)MPI_Irecv(memory[i % DEPTH], (int)sizes[which], MPI_BYTE, 0,
                            2, MPI_COMM_WORLD, &requests[i % DEPTH]);
    }
    if (self == 0)
        (void)MPI_Irecv(&end, 1, MPI_BYTE, 1, 3, MPI_COMM_WORLD, &requests[0]);
    else
        (void)MPI_Isend(&end, 1, MPI_BYTE, 0, 3, MPI_COMM_WORLD, &requests[0]);
    finish(&requests[0]);
    figures->rate[which] =
        (double)sizes[which] * counts[which] / since_us(begin_ns) / 1e3;
}

/* ---- Nets --------------------------------------------------------------------- */

static struct cst_net *net;
static uint64_t came; /* messages */
static uint32_t there;
static uint32_t under_way;
static bool over;

static bool on_admit(void *owner, const void *hello, size_t hello_size,
                     char *why)
{
    return true;
}

static void on_joined(void *owner, uint32_t peer, const void *hello,
                      size_t hello_size)
{
    there++;
}

static void on_gone(void *owner, uint32_t peer, enum cst_net_end how,
                    const char *why)
{
    there--;
}

static void on_over(void *owner, enum cst_net_over how, const char *why)
{
    over = true;
}

static void on_message(void *owner, uint32_t peer, const void *header,
                       size_t header_size, const struct cst_rows *into)
{
    came++;
}

static bool on_payload_into(void *owner, uint32_t peer, const void *header,
                            size_t header_size, size_t payload_size,
                            struct cst_rows *ret_into)
{
    uint32_t slot;

    memcpy(&slot, header, sizeof(slot));
    *ret_into = (struct cst_rows){memory[slot], payload_size, 1, payload_size};
    return true;
}

static void on_dropped(void *owner, uint32_t peer, const struct cst_rows *into)
{
}

static void on_sent(void *owner, uint32_t peer, void *cookie, bool arrived)
{
    under_way--;
}

static void on_log(void *owner, const char *sentence)
{
    printf("%s\n", sentence);
}

static void send_small(const void *bytes, size_t size)
{
    if (cst_net_send(net, !self, bytes, size, NULL))
        CST_BUG("a message cannot be sent");
    cst_net_flush(net);
}

static void await(uint64_t messages)
{
    while (came < messages)
        (void)cst_net_poll(net);
}

static void net_ping(struct figures *figures)
{
    char bytes[SMALL] = "";
    uint64_t begin_ns = cst_clock_ns();
    uint64_t before = came;

    for (uint64_t i = 1; i <= PINGS; i++) {
        if (self == 0)
            send_small(bytes, SMALL);
        await(before + i);
        if (self == 1)
            send_small(bytes, SMALL);
    }
    figures->round_trip_us = since_us(begin_ns) / PINGS;
}

static void net_stream(struct figures *figures, int which)
{
    uint64_t begin_ns = cst_clock_ns();
    uint64_t before = came;

    for (uint32_t i = 0; self == 0 && i < counts[which]; i++) {
        uint32_t slot = i % DEPTH;
        struct cst_net_payload payload = {
            {memory[slot], sizes[which], 1, sizes[which]}, NULL};

        while (under_way == DEPTH)
            (void)cst_net_poll(net);
        if (cst_net_send(net, 1, &slot, sizeof(slot), &payload))
            CST_BUG("a payload cannot be sent");
        cst_net_flush(net);
        under_way++;
    }
    if (self == 1) {
        await(before + counts[which]);
        send_small("", 1);
    } else {
        await(before + 1);
    }
    figures->rate[which] =
        (double)sizes[which] * counts[which] / since_us(begin_ns) / 1e3;
}

static const char *open_net(const char *directory, bool mpi, bool shm)
{
    static const struct cst_net_owner owner = {
        .admit = on_admit,
        .joined = on_joined,
        .gone = on_gone,
        .over = on_over,
        .message = on_message,
        .payload_into = on_payload_into,
        .dropped = on_dropped,
        .sent = on_sent,
        .log = on_log,
    };
    struct cst_net_options options = {
        .directory = directory,
        .address = "127.0.0.1",
        .mpi = mpi,
        .shm = shm,
        .modules = getenv("CASTELL_TEST_MODULES"),
    };
    struct cst_net_counts how;

    there = 0;
    came = 0;
    over = false;
    if (self == 0 ? cst_net_open(&options, &owner, &net)
                  : cst_net_join(&options, &owner, &net)) {
        printf("%s\n", castell_error_text());
        exit(1);
    }
    while (there == 0)
        (void)cst_net_poll(net);
    send_small("", 1);
    await(1);
    (void)cst_net_counts(net, !self, &how);
    return how.carrier;
}

static void close_net(void)
{
    if (self == 1)
        cst_net_leave(net);
    while (self == 1 ? !over : there > 0)
        (void)cst_net_poll(net);
    cst_net_close(net);
}

static void print(const char *name, const struct figures *one,
                  const struct figures *mpi)
{
    if (self == 1)
        return;
    printf("| %-8s | %6.2f | %5.2f |", name, one->round_trip_us,
           one->round_trip_us / mpi->round_trip_us);
    for (int i = 0; i < SIZES; i++)
        printf(" %5.2f | %4.2f |", one->rate[i], one->rate[i] / mpi->rate[i]);
    printf("\n");
}

static void measure_net(const char *directory, bool mpi, bool shm,
                        const struct figures *bare)
{
    const char *carrier = open_net(directory, mpi, shm);
    struct figures best = {0};
    struct cst_net_counts how;

    for (int i = 0; i < ROUNDS; i++) {
        struct figures one;

        net_ping(&one);
        for (int which = 0; which < SIZES; which++)
            net_stream(&one, which);
        keep_best(&best, &one);
    }
    if (cst_net_counts(net, !self, &how))
        carrier = how.carrier; /* by now */
    print(carrier, &best, bare);
    close_net();
}

int main(int argc, char **argv)
{
    struct figures bare = {0};
    int provided;

    if (argc != 2)
        return 2;
    (void)setenv("UCX_TLS", "^cma", 0); /* as the module does */
    (void)MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &provided);
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &self);
    for (int i = 0; i < DEPTH; i++) {
        memory[i] = cst_alloc(sizes[SIZES - 1]);
        if (!memory[i])
            return 1;
        memset(memory[i], 1, sizes[SIZES - 1]);
    }
    for (int i = 0; i < ROUNDS; i++) {
        struct figures one;

        mpi_ping(&one);
        for (int which = 0; which < SIZES; which++)
            mpi_stream(&one, which);
        keep_best(&bare, &one);
    }
    if (self == 0)
        printf("| carrier  | round trip, us | of MPI | 1 MiB, GB/s | of MPI | "
               "16 MiB, GB/s | of MPI |\n");
    print("MPI", &bare, &bare);
    measure_net(argv[1], false, false, &bare);
    measure_net(argv[1], false, true, &bare);
    measure_net(argv[1], true, false, &bare);
    (void)fflush(stdout);
    return 0;
}
