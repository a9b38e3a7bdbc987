/*
 * kmeans - sort images into K clusters of similar ones, by tasks.
 *
 * Lloyd's algorithm: each image goes to the nearest of K centres, then each
 * centre moves to the mean of its images, and so on. One task finds the nearest
 * centres of a part of the images; another one adds them to the totals of the
 * clusters, in a private copy, which reduction(+: ...) makes and combines. One more
 * moves the centres. main() waits for nothing but the end.
 */
#include "common/app.h"
#include "common/images.h"

#include <castell.h>
#include <cblas.h>
#include <stdio.h>
#include <string.h>

/* The totals of one cluster: `pixels` sums, and these two. */
enum { SIZE = 0, SPREAD = 1, EXTRA = 2 };

/* Devices need room for each image. */
#ifdef APP_GPU
enum { EACH = 1 };
#else
enum { EACH = 0 };
#endif

/* ---- Tasks -------------------------------------------------------------- */

/*
 * Find the nearest centre of each image, and its squared distance.
 *
 * |x - c|^2 = |x|^2 - 2 c x + |c|^2. The products of images with all centres are a
 * product of two matrices, of which this takes one row at a time.
 */
#pragma castell task in(images[0:count*pixels], centres[0:k*pixels]) \
    out(work[0:pixels + k*(2 + EACH*count)], nearest[0:count], distances[0:count])
static int find_nearest(int count, int pixels, int k, const uint8_t *images,
                        const double *centres, double *work, int *nearest,
                        double *distances)
{
    double *norms = work;
    double *of = work + k;
    double *x = work + 2 * (long)k;

    for (long c = 0; c < k; c++)
        norms[c] = cblas_ddot(pixels, centres + c * pixels, 1,
                              centres + c * pixels, 1);
    for (int i = 0; i < count; i++) {
        long best = 0;

        for (int p = 0; p < pixels; p++)
            x[p] = (double)images[(long)i * pixels + p];
        memcpy(of, norms, sizeof(*of) * (size_t)k);
        cblas_dgemv(CblasRowMajor, CblasNoTrans, k, pixels, -2, centres, pixels,
                    x, 1, 1, of, 1);
        for (long c = 1; c < k; c++)
            best = of[c] < of[best] ? c : best;
        nearest[i] = (int)best;
        distances[i] = of[best] + cblas_ddot(pixels, x, 1, x, 1);
    }
    return 0;
}

/* Add each image to the totals of its cluster: its pixels, 1 to the size, its
   squared distance to the spread. Pixels are whole numbers: their sums are exact. */
#pragma castell task in(images[0:count*pixels]) \
    in(nearest[0:count], distances[0:count]) \
    reduction(+: totals[0:k*(pixels + EXTRA)])
static void add_images(int count, int pixels, int k, const uint8_t *images,
                       const int *nearest, const double *distances,
                       double *totals)
{
    for (int i = 0; i < count; i++) {
        double *total = totals + (long)nearest[i] * (pixels + EXTRA);

        for (int p = 0; p < pixels; p++)
            total[p] += (double)images[(long)i * pixels + p];
        total[pixels + SIZE] += 1;
        total[pixels + SPREAD] += distances[i];
    }
    (void)k;
}

/* Centres move to the means of their images, one without images stays; the
   spreads are added up; totals are cleared for the next time. */
#pragma castell task inout(totals[0:k*(pixels + EXTRA)]) \
    inout(centres[0:k*pixels]) out(*spread)
static void move_centres(int pixels, int k, double *totals, double *centres,
                         double *spread)
{
    *spread = 0;
    for (long c = 0; c < k; c++) {
        const double *total = totals + c * (pixels + EXTRA);

        *spread += total[pixels + SPREAD];
        for (int p = 0; p < pixels && total[pixels + SIZE] > 0; p++)
            centres[c * pixels + p] = total[p] / total[pixels + SIZE];
    }
    memset(totals, 0, sizeof(*totals) * (size_t)k * (size_t)(pixels + EXTRA));
}

#ifdef APP_GPU
#include "kmeans/gpu.h"
#endif

/* ---- The same by plain loops -------------------------------------------- */

static double plain_distance(int pixels, const uint8_t *image,
                             const double *centre)
{
    double distance = 0;

    for (int p = 0; p < pixels; p++)
        distance +=
            ((double)image[p] - centre[p]) * ((double)image[p] - centre[p]);
    return distance;
}

/* Returns the spread. totals has room for k * (pixels + 1). */
static double plain_iteration(const struct app_images *images, int k,
                              double *centres, double *totals)
{
    int pixels = images->pixels;
    double spread = 0;

    memset(totals, 0, sizeof(*totals) * (size_t)k * (size_t)(pixels + 1));
    for (long i = 0; i < images->count; i++) {
        const uint8_t *image = images->data + i * pixels;
        double least = plain_distance(pixels, image, centres);
        long best = 0;

        for (long c = 1; c < k; c++) {
            double distance =
                plain_distance(pixels, image, centres + c * pixels);

            if (distance < least) {
                least = distance;
                best = c;
            }
        }
        for (int p = 0; p < pixels; p++)
            totals[best * (pixels + 1) + p] += (double)image[p];
        totals[best * (pixels + 1) + pixels] += 1;
        spread += least;
    }
    for (long c = 0; c < k; c++) {
        const double *total = totals + c * (pixels + 1);

        for (int p = 0; p < pixels && total[pixels] > 0; p++)
            centres[c * pixels + p] = total[p] / total[pixels];
    }
    return spread;
}

/* ---- The program -------------------------------------------------------- */

struct clusters {
    int k;
    int part; /* images of a task */
    int iterations;
    double *centres;
    double *totals;
    double *work;      /* of each part: see work_size() */
    double *spread;    /* of each iteration */
    int *nearest;      /* of each image */
    double *distances; /* the same, squared */
};

/* K images, no two of them one, become the first centres. */
static void choose_centres(const struct app_images *images, int k, int seed,
                           double *centres)
{
    uint64_t state = (uint64_t)seed;
    int chosen = 0;

    /* Each image with the chance that leaves as many as are still needed. */
    for (long i = 0; i < images->count && chosen < k; i++) {
        double chance = (double)(k - chosen) / (double)(images->count - i);

        if (app_random_real(&state) >= chance)
            continue;
        for (int p = 0; p < images->pixels; p++)
            centres[chosen * images->pixels + p] =
                (double)images->data[i * images->pixels + p];
        chosen++;
    }
}

/* What one part needs. */
static long work_size(int pixels, int k, int part)
{
    return pixels + (long)k * (2 + EACH * part);
}

static struct clusters clusters_create(const struct app_images *images, int k,
                                       int part, int iterations)
{
    int parts = (images->count + part - 1) / part;
    int pixels = images->pixels;
    struct clusters clusters = {
        .k = k,
        .part = part,
        .iterations = iterations,
        .centres = app_alloc((long)k * pixels, sizeof(double)),
        .totals = app_alloc((long)k * (pixels + EXTRA), sizeof(double)),
        .work = app_alloc(parts * work_size(pixels, k, part), sizeof(double)),
        .spread = app_alloc(iterations, sizeof(double)),
        .nearest = app_alloc(images->count, sizeof(int)),
        .distances = app_alloc(images->count, sizeof(double)),
    };

    memset(clusters.totals, 0,
           sizeof(double) * (size_t)k * (size_t)(pixels + EXTRA));
    return clusters;
}

static void clusters_destroy(struct clusters *clusters)
{
    castell_free(clusters->centres);
    castell_free(clusters->totals);
    castell_free(clusters->work);
    castell_free(clusters->spread);
    castell_free(clusters->nearest);
    castell_free(clusters->distances);
}

static void run(const struct app_images *images, const struct clusters *to)
{
    int pixels = images->pixels;

    for (int r = 0; r < to->iterations; r++) {
        for (int first = 0; first < images->count; first += to->part) {
            int left = images->count - first;
            int count = left < to->part ? left : to->part;
            const uint8_t *part = images->data + (long)first * pixels;

            find_nearest(count, pixels, to->k, part, to->centres,
                         to->work + first / to->part *
                                        work_size(pixels, to->k, to->part),
                         to->nearest + first, to->distances + first);
            add_images(count, pixels, to->k, part, to->nearest + first,
                       to->distances + first, to->totals);
        }
        move_centres(pixels, to->k, to->totals, to->centres, &to->spread[r]);
    }
    #pragma castell barrier
}

/* The percentage of images whose label is the one most met in their cluster. */
static double purity(const struct app_images *images, const struct clusters *of)
{
    int classes = images->classes;
    int *count = app_alloc((long)of->k * classes, sizeof(*count));
    int pure = 0;

    memset(count, 0, sizeof(*count) * (size_t)of->k * (size_t)classes);
    for (int i = 0; i < images->count; i++)
        count[of->nearest[i] * classes + images->labels[i]]++;
    for (long c = 0; c < of->k; c++) {
        int most = 0;

        for (int l = 0; l < classes; l++)
            most =
                count[c * classes + l] > most ? count[c * classes + l] : most;
        pure += most;
    }
    castell_free(count);
    return 100.0 * pure / images->count;
}

/* Of the centres and of how the spread fell. */
static uint64_t checksum(const struct app_images *images,
                         const struct clusters *of)
{
    size_t numbers = (size_t)of->k * (size_t)images->pixels;

    return app_checksum(of->centres, sizeof(double) * numbers) ^
           app_checksum(of->spread, sizeof(double) * (size_t)of->iterations);
}

/* From the centres in `plain`, which those of `of` were at the start. */
static int verify(const struct app_images *images, const struct clusters *of,
                  double *plain)
{
    long numbers = (long)of->k * images->pixels;
    double *totals = app_alloc(numbers + of->k, sizeof(*totals));
    double *spread = app_alloc(of->iterations, sizeof(*spread));
    int wrong;

    for (int r = 0; r < of->iterations; r++)
        spread[r] = plain_iteration(images, of->k, plain, totals);
    wrong = app_verdict("centres: ||tasks - plain|| / ||plain|| is",
                        app_difference(of->centres, plain, numbers), 1e-12);
    wrong |=
        app_verdict("spreads: ||tasks - plain|| / ||plain|| is",
                    app_difference(of->spread, spread, of->iterations), 1e-12);
    castell_free(totals);
    castell_free(spread);
    return wrong;
}

static const struct app_about about = {
    .name = "kmeans",
    .usage = "[OPTION]...",
    .text = "Sort the images of Fashion-MNIST, or others in IDX files, into\n"
            "K clusters by tasks.",
};

int main(int argc, char **argv)
{
    const char *data = APP_IMAGES_DIRECTORY;
    int count = 0;
    int k = 10;
    int part = 1000;
    int iterations = 20;
    int seed = 1;
    int check = -1;
    const struct app_option options[] = {
        {"data", "DIR", "where the images are", APP_TEXT, &data, 0, 0},
        {"images", "N", "sort the first N images only", APP_WHOLE, &count, 1,
         1e7},
        {"clusters", "K", "clusters", APP_WHOLE, &k, 1, 1000},
        {"part", "N", "images of a task", APP_WHOLE, &part, 1, 1e5},
        {"iterations", "N", "times that centres move", APP_WHOLE, &iterations,
         1, 10000},
        {"seed", "N", "of the choice of the first centres", APP_WHOLE, &seed, 0,
         1e9},
        {"verify", NULL, "check against plain loops [up to 5000 images]",
         APP_SWITCH, &check, 0, 0},
        {0},
    };
    struct app_images images;
    struct clusters clusters;
    double *plain, seconds;
    int wrong = 0;

    app_options(argc, argv, &about, options);
    castell_start(&argc, &argv);
    images = app_images_read(data, "train", count);
    if (k > images.count)
        app_die(2, "%d clusters are too many for %d images", k, images.count);

    clusters = clusters_create(&images, k, part, iterations);
    plain = app_alloc((long)k * images.pixels, sizeof(*plain));
    choose_centres(&images, k, seed, plain);
    memcpy(clusters.centres, plain,
           sizeof(*plain) * (size_t)k * (size_t)images.pixels);
    seconds = app_now();
    run(&images, &clusters);
    seconds = app_now() - seconds;
    app_begin_line();
    printf("kmeans images=%d clusters=%d iterations=%d cores=%u: %.3f s, "
           "%.0f images/s, spread %.6e, purity %.1f %%, checksum %016jx\n",
           images.count, k, iterations, castell_executors_count(), seconds,
           (double)images.count * iterations / seconds,
           clusters.spread[iterations - 1], purity(&images, &clusters),
           (uintmax_t)checksum(&images, &clusters));

    if (check == 1 || (check < 0 && images.count <= 5000))
        wrong = verify(&images, &clusters, plain);
    castell_free(plain);
    clusters_destroy(&clusters);
    app_images_free(&images);
    return castell_stop() || wrong;
}
