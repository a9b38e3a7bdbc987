/*
 * Functions of rows and columns, by their names: an address is not the same in
 * another process.
 */
#include "blocks/array/array.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAPS_MAX = 64, NAME_SIZE = 32, PARAMETERS_MAX = 1 << 20 };

/* Immutable after castell_start(). */
static const struct blocks_map *maps[MAPS_MAX];
static int maps_count;

/* What a task is told. */
struct mapping {
    char name[NAME_SIZE];
    long out_count;
    int parameters_count;
};

static const struct blocks_map *find_map(const char *name)
{
    for (int i = 0; i < maps_count; i++) {
        if (!strcmp(maps[i]->name, name))
            return maps[i];
    }
    return NULL;
}

enum castell_status blocks_map_declare(const struct blocks_map *map)
{
    if (!map->name || !map->function || strlen(map->name) >= NAME_SIZE)
        return blk_fail(CASTELL_ERR_INVALID,
                        "a map needs a function, and a name of 1 to %d bytes",
                        NAME_SIZE - 1);
    if (find_map(map->name))
        return blk_fail(CASTELL_ERR_INVALID, "there is a map '%s' already",
                        map->name);
    if (maps_count == MAPS_MAX)
        return blk_fail(CASTELL_ERR_LIMIT, "there are %d maps already",
                        MAPS_MAX);
    maps[maps_count++] = map;
    return CASTELL_OK;
}

/* ---- Tasks ---------------------------------------------------------------- */

static const struct blocks_map *map_here(const char *name)
{
    const struct blocks_map *map = find_map(name);

    if (!map)
        fprintf(stderr, "blocks: the map '%s' was not declared here\n", name);
    return map;
}

#pragma castell task collection_in(x[0:p.tiles] : p.tile) \
    in(parameters[0:m.parameters_count]) out(y[0:p.rows*m.out_count]) \
    on_failure(fail)
static int map_rows(struct blk_panel p, struct mapping m,
                    double *const *x, const double *parameters, double *y)
{
    const struct blocks_map *map = map_here(m.name);
    double *copy;
    const double *rows = blk_rows(&p, x, &copy);

    for (long r = 0; map && rows && r < p.rows; r++)
        map->function(p.cols, rows + r * p.cols, m.out_count,
                      y + r * m.out_count, parameters);
    free(copy);
    return !map || !rows;
}

/* ---- Calls ---------------------------------------------------------------- */

static enum castell_status each_row(struct blocks_array *array,
                                    const struct mapping *mapping,
                                    const double *parameters,
                                    struct blocks_array **ret_array)
{
    const struct blocks_shape *shape = &array->shape;
    struct blocks_array *to;
    enum castell_status status;

    if (mapping->out_count > PARAMETERS_MAX)
        return blk_fail(CASTELL_ERR_INVALID, "%ld numbers of a row are too many",
                        mapping->out_count);
    status = blocks_create(shape->rows, mapping->out_count, shape->block_rows,
                           (int)mapping->out_count, &to);
    if (status < 0)
        return status;
    for (long i = 0; i < shape->grid_rows; i++) {
        double **tiles;
        struct blk_panel panel = blk_panel(array, i, &tiles);

        map_rows(panel, *mapping, tiles, parameters,
                 blk_tile(to, i, 0));
    }
    *ret_array = to;
    return CASTELL_OK;
}

static enum castell_status each_column(struct blocks_array *array,
                                       const struct mapping *mapping,
                                       const double *parameters,
                                       struct blocks_array **ret_array)
{
    struct blocks_array *turned = NULL;
    struct blocks_array *mapped = NULL;
    enum castell_status status = blocks_transpose(array, &turned);

    if (status < 0)
        return status;
    status = each_row(turned, mapping, parameters, &mapped);
    blocks_destroy(turned);
    if (status < 0 || !mapped)
        return status;
    status = blocks_transpose(mapped, ret_array);
    blocks_destroy(mapped);
    return status;
}

enum castell_status blocks_map(struct blocks_array *array,
                               const struct blocks_map_call *call,
                               struct blocks_array **ret_array)
{
    struct mapping mapping = {.out_count = call->out_count};
    const struct blocks_map *map = call->name ? find_map(call->name) : NULL;
    double *parameters = NULL;
    enum castell_status status;

    if (!map || call->axis == BLOCKS_ALL || call->out_count < 1 ||
        call->parameters_count < 0 || call->parameters_count > PARAMETERS_MAX)
        return blk_fail(CASTELL_ERR_INVALID,
                        map ? "a map '%s' is of rows or columns, has results, "
                              "and up to a million parameters"
                            : "there is no map '%s'",
                        call->name ? call->name : "");
    snprintf(mapping.name, sizeof(mapping.name), "%s", map->name);
    mapping.parameters_count = call->parameters_count;
    if (call->parameters_count > 0) {
        size_t size = sizeof(*parameters) * (size_t)call->parameters_count;

        parameters = castell_alloc(size);
        if (!parameters)
            return blk_no_memory();
        memcpy(parameters, call->parameters, size);
    }
    if (call->axis == BLOCKS_EACH_ROW)
        status = each_row(array, &mapping, parameters, ret_array);
    else
        status = each_column(array, &mapping, parameters, ret_array);
    castell_free(parameters);
    return status;
}
