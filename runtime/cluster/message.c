#include "cluster/message.h"

enum { COUNT_MAX = 1 << 24, IS_FILE = 1 << 7, IS_PART = 1 << 6 };

/* ---- Regions and pieces -------------------------------------------------- */

void cst_put_region(struct cst_writer *writer, const struct cst_region *region)
{
    cst_put_u64(writer, region->base);
    cst_put_varint(writer, region->size);
    cst_put_varint(writer, region->rows);
    if (region->rows > 1)
        cst_put_varint(writer, region->pitch);
}

void cst_get_region(struct cst_reader *reader, struct cst_region *ret_region)
{
    size_t span;

    ret_region->base = cst_get_u64(reader);
    ret_region->size = cst_get_varint(reader);
    ret_region->rows = cst_get_varint(reader);
    ret_region->pitch = ret_region->size;
    if (ret_region->rows > 1)
        ret_region->pitch = cst_get_varint(reader);
    if (ret_region->size == 0 || ret_region->rows == 0 ||
        ret_region->pitch < ret_region->size ||
        __builtin_mul_overflow(ret_region->pitch, ret_region->rows, &span) ||
        span > UINTPTR_MAX - ret_region->base) {
        cst_reader_spoil(reader);
        *ret_region = (struct cst_region){1, 1, 1, 1};
    }
}

void cst_put_piece(struct cst_writer *writer, const struct cst_piece *piece,
                   const struct cst_region *like, bool mark)
{
    bool same = cst_region_equal(&piece->region, like);

    /* The last bit says whether a region follows. */
    cst_put_varint(writer,
                   piece->version << 2 | (mark ? 2u : 0u) | (same ? 0u : 1u));
    if (!same)
        cst_put_region(writer, &piece->region);
}

void cst_get_piece(struct cst_reader *reader, const struct cst_region *like,
                   struct cst_piece *ret_piece, bool *ret_mark)
{
    uint64_t number = cst_get_varint(reader);

    *ret_mark = (number & 2) != 0;
    ret_piece->version = number >> 2;
    ret_piece->region = *like;
    if (number & 1)
        cst_get_region(reader, &ret_piece->region);
    if (ret_piece->version == 0)
        cst_reader_spoil(reader);
}

/* ---- Assignments --------------------------------------------------------- */

static void put_constraint(struct cst_writer *writer,
                           const struct castell_constraint *constraint)
{
    cst_put_varint(writer, constraint->cores);
    cst_put_varint(writer, constraint->memory);
    cst_put_varint(writer, constraint->storage);
}

static void get_constraint(struct cst_reader *reader,
                           struct castell_constraint *ret_constraint)
{
    *ret_constraint = (struct castell_constraint){0};
    ret_constraint->cores = cst_get_count(reader, UINT16_MAX);
    ret_constraint->memory = cst_get_varint(reader);
    ret_constraint->storage = cst_get_varint(reader);
}

void cst_put_berth(struct cst_writer *writer,
                   const struct cst_message_berth *berth)
{
    cst_put_varint(writer, berth->id);
    cst_put_varint(writer, berth->attempt);
    put_constraint(writer, &berth->constraint);
}

void cst_get_berth(struct cst_reader *reader,
                   struct cst_message_berth *ret_berth)
{
    ret_berth->id = cst_get_varint(reader);
    ret_berth->attempt = cst_get_count(reader, UINT32_MAX);
    get_constraint(reader, &ret_berth->constraint);
}

void cst_put_muster(struct cst_writer *writer,
                    const struct cst_message_muster *muster)
{
    cst_put_varint(writer, muster->id);
    cst_put_varint(writer, muster->attempt);
    cst_put_varint(writer, muster->nodes);
    cst_put_bytes(writer, muster->hosts, muster->hosts_size);
    cst_put_bytes(writer, muster->ranks, muster->ranks_size);
}

void cst_get_muster(struct cst_reader *reader,
                    struct cst_message_muster *ret_muster)
{
    ret_muster->id = cst_get_varint(reader);
    ret_muster->attempt = cst_get_count(reader, UINT32_MAX);
    ret_muster->nodes = cst_get_count(reader, UINT32_MAX);
    ret_muster->hosts =
        (const char *)cst_get_bytes(reader, &ret_muster->hosts_size);
    ret_muster->ranks = cst_get_bytes(reader, &ret_muster->ranks_size);
    if (ret_muster->ranks_size > 0 &&
        ret_muster->ranks_size / sizeof(uint32_t) != ret_muster->nodes)
        reader->bad = true;
}

void cst_put_assign(struct cst_writer *writer,
                    const struct cst_message_assign *assign)
{
    cst_put_varint(writer, assign->id);
    cst_put_varint(writer, assign->attempt);
    cst_put_varint(writer, assign->flags);
    cst_put_u64(writer, assign->kind);
    cst_put_u32(writer, (uint32_t)assign->priority);
    if (assign->flags & CST_MESSAGE_HAS_CONSTRAINT)
        put_constraint(writer, &assign->constraint);
    if (assign->flags & CST_MESSAGE_FOLD)
        cst_put_varint(writer, assign->fold);
    cst_put_varint(writer, assign->accesses);
    cst_put_varint(writer, assign->inputs);
    cst_put_varint(writer, assign->outputs);
    cst_put_bytes(writer, assign->argument, assign->argument_size);
}

void cst_get_assign(struct cst_reader *reader,
                    struct cst_message_assign *ret_assign)
{
    size_t size = 0;

    ret_assign->id = cst_get_varint(reader);
    ret_assign->attempt = cst_get_count(reader, UINT32_MAX);
    ret_assign->flags = cst_get_count(reader, UINT32_MAX);
    ret_assign->kind = cst_get_u64(reader);
    ret_assign->priority = (int32_t)cst_get_u32(reader);
    ret_assign->constraint = (struct castell_constraint){0};
    if (ret_assign->flags & CST_MESSAGE_HAS_CONSTRAINT)
        get_constraint(reader, &ret_assign->constraint);
    ret_assign->fold = 0;
    if (ret_assign->flags & CST_MESSAGE_FOLD)
        ret_assign->fold = cst_get_count(reader, UINT16_MAX);
    ret_assign->accesses = cst_get_count(reader, COUNT_MAX);
    ret_assign->inputs = cst_get_count(reader, COUNT_MAX);
    ret_assign->outputs = cst_get_count(reader, COUNT_MAX);
    ret_assign->argument = cst_get_bytes(reader, &size);
    ret_assign->argument_size = (uint32_t)size;
    /* Each takes a byte at least: no more memory for it than was sent. */
    if (size > CASTELL_ARGUMENT_SIZE_MAX ||
        ((ret_assign->flags & CST_MESSAGE_FOLD) && ret_assign->accesses == 0) ||
        ret_assign->accesses > cst_reader_left(reader) ||
        ret_assign->inputs > cst_reader_left(reader) ||
        ret_assign->outputs > cst_reader_left(reader))
        cst_reader_spoil(reader);
}

static const char *get_path(struct cst_reader *reader, size_t *ret_size)
{
    const uint8_t *path = cst_get_bytes(reader, ret_size);

    if (*ret_size >= CST_PATH_MAX)
        cst_reader_spoil(reader);
    return (const char *)path;
}

void cst_put_access(struct cst_writer *writer,
                    const struct cst_message_access *access)
{
    cst_put_u8(writer, (uint8_t)(access->mode | (access->path ? IS_FILE : 0) |
                                 (access->pointer ? IS_PART : 0)));
    if (access->pointer)
        cst_put_u8(writer, access->pointer);
    cst_put_region(writer, &access->region);
    if (access->path) {
        cst_put_bytes(writer, access->path, access->path_size);
        cst_put_bytes(writer, access->below, access->below_size);
        cst_put_u8(writer, access->file_flags);
    }
    if (access->mode == CASTELL_REDUCTION)
        cst_put_varint(writer, access->reduction);
    cst_put_varint(writer, access->inputs);
    cst_put_varint(writer, access->outputs);
}

void cst_get_access(struct cst_reader *reader,
                    struct cst_message_access *ret_access)
{
    uint8_t mode = cst_get_u8(reader);

    ret_access->mode = (uint8_t)(mode & ~(IS_FILE | IS_PART));
    ret_access->pointer = mode & IS_PART ? cst_get_u8(reader) : 0;
    cst_get_region(reader, &ret_access->region);
    ret_access->path = NULL;
    ret_access->path_size = 0;
    ret_access->below = NULL;
    ret_access->below_size = 0;
    ret_access->file_flags = 0;
    if (mode & IS_FILE) {
        ret_access->path = get_path(reader, &ret_access->path_size);
        ret_access->below = get_path(reader, &ret_access->below_size);
        ret_access->file_flags = cst_get_u8(reader);
    }
    ret_access->reduction = 0;
    if (ret_access->mode == CASTELL_REDUCTION)
        ret_access->reduction = cst_get_count(reader, UINT16_MAX);
    ret_access->inputs = cst_get_count(reader, COUNT_MAX);
    ret_access->outputs = cst_get_count(reader, COUNT_MAX);
    if (ret_access->mode < CASTELL_IN || ret_access->mode > CASTELL_IN_DELETE)
        cst_reader_spoil(reader);
}

/* ---- Files --------------------------------------------------------------- */

void cst_put_offer(struct cst_writer *writer,
                   const struct cst_message_offer *offer)
{
    cst_put_varint(writer, offer->piece.version);
    cst_put_region(writer, &offer->piece.region);
    cst_put_varint(writer, offer->flags);
    cst_put_bytes(writer, offer->path, offer->path_size);
    cst_put_bytes(writer, offer->name, offer->name_size);
    cst_put_u64(writer, offer->mark.inode);
    cst_put_u64(writer, offer->mark.size);
    cst_put_u64(writer, offer->mark.changed_ns);
}

void cst_get_offer(struct cst_reader *reader,
                   struct cst_message_offer *ret_offer)
{
    ret_offer->piece.version = cst_get_varint(reader);
    cst_get_region(reader, &ret_offer->piece.region);
    ret_offer->flags = cst_get_count(reader, UINT8_MAX);
    ret_offer->path = get_path(reader, &ret_offer->path_size);
    ret_offer->name = get_path(reader, &ret_offer->name_size);
    ret_offer->mark.inode = cst_get_u64(reader);
    ret_offer->mark.size = cst_get_u64(reader);
    ret_offer->mark.changed_ns = cst_get_u64(reader);
    if (ret_offer->piece.version == 0 || ret_offer->path_size == 0 ||
        cst_region_bytes(&ret_offer->piece.region) != 1)
        cst_reader_spoil(reader);
}

/* ---- Reports ------------------------------------------------------------- */

enum done_how { DONE_WELL, DONE_FAILED, DONE_KEPT, DONE_OFF };

void cst_put_done(struct cst_writer *writer,
                  const struct cst_message_done *done)
{
    enum done_how how = DONE_WELL;

    if (done->failed)
        how = done->off ? DONE_OFF : done->kept ? DONE_KEPT : DONE_FAILED;
    cst_put_varint(writer, done->id);
    cst_put_varint(writer, done->attempt);
    cst_put_u8(writer, (uint8_t)how);
    cst_put_varint(writer, done->duration_ns);
    if (done->failed)
        cst_put_text(writer, done->text);
}

void cst_get_done(struct cst_reader *reader, struct cst_message_done *ret_done)
{
    uint8_t how;

    ret_done->id = cst_get_varint(reader);
    ret_done->attempt = cst_get_count(reader, UINT32_MAX);
    how = cst_get_u8(reader);
    ret_done->failed = how != DONE_WELL;
    ret_done->kept = how == DONE_KEPT;
    ret_done->off = how == DONE_OFF;
    ret_done->duration_ns = cst_get_varint(reader);
    ret_done->text[0] = '\0';
    if (ret_done->failed)
        cst_get_text(reader, ret_done->text, sizeof(ret_done->text));
}

/* ---- Hello --------------------------------------------------------------- */

void cst_put_hello(struct cst_writer *writer, uint64_t table,
                   const struct cst_limits *limits, uint32_t ticket)
{
    cst_put_u64(writer, table);
    cst_put_u8(writer, (uint8_t)sizeof(void *));
    cst_put_u32(writer, limits->cores);
    cst_put_u64(writer, limits->memory);
    cst_put_u64(writer, limits->storage);
    cst_put_u64(writer, limits->wall_time_end_ns);
    cst_put_u32(writer, limits->gpus);
    cst_put_u32(writer, limits->devices);
    cst_put_u64(writer, limits->gpu_memory);
    cst_put_u32(writer, ticket);
    cst_put_text(writer, limits->name);
    cst_put_text(writer, limits->arch);
    cst_put_text(writer, limits->features ? limits->features : "");
}

bool cst_get_hello(const void *bytes, size_t size,
                   struct cst_message_hello *ret_hello)
{
    struct cst_limits *limits = &ret_hello->limits;
    struct cst_reader reader;
    uint8_t pointer;

    cst_reader_init(&reader, bytes, size);
    ret_hello->table = cst_get_u64(&reader);
    pointer = cst_get_u8(&reader);
    limits->cores = cst_get_u32(&reader);
    limits->memory = cst_get_u64(&reader);
    limits->storage = cst_get_u64(&reader);
    limits->wall_time_end_ns = cst_get_u64(&reader);
    limits->gpus = cst_get_u32(&reader);
    limits->devices = cst_get_u32(&reader);
    limits->gpu_memory = cst_get_u64(&reader);
    ret_hello->ticket = cst_get_u32(&reader);
    cst_get_text(&reader, ret_hello->name, sizeof(ret_hello->name));
    cst_get_text(&reader, ret_hello->arch, sizeof(ret_hello->arch));
    cst_get_text(&reader, ret_hello->features, sizeof(ret_hello->features));
    limits->name = ret_hello->name;
    limits->arch = ret_hello->arch;
    limits->features = ret_hello->features[0] ? ret_hello->features : NULL;
    return cst_reader_done(&reader) && pointer == sizeof(void *) &&
           limits->cores > 0 && limits->cores <= UINT16_MAX;
}
