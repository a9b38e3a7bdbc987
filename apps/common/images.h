/*
 * images.h - read a labelled set of images: IDX files, as MNIST's, compressed
 * by gzip or not.
 *
 * Fashion-MNIST is in Debian's package dataset-fashion-mnist.
 */
#ifndef APPS_COMMON_IMAGES_H
#define APPS_COMMON_IMAGES_H

#include <stdint.h>

#define APP_IMAGES_DIRECTORY "/usr/share/datasets/fashion-mnist"

/* count * pixels fits in an int. */
struct app_images {
    int count;
    int pixels;    /* of one image */
    int classes;   /* labels are 0 .. classes - 1 */
    uint8_t *data; /* count rows of `pixels` bytes */
    uint8_t *labels;
};

/*
 * Read DIRECTORY/STEM-images-idx3-ubyte and DIRECTORY/STEM-labels-idx1-ubyte,
 * each with ".gz" or without; STEM is "train" or "t10k". With images_max > 0
 * only as many of the first ones. Memory is castell_alloc()'s. A file that is
 * missing or is not what it should be ends the program with a sentence.
 */
struct app_images app_images_read(const char *directory, const char *stem,
                                  int images_max);
void app_images_free(struct app_images *images);

/* The files of such a set, and where in them, when they are not compressed,
   images and labels begin. */
struct app_images_files {
    char images[1024], labels[1024];
    int count, pixels, classes;
    long images_at, labels_at;
};

/* Find them: of the images only the header is read. Fails as reading does. */
void app_images_find(const char *directory, const char *stem,
                     struct app_images_files *ret_files);

#endif
