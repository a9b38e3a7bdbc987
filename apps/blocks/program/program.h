/*
 * program.h - what the commands of the program share: where the data come from,
 * and what becomes of errors.
 */
#ifndef BLOCKS_PROGRAM_PROGRAM_H
#define BLOCKS_PROGRAM_PROGRAM_H

#include "blocks/blocks.h"
#include "common/app.h"

enum { OPTIONS_MAX = 40 };

/* One command; it gets its own name as argv[0] and returns an exit status. */
struct command {
    const char *name, *about;
    int (*run)(int argc, char **argv);
};

/* Where the input is and how to read it; --label-column and --labels too. */
struct input {
    const char *path, *labels, *type, *delimiter;
    int block_rows, block_cols, cols, window, label_column;
    int streamed, nan_allowed;
};

/* The defaults. */
struct input input_defaults(void);

/* The command's options and those of its input, with or without labels; then
   castell_start(). */
void start(int *argc, char ***argv, const char *about,
           const struct app_option *options, struct input *input);
void start_with_labels(int *argc, char ***argv, const char *about,
                       const struct app_option *options, struct input *input);

/* Say the sentence and end the program unless the call went well. */
void must(enum castell_status status);

/* The matrix of the input; of start_with_labels(), the labels as well: a column,
   in memory of the program's, rows of them. */
struct blocks_array *read_input(const struct input *input);
struct blocks_array *read_labelled(const struct input *input,
                                   struct blocks_array **ret_labels);

/* Another file, read as the input is, but kept. */
struct blocks_array *read_other(const struct input *input, const char *path);

/* All numbers, from malloc(). */
double *numbers_of(struct blocks_array *array);

/* Write to the file when there is a name. */
void write_output(struct blocks_array *array, const char *path);
void write_numbers(const double *numbers, long rows, long cols,
                   const char *path);

/* The numbers of a small file, of just that shape; NULL when there is no name. */
double *start_of(const struct input *input, const char *path, long rows,
                 long cols);

/* The share of labels that were predicted. */
double share_right(struct blocks_array *labels, struct blocks_array *predicted);

/* The share of the variance of numbers that what was predicted explains: R^2. */
double share_explained(struct blocks_array *labels,
                       struct blocks_array *predicted);

/* The name must be given: "--input FILE is needed". */
void need(const char *value, const char *option);

/* End the run; what main() returns. */
int finish(void);

int command_info(int argc, char **argv);
int command_convert(int argc, char **argv);
int command_transpose(int argc, char **argv);
int command_multiply(int argc, char **argv);
int command_fold(int argc, char **argv);
int command_random(int argc, char **argv);
int command_scale(int argc, char **argv);
int command_kmeans(int argc, char **argv);
int command_mixture(int argc, char **argv);
int command_pca(int argc, char **argv);
int command_linear(int argc, char **argv);
int command_logistic(int argc, char **argv);
int command_neighbours(int argc, char **argv);
int command_forest(int argc, char **argv);

#endif
