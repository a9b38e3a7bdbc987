#include "train/model.h"

#include "common/app.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* ---- Building ----------------------------------------------------------- */

void model_build(const struct model *model, struct net *ret_net)
{
    const char *wrong;

    if (!strcmp(model->kind, "mlp"))
        wrong = net_mlp(ret_net, model->shape, model->sample, model->classes);
    else if (!strcmp(model->kind, "cnn"))
        wrong = net_cnn(ret_net, model->shape, model->sample, model->classes);
    else if (!strcmp(model->kind, "transformer"))
        wrong = net_transformer(ret_net, model->shape, model->sample);
    else
        app_die(2, "--net is mlp, cnn or transformer, not '%s'", model->kind);
    if (wrong)
        app_die(2, "--shape %s, not '%s'", wrong, model->shape);
}

/* ---- Arrays ------------------------------------------------------------- */

/* One array of the file. */
struct array {
    char name[64];
    char type[8];
    int rows, columns; /* columns 0: of one dimension */
    const void *bytes;
    size_t size;
};

enum { ARRAYS_MAX = 2 * NET_LAYERS_MAX + 1 };

static struct array array_of(int layer, const char *what, int rows, int columns,
                             const float *numbers)
{
    struct array array = {.rows = rows, .columns = columns, .bytes = numbers};

    snprintf(array.name, sizeof(array.name), "%02d_%s", layer, what);
    snprintf(array.type, sizeof(array.type), "<f4");
    array.size = sizeof(float) * (size_t)rows * (size_t)(columns ? columns : 1);
    return array;
}

/* The arrays of a network, in the order of the file, without the first one. */
static int arrays_of(const struct net *net, const float *weights,
                     struct array *ret_arrays)
{
    int count = 0;

    for (int l = 0; l < net->layers; l++) {
        const struct layer *layer = &net->layer[l];
        const float *w = weights + layer->first;
        bool conv = layer->kind == LAYER_CONV;
        int in = conv ? 9 * layer->in : layer->in;
        struct array *next = &ret_arrays[count];

        if (conv || layer->kind == LAYER_DENSE) {
            next[0] = array_of(l, conv ? "conv_weights" : "dense_weights", in,
                               layer->out, w);
            next[1] = array_of(l, conv ? "conv_bias" : "dense_bias", layer->out,
                               0, w + (long)in * layer->out);
        } else if (layer->kind == LAYER_EMBED) {
            next[0] = array_of(l, "embed_bytes", 256, layer->out, w);
            next[1] = array_of(l, "embed_positions", layer->rows, layer->out,
                               w + 256L * layer->out);
        } else if (layer->kind == LAYER_NORM) {
            next[0] = array_of(l, "norm_scale", in, 0, w);
            next[1] = array_of(l, "norm_shift", in, 0, w + in);
        } else {
            continue;
        }
        count += 2;
    }
    return count;
}

/* The array's header in NumPy's format, with which it begins at a multiple of
   64. Returns its size. */
static size_t npy_header(const struct array *array, char header[128])
{
    /* Magic, version, how much of the 128 bytes follows. */
    static const char begin[10] = {'\x93', 'N', 'U', 'M', 'P',
                                   'Y',    1,   0,   118, 0};
    char shape[32];
    int length;

    if (array->columns)
        snprintf(shape, sizeof(shape), "(%d, %d)", array->rows, array->columns);
    else
        snprintf(shape, sizeof(shape), "(%d,)", array->rows);
    memcpy(header, begin, sizeof(begin));
    length = snprintf(header + 10, 118,
                      "{'descr': '%s', 'fortran_order': False, 'shape': %s, }",
                      array->type, shape);
    memset(header + 10 + length, ' ', (size_t)(118 - length));
    header[127] = '\n';
    return 128;
}

/* ---- The archive -------------------------------------------------------- */

/* Numbers, the low byte first. */
static uint8_t *put(uint8_t *to, unsigned long number, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *to++ = (uint8_t)(number >> 8 * i);
    return to;
}

static unsigned long get(const uint8_t *from, int bytes)
{
    unsigned long number = 0;

    for (int i = bytes; i-- > 0;)
        number = number << 8 | from[i];
    return number;
}

/* What both headers of a member have: from the version that it needs to the
   length of a field that it has not. */
static uint8_t *put_member(uint8_t *to, unsigned long crc, unsigned long size,
                           size_t name)
{
    to = put(to, 20, 2);       /* version 2.0 */
    to = put(to, 0, 2);        /* no flags */
    to = put(to, 0, 2);        /* stored */
    to = put(to, 0x210000, 4); /* the first day that there is: same bytes */
    to = put(to, crc, 4);
    to = put(to, size, 4);
    to = put(to, size, 4);
    to = put(to, name, 2);
    return put(to, 0, 2);
}

struct archive {
    FILE *file;
    bool failed;
    unsigned long at; /* bytes written */
    int members;
    uint8_t directory[ARRAYS_MAX * 128];
    size_t directory_size;
};

static void write_bytes(struct archive *archive, const void *bytes, size_t size)
{
    archive->failed =
        archive->failed || fwrite(bytes, 1, size, archive->file) != size;
    archive->at += size;
}

static void write_array(struct archive *archive, const struct array *array)
{
    uint8_t local[32];
    char header[128];
    char name[80];
    size_t header_size = npy_header(array, header);
    size_t name_size =
        (size_t)snprintf(name, sizeof(name), "%s.npy", array->name);
    unsigned long crc = crc32(0, (const Bytef *)header, (uInt)header_size);
    unsigned long size = header_size + array->size;
    uint8_t *entry = archive->directory + archive->directory_size;
    uint8_t *to;

    crc = crc32(crc, array->bytes, (uInt)array->size);
    to = put(entry, 0x02014b50, 4);
    to = put(to, 20, 2);
    to = put_member(to, crc, size, name_size);
    to = put(put(to, 0, 4), 0, 6); /* no comment, disk 0, no attributes */
    to = put(to, archive->at, 4);
    memcpy(to, name, name_size);
    archive->directory_size = (size_t)(to - archive->directory) + name_size;
    archive->members++;

    to = put(local, 0x04034b50, 4);
    to = put_member(to, crc, size, name_size);
    write_bytes(archive, local, (size_t)(to - local));
    write_bytes(archive, name, name_size);
    write_bytes(archive, header, header_size);
    write_bytes(archive, array->bytes, array->size);
}

static void write_end(struct archive *archive)
{
    unsigned long at = archive->at;
    uint8_t end[32];
    uint8_t *to = put(end, 0x06054b50, 4);

    to = put(to, 0, 4);
    to = put(to, (unsigned long)archive->members, 2);
    to = put(to, (unsigned long)archive->members, 2);
    to = put(to, archive->directory_size, 4);
    to = put(to, at, 4);
    to = put(to, 0, 2);
    write_bytes(archive, archive->directory, archive->directory_size);
    write_bytes(archive, end, (size_t)(to - end));
}

void model_save(const char *path, const struct model *model,
                const struct net *net, const float *weights)
{
    static struct archive archive;
    static struct array arrays[ARRAYS_MAX];
    char line[MODEL_SHAPE_SIZE + 64];
    char partial[1024];
    int count = arrays_of(net, weights, arrays);
    struct array network = {.name = "network", .type = "|u1", .bytes = line};

    network.rows = snprintf(line, sizeof(line), "%s %s %d %d\n", model->kind,
                            model->shape, model->sample, model->classes);
    network.size = (size_t)network.rows;
    snprintf(partial, sizeof(partial), "%s.part", path);
    archive = (struct archive){.file = fopen(partial, "wb")};
    if (!archive.file)
        app_die(1, "cannot write %s: %s", path, strerror(errno));
    write_array(&archive, &network);
    for (int i = 0; i < count; i++)
        write_array(&archive, &arrays[i]);
    write_end(&archive);
    if (fclose(archive.file) || archive.failed || rename(partial, path)) {
        int error = errno;

        remove(partial);
        app_die(1, "cannot write %s: %s", path, strerror(error));
    }
}

/* The next member of an open file, all of its size, into memory to be freed;
   its header is not there any more. */
static uint8_t *read_member(const char *path, FILE *file, size_t *ret_size)
{
    uint8_t local[30];
    uint8_t *bytes = NULL;
    char name[80] = "";
    size_t size = 0;
    size_t name_size;
    bool good = fread(local, 1, sizeof(local), file) == sizeof(local);

    if (!good || get(local, 4) != 0x04034b50 || get(local + 8, 2) != 0 ||
        get(local + 6, 2) != 0)
        app_die(2, "%s is no model", path);
    size = get(local + 18, 4);
    name_size = get(local + 26, 2);
    good = name_size < sizeof(name) && get(local + 28, 2) == 0 &&
           fread(name, 1, name_size, file) == name_size && size >= 128 &&
           size < 1ul << 31 && (bytes = malloc(size)) != NULL &&
           fread(bytes, 1, size, file) == size &&
           crc32(0, bytes, (uInt)size) == get(local + 14, 4);
    if (!good)
        app_die(2, "%s is damaged", path);
    *ret_size = size;
    return bytes;
}

/* Whether the line says of a network what it must. */
static bool read_network(char *line, struct model *ret_model)
{
    char *rest;
    const char *kind = strtok_r(line, " ", &rest);
    const char *shape = strtok_r(NULL, " ", &rest);
    const char *sample = strtok_r(NULL, " ", &rest);
    const char *classes = strtok_r(NULL, "\n", &rest);

    if (!classes || strlen(kind) >= sizeof(ret_model->kind) ||
        strlen(shape) >= sizeof(ret_model->shape))
        return false;
    snprintf(ret_model->kind, sizeof(ret_model->kind), "%s", kind);
    snprintf(ret_model->shape, sizeof(ret_model->shape), "%s", shape);
    ret_model->sample = (int)strtol(sample, NULL, 10);
    ret_model->classes = (int)strtol(classes, NULL, 10);
    return ret_model->sample >= 1 && ret_model->sample <= 1 << 20 &&
           ret_model->classes >= 1 && ret_model->classes <= NET_CLASSES_MAX;
}

static FILE *open_model(const char *path, struct model *ret_model)
{
    FILE *file = fopen(path, "rb");
    char line[MODEL_SHAPE_SIZE + 64] = "";
    uint8_t *bytes;
    size_t size;

    if (!file)
        app_die(2, "cannot read %s: %s", path, strerror(errno));
    bytes = read_member(path, file, &size);
    if (size - 128 < sizeof(line))
        memcpy(line, bytes + 128, size - 128);
    free(bytes);
    if (!read_network(line, ret_model))
        app_die(2, "%s is no model", path);
    return file;
}

void model_describe(const char *path, struct model *ret_model)
{
    fclose(open_model(path, ret_model));
}

void model_load(const char *path, const struct net *net, float *ret_weights)
{
    static struct array arrays[ARRAYS_MAX];
    struct model model;
    FILE *file = open_model(path, &model);
    int count = arrays_of(net, ret_weights, arrays);

    for (int i = 0; i < count; i++) {
        char header[128];
        size_t size;
        uint8_t *bytes = read_member(path, file, &size);
        size_t header_size = npy_header(&arrays[i], header);

        if (size != header_size + arrays[i].size ||
            memcmp(bytes, header, header_size) != 0)
            app_die(2, "%s is damaged: its %s is of another shape", path,
                    arrays[i].name);
        memcpy((char *)ret_weights +
                   ((const char *)arrays[i].bytes - (char *)ret_weights),
               bytes + header_size, arrays[i].size);
        free(bytes);
    }
    fclose(file);
}
