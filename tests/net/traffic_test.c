/*
 * traffic_test.c - thousands of messages of random sizes and shapes between
 * three processes, all to all at once, arrive whole, once and in order; also
 * while their connections are being cut.
 *
 * Called as `traffic.t DIRECTORY MODE` it is one process of an MPI world: see
 * mpi.t. Modes: peace; near, with memory that they share; cuts, as above; silent: one process's MPI sends nothing
 * any more; kill: one process is killed.
 */
#include "base/memory.h"
#include "harness/tap.h"
#include "link/mpi.h"
#include "net/side.h"
#include "wire/wire.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SIDES = 3,
    MESSAGES = 1500, /* to each */
    PAYLOAD_EVERY = 4,
    ROWS_MAX = 40,
    ROW_MAX = 5000,
    BIG = 3 << 20,
};

struct payload {
    struct cst_rows rows;
    uint8_t *memory;
};

struct traffic {
    struct side side;
    uint64_t random;
    uint32_t sent[SIDES];
    uint32_t came[SIDES];        /* messages, of each */
    uint32_t outstanding[SIDES]; /* payloads, to each */
    uint32_t refused[SIDES];     /* of those, not arrived */
    uint32_t due_small[SIDES];   /* the number that must come next */
    uint32_t due_bulk[SIDES];
    uint32_t arrived; /* messages, of all */
    uint32_t wrong;
    bool may_lose; /* somebody is going to be killed */
    bool cuts;     /* break connections now and then */
    bool pulled;   /* payloads were read from the memory of process 1 */
    uint32_t cut_count;
    uint32_t haunted; /* payloads that MPI may still read */
    void (*each)(struct traffic *traffic); /* with each step */
};

static uint64_t draw(struct traffic *traffic, uint64_t limit)
{
    traffic->random =
        traffic->random * 6364136223846793005u + 1442695040888963407u;
    return (traffic->random >> 33) % limit;
}

/* Memory for rows of that many bytes in all; the bytes between them are 0xA5. */
static struct payload *payload_create(struct traffic *traffic, size_t size)
{
    struct payload *payload = malloc(sizeof(*payload));
    size_t count = 1 + draw(traffic, ROWS_MAX);

    if (!payload)
        tap_bail("no memory");
    while (size % count)
        count--;
    payload->rows.rows = count;
    payload->rows.size = size / count;
    payload->rows.pitch = size / count + draw(traffic, 30);
    payload->memory = malloc(payload->rows.pitch * count);
    if (!payload->memory)
        tap_bail("no memory");
    memset(payload->memory, 0xA5, payload->rows.pitch * count);
    payload->rows.base = payload->memory;
    return payload;
}

static bool payload_is_clean(const struct payload *payload)
{
    const struct cst_rows *rows = &payload->rows;

    for (size_t row = 0; row + 1 < rows->rows; row++)
        for (size_t i = rows->size; i < rows->pitch; i++)
            if (payload->memory[row * rows->pitch + i] != 0xA5)
                return false;
    return true;
}

static void payload_free(struct payload *payload)
{
    free(payload->memory);
    free(payload);
}

static void send_one(struct traffic *traffic, uint32_t to)
{
    uint32_t number = traffic->sent[to]++;
    uint32_t seed = number * 7 + traffic->side.net->self * 1000003;
    struct cst_writer header = {0};
    struct cst_net_payload out;
    struct payload *payload = NULL;
    size_t filler =
        draw(traffic, 10) ? draw(traffic, 200) : draw(traffic, 60000);
    size_t size = 0;

    if (number % PAYLOAD_EVERY == 0) {
        size = 1 + draw(traffic, ROW_MAX) * (1 + draw(traffic, ROWS_MAX));
        if (draw(traffic, 50) == 0)
            size = BIG + draw(traffic, BIG);
        payload = payload_create(traffic, size);
        side_rows(&payload->rows, seed, true);
        out.from = payload->rows;
        out.cookie = payload;
        traffic->outstanding[to]++;
    }
    cst_put_u32(&header, number);
    cst_put_u32(&header, seed);
    cst_put_u64(&header, size);
    while (header.size < 16 + filler)
        cst_put_u8(&header, side_byte(seed + 1, header.size));
    if (cst_net_send(traffic->side.net, to, header.bytes, header.size,
                     payload ? &out : NULL))
        tap_bail(castell_error_text());
    cst_writer_release(&header);
}

static bool on_payload_into(void *owner, uint32_t peer, const void *header,
                            size_t header_size, size_t payload_size,
                            struct cst_rows *ret_into)
{
    struct traffic *traffic = ((struct side *)owner)->user;
    struct cst_reader reader;
    struct payload *payload;
    uint32_t number;

    cst_reader_init(&reader, header, header_size);
    number = cst_get_u32(&reader);
    (void)cst_get_u32(&reader);
    traffic->wrong += cst_get_u64(&reader) != payload_size;
    if (number % 37 == 0)
        return false; /* not wanted */
    payload = payload_create(traffic, payload_size);
    *ret_into = payload->rows;
    free(payload); /* the memory itself is found again as the base */
    return true;
}

static void on_message(void *owner, uint32_t peer, const void *bytes,
                       size_t size, const struct cst_rows *into)
{
    struct traffic *traffic = ((struct side *)owner)->user;
    struct cst_reader reader;
    uint32_t number;
    uint32_t seed;
    uint64_t payload_size;

    cst_reader_init(&reader, bytes, size);
    number = cst_get_u32(&reader);
    seed = cst_get_u32(&reader);
    payload_size = cst_get_u64(&reader);
    if (payload_size) {
        traffic->wrong += number != traffic->due_bulk[peer];
        traffic->due_bulk[peer] = number + PAYLOAD_EVERY;
        traffic->wrong += (into == NULL) != (number % 37 == 0);
    } else {
        traffic->wrong += number != traffic->due_small[peer];
        traffic->due_small[peer] =
            number + 1 + ((number + 1) % PAYLOAD_EVERY == 0);
    }
    for (size_t i = 16; i < size; i++)
        if (((const uint8_t *)bytes)[i] != side_byte(seed + 1, i)) {
            traffic->wrong++;
            break;
        }
    if (into) {
        struct payload payload = {*into, into->base};

        traffic->wrong += !side_rows(into, seed, false);
        traffic->wrong += !payload_is_clean(&payload);
        free(into->base);
    }
    traffic->arrived++;
    traffic->came[peer]++;
}

static void on_sent(void *owner, uint32_t peer, void *cookie, bool arrived)
{
    struct traffic *traffic = ((struct side *)owner)->user;

    traffic->refused[peer] += !arrived; /* right when it is gone in a moment */
    traffic->outstanding[peer]--;
    payload_free(cookie);
}

/* It stays, and may be anything. */
static void on_haunted(void *owner, uint32_t peer, void *cookie, bool arrived)
{
    struct traffic *traffic = ((struct side *)owner)->user;
    const struct cst_rows *rows = &((struct payload *)cookie)->rows;

    traffic->refused[peer] += !arrived;
    traffic->outstanding[peer]--;
    traffic->haunted++;
    memset(rows->base, 0xee, rows->rows * rows->pitch);
}

static void on_dropped(void *owner, uint32_t peer, const struct cst_rows *into)
{
    free(into->base);
}

/* Break the data connection to somebody, in the middle of whatever it does. */
static void cut_one(struct traffic *traffic)
{
    struct cst_links *links = (struct cst_links *)traffic->side.net;
    struct cst_peer *peer =
        cst_link_peer(links, (uint32_t)draw(traffic, SIDES));

    if (!peer || !peer->link || !peer->link->conn)
        return;
    (void)shutdown(peer->link->conn->fd, SHUT_RDWR);
    traffic->cut_count++;
}

/* What was told to be wrong, or not told as promised. */
static uint32_t count_wrong(const struct traffic *traffic)
{
    uint32_t wrong = traffic->wrong + traffic->side.errors;

    for (uint32_t i = 0; i < SIDES; i++)
        if (traffic->refused[i] && traffic->side.state[i] == 1)
            wrong++;
    return wrong;
}

/* Nothing more to send to that one, nor to come from it? */
static bool is_done(const struct traffic *traffic, uint32_t peer)
{
    return peer == cst_net_self(traffic->side.net) ||
           (traffic->may_lose && traffic->side.state[peer] == 2) ||
           (traffic->sent[peer] == MESSAGES &&
            traffic->came[peer] == MESSAGES && traffic->outstanding[peer] == 0);
}

static bool all_done(const struct traffic *traffic)
{
    for (uint32_t i = 0; i < SIDES; i++)
        if (!is_done(traffic, i))
            return false;
    return true;
}

/* Asked while the other is there: who leaves closes. */
static bool pulls(const struct traffic *traffic)
{
    const struct cst_links *links = (struct cst_links *)traffic->side.net;
    const struct cst_peer *peer = cst_link_peer(links, 1);

    return peer && peer->link && peer->link->conn && peer->link->conn->reach;
}

/* Send and receive all; the same in each process. */
static void run_traffic(struct traffic *traffic)
{
    traffic->random = 77 + cst_net_self(traffic->side.net);
    for (uint32_t i = 0; i < SIDES; i++)
        traffic->due_small[i] = 1;
    while (!all_done(traffic)) {
        for (int i = 0; i < 5; i++) {
            uint32_t to = (uint32_t)draw(traffic, SIDES);

            if (traffic->side.state[to] == 1 && traffic->sent[to] < MESSAGES &&
                traffic->outstanding[to] < 50)
                send_one(traffic, to);
        }
        if (traffic->cuts && draw(traffic, 50) == 0 && traffic->cut_count < 30)
            cut_one(traffic);
        if (traffic->each)
            traffic->each(traffic);
        if (cst_net_poll(traffic->side.net) == 0)
            side_step(&traffic->side);
        traffic->pulled = traffic->pulled || pulls(traffic);
        if (traffic->side.is_over ||
            (traffic->side.gone && traffic->side.last_end != CST_NET_LEFT &&
             !traffic->may_lose))
            tap_bail(traffic->side.last_why);
    }
}

static void traffic_init(struct traffic *traffic, bool cuts)
{
    memset(traffic, 0, sizeof(*traffic));
    side_init(&traffic->side);
    traffic->side.user = traffic;
    traffic->side.owner.message = on_message;
    traffic->side.owner.payload_into = on_payload_into;
    traffic->side.owner.sent = on_sent;
    traffic->side.owner.haunted = on_haunted;
    traffic->side.owner.dropped = on_dropped;
    traffic->cuts = cuts;
}

/* How a run is. */
struct how {
    bool cuts;
    bool shm;
    bool guarded; /* nobody may read the memory of others */
};

static int be_worker(const char *directory, void *argument)
{
    static struct traffic traffic;
    struct cst_net_options options = side_options(directory);

    options.shm = ((struct how *)argument)->shm;
    if (((struct how *)argument)->guarded)
        side_guard();
    traffic_init(&traffic, ((struct how *)argument)->cuts);
    if (cst_net_join(&options, &traffic.side.owner, &traffic.side.net))
        return 1;
    if (!side_until(&traffic.side, &traffic.side.there, SIDES - 1, 20000))
        return 2;
    run_traffic(&traffic);
    cst_net_leave(traffic.side.net);
    while (!traffic.side.is_over)
        side_step(&traffic.side);
    cst_net_close(traffic.side.net);
    if (traffic.side.over != CST_NET_OVER_LEFT)
        return 3;
    return count_wrong(&traffic) ? 4 : 0;
}

static void test_traffic(struct how how)
{
    bool cuts = how.cuts;
    static struct traffic traffic;
    char *directory = side_directory();
    struct cst_net_options options = side_options(directory);
    const char *by = how.shm ? "shm" : "tcp";
    const char *when = cuts ? "while connections break" : "in peace";
    struct cst_net_counts counts;
    pid_t pids[SIDES];

    options.shm = how.shm;
    traffic_init(&traffic, cuts);
    if (cst_net_open(&options, &traffic.side.owner, &traffic.side.net))
        tap_bail(castell_error_text());
    for (int i = 1; i < SIDES; i++)
        pids[i] = side_fork(be_worker, directory, &how);
    must(side_until(&traffic.side, &traffic.side.there, SIDES - 1, 20000),
         "all are there, %s", when);
    run_traffic(&traffic);
    ok(count_wrong(&traffic) == 0, "all messages are right and in order, %s",
       when);
    must(cst_net_counts(traffic.side.net, 1, &counts), "there are counts");
    ok(counts.messages_sent == MESSAGES &&
           counts.messages_received == MESSAGES &&
           counts.unacknowledged < MESSAGES,
       "they were counted: %llu bytes sent",
       (unsigned long long)counts.bytes_sent);
    ok(strcmp(counts.carrier, cuts ? counts.carrier : by) == 0, "by %s",
       counts.carrier);
    ok(cuts || traffic.pulled == (how.shm && !how.guarded), "payloads %s",
       how.guarded ? "through the pipe" : "as they should");
    for (int i = 1; i < SIDES; i++)
        ok(side_reap(&traffic.side, pids[i], 20000) == 0,
           "process %d has the same to say, %s", i, when);
    ok(traffic.side.gone == 2 && traffic.side.last_end == CST_NET_LEFT,
       "they left orderly");
    ok(!cuts || traffic.cut_count > 3, "%u connections were cut",
       traffic.cut_count);
    cst_net_close(traffic.side.net);
    side_remove(directory);
}

/* ---- A process of an MPI world ---------------------------------------------- */

#define NEVER  ((uintptr_t)1) /* a request of the silent MPI */
#define CALLED ((uintptr_t)2) /* that was cancelled */

static const struct cst_mpi_ops *true_ops;
static struct cst_mpi_ops silent_ops;

static int silent_send(uint32_t rank, int tag,
                       const struct cst_mpi_piece *piece,
                       uintptr_t *ret_request)
{
    *ret_request = NEVER;
    return 0;
}

static int silent_test(uintptr_t *request, uint32_t *ret_rank, size_t *ret_size)
{
    if (*request == NEVER)
        return CST_MPI_PENDING;
    if (*request == CALLED)
        return CST_MPI_FAILED;
    return true_ops->test(request, ret_rank, ret_size);
}

static void silent_cancel(uintptr_t *request)
{
    if (*request == NEVER)
        *request = CALLED;
    else
        true_ops->cancel(request);
}

static void fall_silent(struct traffic *traffic)
{
    struct cst_links *links = (struct cst_links *)traffic->side.net;

    if (traffic->arrived < 1000 || true_ops || !links->mpi)
        return;
    true_ops = links->mpi->ops;
    silent_ops = *true_ops;
    silent_ops.send = silent_send;
    silent_ops.test = silent_test;
    silent_ops.cancel = silent_cancel;
    links->mpi->ops = &silent_ops;
}

static void be_killed(struct traffic *traffic)
{
    if (traffic->arrived > 1000)
        (void)kill(getpid(), SIGKILL);
}

static void check_carriers(const struct traffic *traffic, const char *mode)
{
    struct cst_net_counts counts;

    for (uint32_t i = 0; i < SIDES; i++)
        if (cst_net_counts(traffic->side.net, i, &counts))
            printf("rank %s mode %s: %s to %u\n",
                   getenv("OMPI_COMM_WORLD_RANK"), mode, counts.carrier, i);
}

static int be_rank(const char *directory, const char *mode)
{
    static struct traffic traffic;
    struct cst_net_options options = side_options(directory);
    const char *rank = getenv("OMPI_COMM_WORLD_RANK");
    bool is_master = rank && strcmp(rank, "0") == 0;
    bool kills = strcmp(mode, "kill") == 0;

    if (!rank)
        tap_bail("this is no process of an MPI world");
    options.mpi = true;
    options.shm = strcmp(mode, "near") == 0;
    options.modules = getenv("CASTELL_TEST_MODULES");
    options.silent_ns = S;
    traffic_init(&traffic, strcmp(mode, "cuts") == 0);
    traffic.may_lose = kills;
    if (strcmp(mode, "silent") == 0 && strcmp(rank, "1") == 0)
        traffic.each = fall_silent;
    if (kills && strcmp(rank, "2") == 0)
        traffic.each = be_killed;
    if (is_master
            ? cst_net_open(&options, &traffic.side.owner, &traffic.side.net)
            : cst_net_join(&options, &traffic.side.owner, &traffic.side.net))
        tap_bail(castell_error_text());
    if (!side_until(&traffic.side, &traffic.side.joined, SIDES - 1, 20000))
        tap_bail("not all are there");
    run_traffic(&traffic);
    check_carriers(&traffic, mode);
    if (!is_master)
        cst_net_leave(traffic.side.net);
    while (!(is_master ? traffic.side.gone == SIDES - 1 : traffic.side.is_over))
        side_step(&traffic.side);
    cst_net_close(traffic.side.net);
    if (count_wrong(&traffic))
        printf("rank %s: %u are wrong\n", rank, count_wrong(&traffic));
    else
        printf("rank %s: %u haunted\nrank %s: fine%s\n", rank, traffic.haunted,
               rank, cst_net_exit_hard() ? ", exits hard" : "");
    if (*traffic.side.log)
        printf("rank %s: %s", rank, traffic.side.log);
    (void)fflush(stdout);
    if (cst_net_exit_hard())
        _exit(0);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3)
        return be_rank(argv[1], argv[2]);
    for (int i = 0; i < 4; i++)
        test_traffic((struct how){.cuts = i % 2 != 0, .shm = i >= 2});
    side_guard();
    for (int i = 0; i < 2; i++)
        test_traffic((struct how){.cuts = i > 0, .shm = true, .guarded = true});
    return tap_done();
}
