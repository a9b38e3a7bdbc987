/*
 * k-means++: the first centres. A task of each panel keeps how far its rows are
 * from the nearest centre so far; main() draws by their sums.
 */
#include "blocks/array/random.h"
#include "blocks/learn/kmeans.h"
#include "blocks/learn/learn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Tasks ---------------------------------------------------------------- */

/* A centre is new: how far is each row from the nearest so far? */
#pragma castell task collection_in(x[0:p.tiles] : p.tile) \
    in(centre[0:p.cols]) inout(squares[0:p.rows]) out(*sum) on_failure(fail) \
    label("k-means++: distances")
static int go_near(struct blk_panel p, double *const *x, const double *centre,
                   double *squares, double *sum)
{
    double *copy;
    const double *rows = blk_rows(&p, x, &copy);

    *sum = 0;
    for (long r = 0; rows && r < p.rows; r++) {
        double square = blk_squared_distance(p.cols, rows + r * p.cols, centre);

        squares[r] = square < squares[r] ? square : squares[r];
        *sum += squares[r];
    }
    free(copy);
    return rows ? 0 : blk_complain();
}

/* The row at which the sum of squares passes the target is the next centre; or,
   with no squares, that row. */
#pragma castell task collection_in(x[0:p.tiles] : p.tile) \
    in(squares[0:count]) out(centre[0:p.cols]) label("k-means++: choose")
static void choose(struct blk_panel p, double *const *x, long count,
                   const double *squares, double target, double *centre)
{
    long row = 0;

    if (squares && count > 0) {
        double sum = squares[0];

        while (row + 1 < count && sum <= target)
            sum += squares[++row];
    } else {
        row = (long)target;
    }
    for (long t = 0; t < p.tiles; t++) {
        long from = t * p.width;
        long cols = p.cols - from < p.width ? p.cols - from : p.width;

        memcpy(centre + from, x[t] + row * p.width,
               sizeof(*centre) * (size_t)cols);
    }
}

/* ---- The first centres ---------------------------------------------------- */

static void choose_row(struct blocks_array *array, double share,
                       double *centre)
{
    long row = (long)(share * (double)array->shape.rows);
    double **tiles;
    struct blk_panel panel =
        blk_panel(array, row / array->shape.block_rows, &tiles);

    choose(panel, tiles, 0, NULL, (double)(row - panel.first), centre);
}

/* One more centre, given the sums of the panels. */
static void choose_far(struct blocks_array *array, struct blocks_array *squares,
                       const double *sums, double share, double *centre)
{
    long panels = array->shape.grid_rows;
    double total = 0;
    double target;
    double **tiles;
    struct blk_panel panel;
    long i = 0;

    for (long s = 0; s < panels; s++)
        total += sums[s];
    if (!(total > 0)) { /* all rows are centres already */
        choose_row(array, share, centre);
        return;
    }
    target = share * total;
    while (i + 1 < panels && target >= sums[i])
        target -= sums[i++];
    panel = blk_panel(array, i, &tiles);
    choose(panel, tiles, panel.rows, blk_tile(squares, i, 0), target, centre);
}

enum castell_status blk_kmeans_start(struct blocks_array *array, int k,
                                     uint64_t seed, double *centres)
{
    long cols = array->shape.cols;
    long panels = array->shape.grid_rows;
    double *sums = blk_vector(panels);
    struct blocks_array *squares = NULL;
    enum castell_status status =
        sums ? blocks_create(array->shape.rows, 1, array->shape.block_rows, 1,
                             &squares)
             : blk_no_memory();

    if (status == CASTELL_OK)
        status = blocks_fill(squares, HUGE_VAL);
    if (status == CASTELL_OK)
        choose_row(array, blk_random_real(blk_random_at(seed, 0, 0)), centres);
    for (int c = 1; status == CASTELL_OK && c < k; c++) {
        for (long i = 0; i < panels; i++) {
            double **tiles;
            struct blk_panel panel = blk_panel(array, i, &tiles);

            go_near(panel, tiles, centres + (c - 1) * cols,
                    blk_tile(squares, i, 0), &sums[i]);
        }
        status = blk_wait(sums, sizeof(*sums) * (size_t)panels);
        if (status == CASTELL_OK)
            choose_far(array, squares, sums,
                       blk_random_real(blk_random_at(seed, 0, (uint64_t)c)),
                       centres + c * cols);
    }
    castell_free(sums);
    blocks_destroy(squares);
    return status;
}
