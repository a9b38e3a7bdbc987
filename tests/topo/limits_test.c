/*
 * Rules of limits: the lowest of our cgroup and those above it holds, in
 * version 1 and 2, in a container too; what is unreadable is no limit. Each
 * case is a tree of files under a directory of its own.
 */
#include "harness/tap.h"
#include "topo/topo_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 512 };

static char root[PATH_SIZE];

/* Write a file below root, with the directories above it. */
static void put(const char *name, const char *text)
{
    char path[2 * PATH_SIZE];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s%s", root, name);
    for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        (void)mkdir(path, 0700);
        *at = '/';
    }
    file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        tap_bail(name);
}

static void begin(void)
{
    (void)strcpy(root, "/tmp/castell-limits-XXXXXX");
    if (!mkdtemp(root))
        tap_bail("no directory in /tmp");
}

static bool end(uint64_t memory, uint64_t cpus)
{
    struct cst_topo_limits limits;
    char command[PATH_SIZE + 16];

    if (cst_topo_read_limits(root, &limits) != CASTELL_OK)
        return false;
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", root);
    /* NOLINTNEXTLINE(cert-env33-c,concurrency-mt-unsafe) */
    if (system(command) != 0)
        return false;
    if (limits.memory == memory && limits.cpus == cpus)
        return true;
    printf("# memory %llu, cpus %llu\n", (unsigned long long)limits.memory,
           (unsigned long long)limits.cpus);
    return false;
}

static void test_version_2(void)
{
    begin();
    put("/proc/self/cgroup", "0::/a/b\n");
    put("/proc/self/mountinfo",
        "21 1 8:1 / / rw shared:1 - ext4 /dev/sda rw\n"
        "30 21 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n");
    put("/sys/fs/cgroup/a/b/memory.max", "max\n");
    put("/sys/fs/cgroup/a/b/cpu.max", "250000 100000\n");
    put("/sys/fs/cgroup/a/memory.max", "1048576\n");
    put("/sys/fs/cgroup/a/cpu.max", "max 100000\n");
    ok(end(1048576, 3), "version 2: a limit above us, and 2.5 CPUs are 3");
}

static void test_version_1(void)
{
    begin();
    put("/proc/self/cgroup", "4:memory:/job\n3:cpu,cpuacct:/quota\n0::/\n");
    put("/proc/self/mountinfo",
        "30 21 0:26 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
        "31 21 0:27 / /cg/cpuset rw - cgroup cgroup rw,cpuset\n"
        "32 21 0:28 / /cg/memory rw - cgroup cgroup rw,memory\n");
    put("/cg/memory/job/memory.limit_in_bytes", "4096\n");
    put("/cg/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("/cg/cpu/quota/cpu.cfs_quota_us", "400000\n");
    put("/cg/cpu/quota/cpu.cfs_period_us", "100000\n");
    put("/cg/cpu/cpu.cfs_quota_us", "-1\n");
    put("/cg/cpu/cpu.cfs_period_us", "100000\n");
    put("/cg/cpuset/job/memory.limit_in_bytes", "1\n");
    ok(end(4096, 4), "version 1: each controller in its own tree");
}

static void test_container(void)
{
    begin();
    put("/proc/self/cgroup", "0::/docker/123/job\n");
    put("/proc/self/mountinfo",
        "30 21 0:26 /docker/123 /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
    put("/sys/fs/cgroup/memory.max", "8192\n");
    put("/sys/fs/cgroup/job/memory.max", "16384\n");
    put("/sys/fs/memory.max", "1\n");
    ok(end(8192, UINT64_MAX), "a container that sees a part of the tree");

    begin();
    put("/proc/self/cgroup", "0::/../other\n");
    put("/proc/self/mountinfo",
        "30 21 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
    put("/sys/fs/cgroup/memory.max", "8192\n");
    put("/sys/fs/other/memory.max", "1\n");
    ok(end(8192, UINT64_MAX), "one whose cgroup is outside of what it sees");

    begin();
    put("/proc/self/cgroup", "0::/docker/1234\n");
    put("/proc/self/mountinfo",
        "30 21 0:26 /docker/123 /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
    put("/sys/fs/cgroup/memory.max", "8192\n");
    put("/sys/fs/cgroup4/memory.max", "1\n");
    ok(end(8192, UINT64_MAX), "one whose name only begins the same");
}

static void test_nothing(void)
{
    begin();
    ok(end(UINT64_MAX, UINT64_MAX), "no /proc: no limits");

    begin();
    put("/proc/self/cgroup", "\n0\n:\n4:memory\n0::\n");
    put("/proc/self/mountinfo", " - \n1 2 3 - cgroup2 x\n-\n");
    ok(end(UINT64_MAX, UINT64_MAX), "nonsense: no limits");

    begin();
    put("/proc/self/cgroup", "0::/\n");
    put("/proc/self/mountinfo", "30 21 0:26 / /cg ro - cgroup2 cgroup rw\n");
    put("/cg/memory.max", "");
    put("/cg/cpu.max", "0 0\n");
    ok(end(UINT64_MAX, UINT64_MAX), "empty and zero: no limits");
}

int main(void)
{
    test_version_2();
    test_version_1();
    test_container();
    test_nothing();
    return tap_done();
}
