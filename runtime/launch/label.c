/*
 * Lines of a worker, with its name before each.
 */
#include "launch/launch_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool cst_label_open(struct cst_label *label, int to, const char *name,
                    int *ret_write)
{
    int ends[2];

    label->from = -1;
    label->used = 0;
    label->to = to;
    (void)snprintf(label->prefix, sizeof(label->prefix), "[node %s] ", name);
    label->prefix_size = strlen(label->prefix);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    label->from = ends[0];
    *ret_write = ends[1];
    return true;
}

/*
 * All of it, in one write where the reader takes that: what several processes
 * write to one pipe or file does not mix within a write.
 */
static void write_all(int to, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t count = write(to, bytes, size);

        if (count < 0 && errno != EINTR)
            return;
        if (count > 0) {
            bytes += count;
            size -= (size_t)count;
        }
    }
}

static void write_line(const struct cst_label *label, const char *line,
                       size_t size)
{
    char whole[sizeof(label->prefix) + 2048];

    if (label->prefix_size + size > sizeof(whole)) {
        write_all(label->to, label->prefix, label->prefix_size);
        write_all(label->to, line, size);
        return;
    }
    memcpy(whole, label->prefix, label->prefix_size);
    memcpy(whole + label->prefix_size, line, size);
    write_all(label->to, whole, label->prefix_size + size);
}

/* Pass on the lines that are complete, keep the rest. */
static void pass_lines(struct cst_label *label)
{
    const char *line = label->line;
    const char *end = label->line + label->used;
    const char *newline;

    while ((newline = memchr(line, '\n', (size_t)(end - line))) != NULL) {
        write_line(label, line, (size_t)(newline + 1 - line));
        line = newline + 1;
    }
    label->used = (size_t)(end - line);
    memmove(label->line, line, label->used);
}

/* What there is of a line, as a line. */
static void pass_rest(struct cst_label *label)
{
    if (label->used == 0)
        return;
    label->line[label->used] = '\n';
    write_line(label, label->line, label->used + 1);
    label->used = 0;
}

void cst_label_pump(struct cst_label *label)
{
    while (label->from >= 0) {
        size_t room = sizeof(label->line) - 1 - label->used;
        ssize_t count = read(label->from, label->line + label->used, room);

        if (count > 0) {
            label->used += (size_t)count;
            pass_lines(label);
            if (label->used == sizeof(label->line) - 1)
                pass_rest(label);
        } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
            pass_rest(label);
            (void)close(label->from);
            label->from = -1;
        } else if (errno == EAGAIN) {
            return;
        }
    }
}
