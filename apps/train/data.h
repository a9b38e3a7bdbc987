/*
 * data.h - the samples to learn from and to test with, in memory or in files.
 *
 * Images are a byte a pixel and have one label; a piece of text has a label for
 * each byte: the next byte. Main's thread reads and describes them; the rest is
 * called by any thread. What goes wrong ends the program with a sentence.
 */
#ifndef APPS_TRAIN_DATA_H
#define APPS_TRAIN_DATA_H

#include <stdint.h>

struct data {
    int count, classes;
    int sample, labels;       /* bytes of a sample, how many labels it has */
    uint8_t *bytes, *answers; /* count times those; NULL: in the files */
    char *bytes_path, *labels_path;
    long bytes_at, labels_at; /* where they begin in the files */
};

/* Some of the samples, in an order that `key` tells; 0: as they are. */
struct data_part {
    int first, count;
    int total; /* how many samples there are to choose from */
    uint64_t key;
};

/* Where samples are in files. */
struct data_place {
    long bytes_at, labels_at;
    int sample, labels;
};

/*
 * The images of STEM ("train", "t10k") in IDX files of a directory, not more
 * than `most` when that is > 0. With `scratch`, a directory, they stay in files:
 * uncompressed ones, which a task makes there when need be.
 */
struct data data_images(const char *directory, const char *stem, int most,
                        const char *scratch);

/*
 * The text of a file, or of all files of a directory, in samples of `context`
 * bytes: nine tenths to learn from, the last one to test with. `streamed`: of a
 * file, which is not read now.
 */
void data_text(const char *path, int context, int most, int streamed,
               struct data *ret_train, struct data *ret_test);

void data_free(struct data *data);

/* The key of an epoch's order. */
uint64_t data_key(uint64_t seed, int epoch);

/* Which of the samples is the i-th of a part. */
int data_nth(const struct data_part *part, int i);

/*
 * Read a part's samples from the files. Returns 0, or -1 when it cannot, which
 * was then said on standard error.
 */
int data_read(const char *path, long at, int size, const struct data_part *part,
              uint8_t *into);

#endif
