/*
 * Messages come out as they went in; cut short or with any byte changed, they
 * are refused or are others, and nothing worse.
 */
#include "cluster/message.h"
#include "harness/tap.h"

#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 20000, BYTES = 1024 };

static uint64_t state = 11;

static uint64_t draw(uint64_t below)
{
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (state >> 31) % below;
}

static uint64_t draw_number(void)
{
    return draw(UINT64_C(1) << draw(33));
}

static struct cst_region draw_region(void)
{
    struct cst_region region = {draw_number() + 1, 1 + draw_number() % 100000,
                                1, 0};

    region.pitch = region.size;
    if (draw(2)) {
        region.rows = 2 + draw(1000);
        region.pitch += draw(1000);
    }
    return region;
}

static struct cst_piece draw_piece(const struct cst_region *like)
{
    return (struct cst_piece){1 + draw_number(),
                              draw(2) ? *like : draw_region()};
}

static bool same_piece(const struct cst_piece *a, const struct cst_piece *b)
{
    return a->version == b->version && cst_region_equal(&a->region, &b->region);
}

static bool same_file(const struct cst_message_access *in,
                      const struct cst_message_access *out)
{
    if (!in->path || !out->path)
        return !in->path && !out->path && out->path_size == 0;
    return out->path_size == in->path_size &&
           out->below_size == in->below_size &&
           out->file_flags == in->file_flags &&
           memcmp(out->path, in->path, in->path_size) == 0 &&
           memcmp(out->below, in->below, in->below_size) == 0;
}

static bool offer_survives(struct cst_writer *writer)
{
    struct cst_message_offer in = {
        .piece = {1 + draw_number(), {1 + draw_number(), 1, 1, 1}},
        .flags = (uint32_t)draw(256),
        .path = "/a/b",
        .path_size = 4,
        .name = "/a/c/1-b",
        .name_size = draw(9),
        .mark = {draw_number(), draw_number(), draw_number()}};
    struct cst_message_offer out;
    struct cst_reader reader;

    cst_writer_clear(writer);
    cst_put_offer(writer, &in);
    cst_reader_init(&reader, writer->bytes, writer->size);
    cst_get_offer(&reader, &out);
    return cst_reader_done(&reader) && same_piece(&in.piece, &out.piece) &&
           out.flags == in.flags && out.path_size == 4 &&
           memcmp(out.path, "/a/b", 4) == 0 && out.name_size == in.name_size &&
           memcmp(out.name, in.name, in.name_size) == 0 &&
           out.mark.inode == in.mark.inode && out.mark.size == in.mark.size &&
           out.mark.changed_ns == in.mark.changed_ns;
}

/* A whole assignment with one access, and what comes out of it. */
static bool assign_survives(struct cst_writer *writer, const char *argument)
{
    struct cst_message_assign in = {
        .id = 1 + draw_number(),
        .attempt = 1 + (uint32_t)draw(100),
        .flags = (uint32_t)draw(64),
        .kind = draw_number(),
        .priority = (int32_t)draw(2000) - 1000,
        .constraint = {.cores = (uint32_t)draw(64), .memory = draw_number()},
        .argument = argument,
        .argument_size = (uint32_t)draw(64),
        .accesses = 1,
        .inputs = (uint32_t)draw(4),
        .outputs = (uint32_t)draw(4),
        .fold = (uint32_t)draw(8),
    };
    struct cst_message_access head = {.region = draw_region(),
                                      .mode = (uint8_t)(1 + draw(7)),
                                      .reduction = (uint32_t)draw(4),
                                      .inputs = in.inputs,
                                      .outputs = in.outputs,
                                      .path = draw(2) ? "/a/b" : NULL,
                                      .path_size = 4,
                                      .below = "c/d",
                                      .below_size = draw(2) ? 3 : 0,
                                      .file_flags = (uint8_t)draw(256)};
    struct cst_message_access head_out;
    struct cst_message_assign out;
    struct cst_piece pieces[8], piece;
    struct cst_reader reader;
    bool good, mark;

    cst_writer_clear(writer);
    cst_put_assign(writer, &in);
    cst_put_access(writer, &head);
    for (uint32_t i = 0; i < in.inputs + in.outputs; i++) {
        pieces[i] = draw_piece(&head.region);
        cst_put_piece(writer, &pieces[i], &head.region, i % 2 == 1);
    }
    cst_reader_init(&reader, writer->bytes, writer->size);
    cst_get_assign(&reader, &out);
    good = out.id == in.id && out.attempt == in.attempt &&
           out.flags == in.flags && out.kind == in.kind &&
           out.priority == in.priority && out.accesses == 1 &&
           out.inputs == in.inputs && out.outputs == in.outputs &&
           out.argument_size == in.argument_size &&
           (in.argument_size == 0 ||
            memcmp(out.argument, argument, in.argument_size) == 0);
    if (in.flags & CST_MESSAGE_HAS_CONSTRAINT)
        good = good && out.constraint.cores == in.constraint.cores &&
               out.constraint.memory == in.constraint.memory;
    if (in.flags & CST_MESSAGE_FOLD)
        good = good && out.fold == in.fold;
    cst_get_access(&reader, &head_out);
    good = good && cst_region_equal(&head.region, &head_out.region) &&
           head.mode == head_out.mode && head.inputs == head_out.inputs &&
           head.outputs == head_out.outputs && same_file(&head, &head_out);
    for (uint32_t i = 0; i < in.inputs + in.outputs; i++) {
        cst_get_piece(&reader, &head.region, &piece, &mark);
        good = good && same_piece(&piece, &pieces[i]) && mark == (i % 2 == 1);
    }
    return good && cst_reader_done(&reader);
}

static bool done_survives(struct cst_writer *writer)
{
    struct cst_message_done in = {.id = draw_number(),
                                  .attempt = (uint32_t)draw(9),
                                  .failed = draw(2) == 1,
                                  .duration_ns = draw_number(),
                                  .text = "it was wrong"};
    struct cst_message_done out;
    struct cst_reader reader;

    in.kept = in.failed && draw(2) == 1;
    in.off = in.failed && !in.kept && draw(2) == 1;
    cst_writer_clear(writer);
    cst_put_done(writer, &in);
    cst_reader_init(&reader, writer->bytes, writer->size);
    cst_get_done(&reader, &out);
    return cst_reader_done(&reader) && out.id == in.id &&
           out.attempt == in.attempt && out.failed == in.failed &&
           out.kept == in.kept && out.off == in.off &&
           out.duration_ns == in.duration_ns &&
           strcmp(out.text, in.failed ? in.text : "") == 0;
}

static bool gang_survives(struct cst_writer *writer)
{
    struct cst_message_berth berth = {
        draw_number(),
        (uint32_t)draw(9),
        {.cores = (uint32_t)draw(99), .memory = draw_number(), .storage = 3}};
    static const uint8_t ranks[12] = {1, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0};
    struct cst_message_muster muster = {
        draw_number(), (uint32_t)draw(9), 3, "a:2,b:1", 7,
        ranks,         sizeof(ranks)};
    struct cst_message_berth berth_out;
    struct cst_message_muster muster_out;
    struct cst_reader reader;
    bool good;

    cst_writer_clear(writer);
    cst_put_berth(writer, &berth);
    cst_reader_init(&reader, writer->bytes, writer->size);
    cst_get_berth(&reader, &berth_out);
    good = cst_reader_done(&reader) && berth_out.id == berth.id &&
           berth_out.attempt == berth.attempt &&
           berth_out.constraint.cores == berth.constraint.cores &&
           berth_out.constraint.memory == berth.constraint.memory &&
           berth_out.constraint.storage == 3;
    cst_writer_clear(writer);
    cst_put_muster(writer, &muster);
    cst_reader_init(&reader, writer->bytes, writer->size);
    cst_get_muster(&reader, &muster_out);
    return good && cst_reader_done(&reader) && muster_out.id == muster.id &&
           muster_out.attempt == muster.attempt && muster_out.nodes == 3 &&
           muster_out.hosts_size == 7 &&
           memcmp(muster_out.hosts, muster.hosts, 7) == 0 &&
           muster_out.ranks_size == sizeof(ranks) &&
           memcmp(muster_out.ranks, ranks, sizeof(ranks)) == 0;
}

static bool hello_survives(void)
{
    struct cst_limits limits = {.name = "node7",
                                .arch = "aarch64",
                                .features = "bigmem,fast",
                                .cores = 5,
                                .memory = 7,
                                .storage = 9,
                                .gpus = 2,
                                .devices = 12,
                                .gpu_memory = 13,
                                .wall_time_end_ns = 11};
    struct cst_message_hello hello;
    struct cst_writer writer = {0};
    bool good;

    cst_put_hello(&writer, 77, &limits, 5);
    good = cst_get_hello(writer.bytes, writer.size, &hello) &&
           hello.table == 77 && hello.limits.cores == 5 &&
           hello.limits.memory == 7 && hello.limits.storage == 9 &&
           hello.limits.wall_time_end_ns == 11 && hello.limits.gpus == 2 &&
           hello.limits.devices == 12 && hello.limits.gpu_memory == 13 &&
           strcmp(hello.limits.name, "node7") == 0 &&
           strcmp(hello.limits.arch, "aarch64") == 0 &&
           strcmp(hello.limits.features, "bigmem,fast") == 0;
    for (size_t size = 0; size < writer.size; size++)
        good = good && !cst_get_hello(writer.bytes, size, &hello);
    cst_writer_release(&writer);
    return good;
}

/* Read bytes as everything that there is. */
static void read_all(const uint8_t *bytes, size_t size)
{
    struct cst_region nothing = {1, 1, 1, 1};
    struct cst_message_access access;
    struct cst_message_assign assign;
    struct cst_message_hello hello;
    struct cst_message_offer offer;
    struct cst_message_done done;
    struct cst_reader reader;
    struct cst_piece piece;
    bool mark;

    cst_reader_init(&reader, bytes, size);
    cst_get_assign(&reader, &assign);
    while (!reader.bad && cst_reader_left(&reader) > 0) {
        cst_get_access(&reader, &access);
        cst_get_piece(&reader, &nothing, &piece, &mark);
    }
    cst_reader_init(&reader, bytes, size);
    cst_get_done(&reader, &done);
    cst_reader_init(&reader, bytes, size);
    cst_get_offer(&reader, &offer);
    (void)cst_get_hello(bytes, size, &hello);
}

int main(void)
{
    static char argument[64] = "an argument";
    struct cst_writer writer = {0};
    int wrong = 0;

    for (int i = 0; i < ROUNDS; i++) {
        wrong += !assign_survives(&writer, argument);
        for (int j = 0; j < 8; j++) {
            uint8_t bytes[BYTES];
            size_t size = writer.size < BYTES ? writer.size : BYTES;

            memcpy(bytes, writer.bytes, size);
            bytes[draw(size)] = (uint8_t)draw(256);
            read_all(bytes, draw(size + 1));
        }
        wrong += !done_survives(&writer);
        wrong += !gang_survives(&writer);
        wrong += !offer_survives(&writer);
        read_all(writer.bytes, draw(writer.size + 1));
    }
    ok(wrong == 0, "%d messages, %d came out otherwise", 5 * ROUNDS, wrong);
    ok(hello_survives(), "a hello survives, and is refused when cut short");
    for (int i = 0; i < ROUNDS; i++) {
        uint8_t bytes[256];

        for (size_t j = 0; j < sizeof(bytes); j++)
            bytes[j] = (uint8_t)draw(256);
        read_all(bytes, draw(sizeof(bytes)));
    }
    ok(true, "%d times garbage", ROUNDS);
    cst_writer_release(&writer);
    return tap_done();
}
