#include "blocks/program/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct input input_defaults(void)
{
    return (struct input){.window = 16};
}

void must(enum castell_status status)
{
    bool ours = status == CASTELL_ERR_INVALID || status == CASTELL_ERR_SYSTEM;

    if (status < 0)
        app_die(ours ? 2 : 1, "%s", blocks_error_text());
}

void need(const char *value, const char *option)
{
    if (!value || !*value)
        app_die(2, "--%s FILE is needed; --help tells more", option);
}

/* ---- Options -------------------------------------------------------------- */

static int append(struct app_option *list, int count,
                  const struct app_option *more)
{
    for (; more->name && count < OPTIONS_MAX - 1; more++)
        list[count++] = *more;
    return count;
}

static void parse(int argc, char **argv, const char *about,
                  const struct app_option *list)
{
    static char usage[64];
    const struct app_about what = {.name = "blocks", .usage = usage, .text = about};

    snprintf(usage, sizeof(usage), "%s [OPTION]...", argv[0]);
    app_options(argc, argv, &what, list);
}

static void start_all(int *argc, char ***argv, const char *about,
                      const struct app_option *options, struct input *input,
                      bool labels)
{
    const struct app_option common[] = {
        {"input", "FILE", "the matrix: .npy, .csv, IDX or .raw, or .gz of them",
         APP_TEXT, &input->path, 0, 0},
        {"block-rows", "N", "rows of a block", APP_WHOLE, &input->block_rows, 1,
         1e9},
        {"block-cols", "N", "columns of a block", APP_WHOLE, &input->block_cols,
         1, 1e9},
        {"stream", NULL, "read blocks again for each use, keep none",
         APP_SWITCH, &input->streamed, 0, 0},
        {"window", "N", "rows of blocks in memory then", APP_WHOLE,
         &input->window, 2, 1e6},
        {"nan", NULL, "NaN and infinity may be in files", APP_SWITCH,
         &input->nan_allowed, 0, 0},
        {"delimiter", "C", "between columns of text: one character", APP_TEXT,
         &input->delimiter, 0, 0},
        {"type", "T", "of raw numbers: f8, f4, <i4, u1, ...", APP_TEXT,
         &input->type, 0, 0},
        {"cols", "N", "columns of raw numbers", APP_WHOLE, &input->cols, 1,
         1e9},
        {0},
    };
    const struct app_option of_labels[] = {
        {"labels", "FILE", "the labels or targets, a row each", APP_TEXT,
         &input->labels, 0, 0},
        {"label-column", "N",
         "or the column of the input that they are; -1 is the last", APP_WHOLE,
         &input->label_column, -1, 1e9},
        {0},
    };
    struct app_option list[OPTIONS_MAX] = {{0}};
    int count = append(list, 0, common);

    if (labels)
        count = append(list, count, of_labels);
    append(list, count, options);
    parse(*argc, *argv, about, list);
    if (input->delimiter && strlen(input->delimiter) != 1)
        app_die(2, "--delimiter is one character, not '%s'", input->delimiter);
    castell_start(argc, argv);
}

void start(int *argc, char ***argv, const char *about,
           const struct app_option *options, struct input *input)
{
    start_all(argc, argv, about, options, input, false);
}

void start_with_labels(int *argc, char ***argv, const char *about,
                       const struct app_option *options, struct input *input)
{
    start_all(argc, argv, about, options, input, true);
}

/* ---- Reading and writing -------------------------------------------------- */

static struct blocks_file file_of(const struct input *input)
{
    return (struct blocks_file){
        .block_rows = input->block_rows,
        .block_cols = input->block_cols,
        .streamed = input->streamed,
        .nan_allowed = input->nan_allowed,
        .window = input->window,
        .delimiter = input->delimiter ? input->delimiter[0] : '\0',
        .type = input->type,
        .cols = input->cols,
    };
}

struct blocks_array *read_input(const struct input *input)
{
    const struct blocks_file file = file_of(input);
    struct blocks_array *array = NULL;

    need(input->path, "input");
    must(blocks_read(input->path, &file, &array));
    return array;
}

struct blocks_array *read_other(const struct input *input, const char *path)
{
    struct blocks_file file = file_of(input);
    struct blocks_array *array = NULL;

    file.streamed = false;
    must(blocks_read(path, &file, &array));
    return array;
}

/* Take a column out of the matrix. */
static struct blocks_array *split(struct blocks_array **array, long column)
{
    struct blocks_shape shape = blocks_shape(*array);
    struct blocks_cut cut = {.cols = 1, .block_rows = shape.block_rows};
    struct blocks_cut rest = {.block_rows = shape.block_rows,
                              .block_cols = shape.block_cols};
    struct blocks_array *labels = NULL;
    struct blocks_array *without = NULL;

    if (column < 0)
        column = shape.cols;
    if (column > shape.cols || shape.cols < 2)
        app_die(2, "--label-column %ld of %ld columns leaves no matrix", column,
                shape.cols);
    if (column > 1 && column < shape.cols)
        app_die(2, "--label-column is the first one or the last one");
    cut.col = column - 1;
    rest.col = column == 1 ? 1 : 0;
    rest.cols = shape.cols - 1;
    must(blocks_cut(*array, &cut, &labels));
    must(blocks_cut(*array, &rest, &without));
    blocks_destroy(*array);
    *array = without;
    return labels;
}

struct blocks_array *read_labelled(const struct input *input,
                                   struct blocks_array **ret_labels)
{
    struct blocks_array *array = read_input(input);
    struct blocks_shape shape = blocks_shape(array);
    struct blocks_file file = {.nan_allowed = input->nan_allowed,
                               .block_rows = shape.block_rows};
    long rows;

    if (input->label_column) {
        *ret_labels = split(&array, input->label_column);
        return array;
    }
    need(input->labels, "labels");
    must(blocks_read(input->labels, &file, ret_labels));
    rows = blocks_shape(*ret_labels).rows;
    if (rows != shape.rows)
        app_die(2, "%s has %ld rows, and %s has %ld", input->labels, rows,
                input->path, shape.rows);
    return array;
}

double *numbers_of(struct blocks_array *array)
{
    struct blocks_shape shape = blocks_shape(array);
    double *numbers =
        malloc(sizeof(*numbers) * (size_t)shape.rows * (size_t)shape.cols);

    if (!numbers)
        app_die(1, "no memory for %ld x %ld numbers", shape.rows, shape.cols);
    must(blocks_get(array, numbers));
    return numbers;
}

void write_output(struct blocks_array *array, const char *path)
{
    if (path)
        must(blocks_write(array, path, BLOCKS_BY_NAME));
}

void write_numbers(const double *numbers, long rows, long cols,
                   const char *path)
{
    struct blocks_array *array = NULL;

    if (!path)
        return;
    must(blocks_create(rows, cols, 0, 0, &array));
    must(blocks_put(array, numbers));
    write_output(array, path);
    blocks_destroy(array);
}

int finish(void)
{
    return castell_stop();
}
