#include "body/used.h"

#include "harness/tap.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned long long thread_ns(const char *thread)
{
    char path[300], line[100] = "";
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/self/task/%s/schedstat", thread);
    file = fopen(path, "r");
    if (!file)
        return 0;
    if (!fgets(line, sizeof(line), file))
        line[0] = '\0';
    (void)fclose(file);
    return strtoull(line, NULL, 10);
}

void used_now(struct used *ret_used)
{
    DIR *directory = opendir("/proc/self/task");
    const struct dirent *entry;

    ret_used->count = 0;
    if (!directory)
        tap_bail("no /proc");
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this thread's */
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.' || ret_used->count == USED_THREADS_MAX)
            continue;
        ret_used->threads[ret_used->count].thread =
            (int)strtol(entry->d_name, NULL, 10);
        ret_used->threads[ret_used->count].ns = thread_ns(entry->d_name);
        ret_used->count++;
    }
    (void)closedir(directory);
}

/* The time of a thread that did not exist is 0. */
static unsigned long long ns_of(const struct used *used, int thread)
{
    for (int i = 0; i < used->count; i++) {
        if (used->threads[i].thread == thread)
            return used->threads[i].ns;
    }
    return 0;
}

int used_since(const struct used *before, cpu_set_t *ret_cpus)
{
    static struct used now;
    unsigned long long most = 0;
    int count = 0;

    used_now(&now);
    CPU_ZERO(ret_cpus);
    for (int i = 0; i < now.count; i++) {
        now.threads[i].ns -= ns_of(before, now.threads[i].thread);
        if (now.threads[i].ns > most)
            most = now.threads[i].ns;
    }
    for (int i = 0; i < now.count; i++) {
        cpu_set_t cpus;

        if (now.threads[i].ns < most / 10)
            continue;
        count++;
        if (sched_getaffinity(now.threads[i].thread, sizeof(cpus), &cpus) == 0)
            CPU_OR(ret_cpus, ret_cpus, &cpus);
    }
    return count;
}
