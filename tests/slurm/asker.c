/*
 * asker.c - ask SLURM for nodes, as the lines of the standard input say:
 *     ask NODES MINUTES OPTIONS...
 *     cancel TICKET
 *     end
 * and print each event as one line: "TICKET STATE SECONDS|JOB|NODES|TEXT". It is
 * called with the run's directory, the path of castell, and then, as they are
 * wanted, the shortest time between looks and the time-out of commands, in ms.
 */
#include "slurm/slurm.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void print_events(struct cst_slurm *slurm)
{
    struct cst_slurm_event event;

    while (cst_slurm_next(slurm, &event))
        (void)printf("%u %s%s%s %u|%s|%s|%s\n", event.id,
                     cst_slurm_state_name(event.state),
                     event.hopeless ? " hopeless" : "",
                     event.cancelled ? " cancelled" : "", event.seconds_left,
                     event.job, event.nodes, event.text);
    (void)fflush(stdout);
}

/* Returns false at the end. */
static bool obey(struct cst_slurm *slurm, char *line)
{
    unsigned nodes;
    unsigned minutes;
    unsigned ticket;
    uint32_t first;
    int used = 0;

    line[strcspn(line, "\n")] = '\0';
    /* NOLINTBEGIN(cert-err34-c): a test writes them */
    if (sscanf(line, "ask %u %u %n", &nodes, &minutes, &used) == 2) {
        if (cst_slurm_request(slurm, line + used, nodes, minutes, &first) < 0)
            (void)printf("refused: %s\n", castell_error_text());
        else
            (void)printf("asked %u\n", first);
    } else if (sscanf(line, "cancel %u", &ticket) == 1) {
        cst_slurm_cancel(slurm, ticket);
    } else if (strcmp(line, "end") == 0) {
        return false;
    }
    /* NOLINTEND(cert-err34-c) */
    (void)fflush(stdout);
    return true;
}

int main(int argc, char **argv)
{
    struct cst_slurm_options options = {0};
    struct cst_slurm *slurm;
    static char line[4096]; /* large */

    if (argc < 3)
        return 2;
    options.run_dir = argv[1];
    options.castell = argv[2];
    options.look_ms = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;
    options.command_ms = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : 0;
    (void)setvbuf(stdin, NULL, _IONBF, 0);
    if (cst_slurm_create(&options, &slurm) < 0) {
        (void)printf("refused: %s\n", castell_error_text());
        return 1;
    }
    for (;;) {
        struct pollfd files[2] = {
            {.fd = STDIN_FILENO, .events = POLLIN},
            {.fd = cst_slurm_fd(slurm), .events = POLLIN}};

        (void)poll(files, 2, 1000);
        print_events(slurm);
        if (files[0].revents &&
            (!fgets(line, sizeof(line), stdin) || !obey(slurm, line)))
            break;
    }
    cst_slurm_destroy(slurm);
    (void)printf("destroyed\n");
    return 0;
}
