#include "train/model.h"

#include "common/app.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SHAPE_SIZE = 128 };

static void shape_line(const struct net *net, char *line)
{
    int at = snprintf(line, SHAPE_SIZE, "castell perceptron 1:");

    for (int l = 0; l <= net->layers; l++)
        at +=
            snprintf(line + at, (size_t)(SHAPE_SIZE - at), " %d", net->size[l]);
    snprintf(line + at, (size_t)(SHAPE_SIZE - at), "\n");
}

void model_save(const char *path, const struct net *net, const float *weights)
{
    FILE *file = fopen(path, "wb");
    size_t count = (size_t)net->parameters;
    char line[SHAPE_SIZE];
    bool written;

    if (!file)
        app_die(1, "cannot write %s: %s", path, strerror(errno));
    shape_line(net, line);
    written = fputs(line, file) >= 0 &&
              fwrite(weights, sizeof(*weights), count, file) == count;
    if (fclose(file) || !written)
        app_die(1, "cannot write %s: %s", path, strerror(errno));
}

void model_load(const char *path, const struct net *net, float *ret_weights)
{
    FILE *file = fopen(path, "rb");
    size_t count = (size_t)net->parameters;
    char expected[SHAPE_SIZE];
    char line[SHAPE_SIZE];

    if (!file)
        app_die(2, "cannot read %s: %s", path, strerror(errno));
    shape_line(net, expected);
    if (!fgets(line, sizeof(line), file) || strcmp(line, expected) != 0)
        app_die(2,
                "%s is no model of this shape, which would begin with '%.*s'",
                path, (int)strlen(expected) - 1, expected);
    if (fread(ret_weights, sizeof(*ret_weights), count, file) != count ||
        fgetc(file) != EOF)
        app_die(2, "%s is damaged: it should hold %zu numbers", path, count);
    fclose(file);
}
