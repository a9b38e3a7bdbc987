/* side.c - one process of a run, for tests of net. */
#include "net/side.h"

#include "base/clock.h"
#include "conn/rundir.h"
#include "harness/tap.h"

#include <dirent.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

char *side_directory(void)
{
    char *directory = strdup("/tmp/castell-net.XXXXXX");

    if (!directory || !mkdtemp(directory) || cst_rundir_make_secret(directory))
        tap_bail("no directory for a run");
    return directory;
}

void side_remove(char *directory)
{
    static const char *const files[] = {"secret", "master", "master.new"};
    char path[128];

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", directory, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(directory);
    free(directory);
}

static bool on_admit(void *owner, const void *hello, size_t hello_size,
                     char *why)
{
    struct side *side = owner;

    if (side->refuse_all)
        (void)snprintf(why, CST_NET_WHY_MAX, "no room for %zu bytes of hello",
                       hello_size);
    return !side->refuse_all;
}

static void on_joined(void *owner, uint32_t peer, const void *hello,
                      size_t hello_size)
{
    struct side *side = owner;

    side->errors += peer >= SIDE_PEERS || side->state[peer] != 0;
    side->state[peer] = 1;
    side->joined++;
    side->there++;
    side->last_joined = peer;
}

static void on_gone(void *owner, uint32_t peer, enum cst_net_end how,
                    const char *why)
{
    struct side *side = owner;

    side->errors += peer >= SIDE_PEERS || side->state[peer] != 1;
    side->state[peer] = 2;
    side->gone++;
    side->there--;
    side->last_gone = peer;
    side->last_end = how;
    (void)snprintf(side->last_why, sizeof(side->last_why), "%s", why);
}

static void on_over(void *owner, enum cst_net_over how, const char *why)
{
    struct side *side = owner;

    side->errors += side->is_over;
    side->is_over = true;
    side->over = how;
    (void)snprintf(side->last_why, sizeof(side->last_why), "%s", why);
}

static void on_message(void *owner, uint32_t peer, const void *header,
                       size_t header_size, const struct cst_rows *into)
{
    struct side *side = owner;

    side->errors += side->state[peer] != 1;
    side->messages++;
}

static bool on_payload_into(void *owner, uint32_t peer, const void *header,
                            size_t header_size, size_t payload_size,
                            struct cst_rows *ret_into)
{
    return false;
}

static void on_dropped(void *owner, uint32_t peer, const struct cst_rows *into)
{
    ((struct side *)owner)->dropped++;
}

static void on_sent(void *owner, uint32_t peer, void *cookie, bool arrived)
{
    struct side *side = owner;

    if (arrived)
        side->sent++;
    else
        side->not_sent++;
}

static void on_log(void *owner, const char *sentence)
{
    struct side *side = owner;
    size_t length = strlen(side->log);

    side->logged++;
    (void)snprintf(side->last_log, sizeof(side->last_log), "%s", sentence);
    (void)snprintf(side->log + length, sizeof(side->log) - length, "%s\n",
                   sentence);
}

void side_init(struct side *side)
{
    memset(side, 0, sizeof(*side));
    side->owner = (struct cst_net_owner){
        .owner = side,
        .admit = on_admit,
        .joined = on_joined,
        .gone = on_gone,
        .over = on_over,
        .message = on_message,
        .payload_into = on_payload_into,
        .dropped = on_dropped,
        .sent = on_sent,
        .log = on_log,
    };
}

struct cst_net_options side_options(const char *directory)
{
    return (struct cst_net_options){
        .directory = directory,
        .address = "127.0.0.1",
        .heartbeat_ns = 100 * MS,
        .dead_ns = 20 * S,
        .join_ns = 20 * S,
    };
}

void side_step(struct side *side)
{
    if (cst_net_poll(side->net) == 0 && cst_net_doze(side->net))
        cst_net_sleep(side->net, 10 * MS);
}

bool side_until(struct side *side, const uint32_t *word, uint32_t value,
                uint32_t ms)
{
    uint64_t end = cst_clock_ns() + ms * MS;

    while (*word < value && cst_clock_ns() < end)
        side_step(side);
    return *word >= value;
}

bool side_until64(struct side *side, const uint64_t *word, uint64_t value,
                  uint32_t ms)
{
    uint64_t end = cst_clock_ns() + ms * MS;

    while (*word < value && cst_clock_ns() < end)
        side_step(side);
    return *word >= value;
}

void side_run(struct side *side, uint32_t ms)
{
    uint64_t end = cst_clock_ns() + ms * MS;

    while (cst_clock_ns() < end)
        side_step(side);
}

static void too_long(int number)
{
    _exit(99);
}

pid_t side_fork(int (*work)(const char *directory, void *argument),
                const char *directory, void *argument)
{
    pid_t pid;

    (void)fflush(NULL);
    pid = fork();
    if (pid < 0)
        tap_bail("fork failed");
    if (pid > 0)
        return pid;
    (void)signal(SIGALRM, too_long);
    (void)alarm(150);
    _exit(work(directory, argument));
}

int side_reap(struct side *side, pid_t pid, uint32_t ms)
{
    uint64_t end = cst_clock_ns() + ms * MS;
    int status;

    do {
        pid_t ended = waitpid(pid, &status, WNOHANG);

        if (ended == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status)
                                     : 128 + WTERMSIG(status);
        if (side)
            side_step(side);
        else
            (void)usleep(2000);
    } while (cst_clock_ns() < end);
    return -1;
}

uint32_t side_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    uint32_t count = 0;

    if (!directory)
        tap_bail("no /proc");
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

/* What the byte at that offset of that payload must be. */
uint8_t side_byte(uint32_t seed, size_t offset)
{
    uint64_t value = (offset >> 3) * 0x9E3779B97F4A7C15u + seed;

    value ^= value >> 29;
    return (uint8_t)(value >> (offset & 7) * 8);
}

bool side_rows(const struct cst_rows *rows, uint32_t seed, bool fill)
{
    size_t offset = 0;

    for (size_t row = 0; row < (rows->rows ? rows->rows : 1); row++) {
        uint8_t *bytes = (uint8_t *)rows->base + row * rows->pitch;

        for (size_t i = 0; i < rows->size; i++, offset++) {
            if (fill)
                bytes[i] = side_byte(seed, offset);
            else if (bytes[i] != side_byte(seed, offset))
                return false;
        }
    }
    return true;
}

/* As a process of a user who has no right to that; for good. */
void side_guard(void)
{
    struct __user_cap_header_struct head = {.version =
                                                _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    uint32_t bit = UINT32_C(1) << CAP_SYS_PTRACE;

    if (prctl(PR_SET_DUMPABLE, 0) || syscall(SYS_capget, &head, data))
        tap_bail("no capabilities");
    data[0].effective &= ~bit;
    data[0].permitted &= ~bit;
    if (syscall(SYS_capset, &head, data))
        tap_bail("no capabilities");
}
