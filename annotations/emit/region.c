/*
 * Writes array sections: A[l0:n0][l1:n1]... of a base becomes accesses.
 *
 * The last dimension gives the bytes of a row. Of the others, the last that is
 * a section and no index gives the rows; what is left over becomes loops.
 * Bounds are in variables: __castell_l<number>_<dimension>, and n for lengths.
 */
#include "emit/emit_internal.h"

#include <stdio.h>

enum { NO_DIMENSION = 1000000 };

/* The dimension that gives the rows; NO_DIMENSION: one row. */
static size_t rows_dimension(const struct cst_region_writer *region)
{
    size_t found = NO_DIMENSION;

    for (size_t i = 0; i + 1 < region->dimensions_count; i++)
        if (!region->dimensions[i].is_index)
            found = i;
    return found;
}

static bool is_loop(const struct cst_region_writer *region, size_t dimension)
{
    return dimension + 1 < region->dimensions_count &&
           dimension != rows_dimension(region) &&
           !region->dimensions[dimension].is_index;
}

size_t cst_region_loops_count(const struct cst_region_writer *region)
{
    size_t count = 0;

    for (size_t i = 0; i < region->dimensions_count; i++)
        count += is_loop(region, i);
    return count;
}

/* Numbers and operators only: the value is known, and taken to be positive. */
static bool is_number(struct cst_tokens tokens)
{
    for (size_t i = 0; i < tokens.count; i++)
        if (tokens.items[i].kind == CST_TOKEN_NAME)
            return false;
    return true;
}

bool cst_region_may_be_empty(const struct cst_region_writer *region)
{
    for (size_t i = 0; i < region->dimensions_count; i++)
        if (!region->dimensions[i].is_index &&
            !is_number(region->dimensions[i].length))
            return true;
    return false;
}

/* Is there a lower bound that may be other than 0? */
static bool has_lower(const struct cst_dimension *dimension)
{
    struct cst_tokens lower = dimension->lower;

    return lower.count > 1 ||
           (lower.count == 1 &&
            !(lower.items[0].size == 1 && lower.items[0].text[0] == '0'));
}

bool cst_region_starts_at_base(const struct cst_region_writer *region)
{
    for (size_t i = 0; i < region->dimensions_count; i++)
        if (has_lower(&region->dimensions[i]))
            return false;
    return true;
}

void cst_region_write_locals(struct cst_writer *writer,
                             const struct cst_region_writer *region)
{
    for (size_t i = 0; i < region->dimensions_count; i++) {
        const struct cst_dimension *dimension = &region->dimensions[i];

        if (has_lower(dimension)) {
            cst_write(writer,
                      "const long long __castell_l%zu_%zu = ", region->number,
                      i);
            cst_write_value(writer, dimension->lower);
            cst_write(writer, "; ");
        }
        if (!dimension->is_index) {
            cst_write(writer,
                      "const long long __castell_n%zu_%zu = ", region->number,
                      i);
            cst_write_value(writer, dimension->length);
            cst_write(writer, "; ");
        }
        if (is_loop(region, i))
            cst_write(writer, "long long __castell_i%zu_%zu; ", region->number,
                      i);
    }
}

void cst_region_write_filled(struct cst_writer *writer,
                             const struct cst_region_writer *region)
{
    cst_write(writer, "(1");
    for (size_t i = 0; i < region->dimensions_count; i++)
        if (!region->dimensions[i].is_index)
            cst_write(writer, " & (__castell_n%zu_%zu > 0)", region->number, i);
    cst_write(writer, ")");
}

void cst_region_write_loops(struct cst_writer *writer,
                            const struct cst_region_writer *region)
{
    for (size_t i = 0; i < region->dimensions_count; i++) {
        char name[64];

        if (!is_loop(region, i))
            continue;
        (void)snprintf(name, sizeof(name), "__castell_i%zu_%zu", region->number,
                       i);
        cst_write(writer, "for (%s = 0; %s < __castell_n%zu_%zu; %s++) ", name,
                  name, region->number, i, name);
    }
}

/* base[0][0]..., with that many indices */
static void write_element(struct cst_writer *writer,
                          const struct cst_region_writer *region, size_t depth)
{
    cst_write(writer, "(%s)", region->base);
    for (size_t i = 0; i < depth; i++)
        cst_write(writer, "[0]");
}

/* base[l0][l1]...; in_loops: where the loops are, not where they start. */
static void write_first(struct cst_writer *writer,
                        const struct cst_region_writer *region, bool in_loops)
{
    cst_write(writer, "&(%s)", region->base);
    if (region->dimensions_count == 0)
        cst_write(writer, "[0]");
    for (size_t i = 0; i < region->dimensions_count; i++) {
        bool lower = has_lower(&region->dimensions[i]);

        cst_write(writer, "[");
        if (lower)
            cst_write(writer, "__castell_l%zu_%zu", region->number, i);
        else
            cst_write(writer, "0");
        if (in_loops && is_loop(region, i))
            cst_write(writer, " + __castell_i%zu_%zu", region->number, i);
        cst_write(writer, "]");
    }
}

void cst_region_write_offset(struct cst_writer *writer,
                             const struct cst_region_writer *region)
{
    cst_write(writer, "(const char *)(");
    write_first(writer, region, false);
    cst_write(writer, ") - (const char *)(%s)", region->base);
}

static void write_size(struct cst_writer *writer,
                       const struct cst_region_writer *region)
{
    size_t last = region->dimensions_count;

    if (last == 0) {
        if (region->whole_count)
            cst_write(writer, "%llu * ", region->whole_count);
        cst_write(writer, "sizeof(");
        write_element(writer, region, 1);
        cst_write(writer, ")");
        return;
    }
    if (!region->dimensions[last - 1].is_index)
        cst_write(writer, "(size_t)__castell_n%zu_%zu * ", region->number,
                  last - 1);
    cst_write(writer, "sizeof(");
    write_element(writer, region, last);
    cst_write(writer, ")");
}

bool cst_region_has_rows(const struct cst_region_writer *region)
{
    return rows_dimension(region) != NO_DIMENSION;
}

static void write_values(struct cst_writer *writer,
                         const struct cst_region_writer *region,
                         const char *const names[4])
{
    size_t rows = rows_dimension(region);

    cst_write(writer, "%s(const void *)(", names[0]);
    write_first(writer, region, true);
    cst_write(writer, "), %s", names[1]);
    write_size(writer, region);
    if (rows == NO_DIMENSION)
        return;
    cst_write(writer, ", %s(size_t)__castell_n%zu_%zu, %ssizeof(", names[2],
              region->number, rows, names[3]);
    write_element(writer, region, rows + 1);
    cst_write(writer, ")");
}

void cst_region_write_values(struct cst_writer *writer,
                             const struct cst_region_writer *region)
{
    static const char *const names[] = {"", "", "", ""};

    write_values(writer, region, names);
}

/*
 * All members are named: a compiler clears what has members without a value
 * byte by byte, which takes longer than all the rest.
 */
void cst_region_write_access(struct cst_writer *writer,
                             const struct cst_region_writer *region)
{
    static const char *const names[] = {
        ".base = ", ".size = ", ".rows = ", ".pitch = "};

    cst_write(writer, "{");
    write_values(writer, region, names);
    if (!cst_region_has_rows(region))
        cst_write(writer, ", .rows = 0, .pitch = 0");
    cst_write(writer, "%s}", region->mode);
}
