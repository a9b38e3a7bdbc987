// sources: runtime/cluster/message.c runtime/data/region.c runtime/wire/wire.c runtime/base/memory.c runtime/base/fail.c
// libs: -lm
/*
 * cluster_fuzz.c - whatever one node says to another is understood within its
 * limits or not at all; and what was understood means the same when it is said
 * again.
 */
#include "base/fail.h"
#include "cluster/message.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct cst_region nothing = {1, 1, 1, 1};

/* ---- What a decoder may give --------------------------------------------- */

static void check_region(const struct cst_region *region)
{
    size_t span;

    CST_ASSERT(region->size > 0 && region->rows > 0 &&
               region->pitch >= region->size);
    CST_ASSERT(!__builtin_mul_overflow(region->pitch, region->rows, &span));
    CST_ASSERT(region->base <= UINTPTR_MAX - span);
}

static void check_inside(const void *bytes, size_t bytes_size,
                         const uint8_t *data, size_t size)
{
    const uint8_t *begin = bytes;

    CST_ASSERT(begin >= data && bytes_size <= size &&
               begin <= data + (size - bytes_size));
}

/* ---- Assignments ----------------------------------------------------------- */

/* One access with its pieces, from the reader to the writer. */
static void copy_access(struct cst_reader *reader, struct cst_writer *writer,
                        const uint8_t *data, size_t size)
{
    struct cst_message_access access;
    struct cst_piece piece;
    uint32_t pieces;
    bool mark;

    cst_get_access(reader, &access);
    if (reader->bad)
        return;
    CST_ASSERT(access.mode >= CASTELL_IN && access.mode <= CASTELL_IN_DELETE);
    check_region(&access.region);
    if (access.path)
        check_inside(access.path, access.path_size, data, size);
    cst_put_access(writer, &access);
    pieces = access.inputs + access.outputs;
    for (uint32_t i = 0; i < pieces && !reader->bad; i++) {
        cst_get_piece(reader, &access.region, &piece, &mark);
        check_region(&piece.region);
        if (!reader->bad)
            cst_put_piece(writer, &piece, &access.region, mark);
    }
}

static bool copy_assign(const uint8_t *data, size_t size,
                        struct cst_writer *writer)
{
    struct cst_message_assign assign;
    struct cst_reader reader;

    cst_reader_init(&reader, data, size);
    cst_get_assign(&reader, &assign);
    if (reader.bad)
        return false;
    check_inside(assign.argument, assign.argument_size, data, size);
    CST_ASSERT(assign.argument_size <= CASTELL_ARGUMENT_SIZE_MAX);
    /* The first access of a fold is what its leaves are combined with. */
    CST_ASSERT(!(assign.flags & CST_MESSAGE_FOLD) || assign.accesses > 0);
    CST_ASSERT(assign.accesses <= size && assign.inputs <= size &&
               assign.outputs <= size);
    cst_put_assign(writer, &assign);
    for (uint32_t i = 0; i < assign.accesses && !reader.bad; i++)
        copy_access(&reader, writer, data, size);
    return cst_reader_done(&reader);
}

/* ---- The others ---------------------------------------------------------------- */

static bool copy_piece(const uint8_t *data, size_t size,
                       struct cst_writer *writer)
{
    struct cst_reader reader;
    struct cst_piece piece;
    bool mark;

    cst_reader_init(&reader, data, size);
    cst_get_piece(&reader, &nothing, &piece, &mark);
    check_region(&piece.region);
    if (!cst_reader_done(&reader))
        return false;
    CST_ASSERT(piece.version > 0);
    cst_put_piece(writer, &piece, &nothing, mark);
    return true;
}

static bool copy_done(const uint8_t *data, size_t size,
                      struct cst_writer *writer)
{
    struct cst_message_done done;
    struct cst_reader reader;

    cst_reader_init(&reader, data, size);
    cst_get_done(&reader, &done);
    CST_ASSERT(memchr(done.text, '\0', sizeof(done.text)));
    if (!cst_reader_done(&reader))
        return false;
    cst_put_done(writer, &done);
    return true;
}

static bool copy_berth(const uint8_t *data, size_t size,
                       struct cst_writer *writer)
{
    struct cst_message_berth berth;
    struct cst_reader reader;

    cst_reader_init(&reader, data, size);
    cst_get_berth(&reader, &berth);
    if (!cst_reader_done(&reader))
        return false;
    CST_ASSERT(berth.constraint.cores <= UINT16_MAX);
    cst_put_berth(writer, &berth);
    return true;
}

static bool copy_muster(const uint8_t *data, size_t size,
                        struct cst_writer *writer)
{
    struct cst_message_muster muster;
    struct cst_reader reader;

    cst_reader_init(&reader, data, size);
    cst_get_muster(&reader, &muster);
    if (!cst_reader_done(&reader))
        return false;
    check_inside(muster.hosts, muster.hosts_size, data, size);
    check_inside(muster.ranks, muster.ranks_size, data, size);
    cst_put_muster(writer, &muster);
    return true;
}

static bool copy_offer(const uint8_t *data, size_t size,
                       struct cst_writer *writer)
{
    struct cst_message_offer offer;
    struct cst_reader reader;

    cst_reader_init(&reader, data, size);
    cst_get_offer(&reader, &offer);
    if (!cst_reader_done(&reader))
        return false;
    check_inside(offer.path, offer.path_size, data, size);
    check_inside(offer.name, offer.name_size, data, size);
    cst_put_offer(writer, &offer);
    return true;
}

static bool copy_hello(const uint8_t *data, size_t size,
                       struct cst_writer *writer)
{
    struct cst_message_hello hello;

    if (!cst_get_hello(data, size, &hello))
        return false;
    CST_ASSERT(hello.limits.cores > 0 && hello.limits.cores <= UINT16_MAX);
    CST_ASSERT(hello.limits.name == hello.name &&
               hello.limits.arch == hello.arch);
    cst_put_hello(writer, hello.table, &hello.limits, hello.ticket);
    return true;
}

/* ---- All of them ------------------------------------------------------------------ */

typedef bool copy_fn(const uint8_t *data, size_t size,
                     struct cst_writer *writer);

/* A message that was understood and said again is not longer, is understood,
   and is then said in the same words. */
static void fuzz(copy_fn *copy, const uint8_t *data, size_t size)
{
    struct cst_writer again = {0};
    struct cst_writer once_more = {0};

    if (copy(data, size, &again)) {
        CST_ASSERT(!again.bad && again.size <= size);
        CST_ASSERT(copy(again.bytes, again.size, &once_more));
        CST_ASSERT(again.size == once_more.size &&
                   memcmp(again.bytes, once_more.bytes, again.size) == 0);
    }
    cst_writer_release(&again);
    cst_writer_release(&once_more);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz(copy_assign, data, size);
    fuzz(copy_piece, data, size);
    fuzz(copy_done, data, size);
    fuzz(copy_berth, data, size);
    fuzz(copy_muster, data, size);
    fuzz(copy_offer, data, size);
    fuzz(copy_hello, data, size);
    return 0;
}
