/*
 * A stand-in for a program of the runtime: it does what launch.h asks of the
 * processes of a run, and what its arguments say.
 *
 *   show            every process prints what it was told, in one line
 *   exit STATUS     the master ends with it
 *   die SIGNAL      the master ends by it
 *   hang            as show; workers never end by themselves
 *   stay MS         the master ends after that time
 *   wait            the master waits for signals: INT ends it with 42, and USR1
 *                   makes it print "usr1"
 *   cat             the master copies its input to its output
 *   talk            every process writes lines to both streams, workers half a
 *                   line more
 *   mess            every process leaves files in the node's directory and dies
 *   slow COUNT      the master waits for that many processes to be there;
 *                   workers need a second after it
 *
 * Workers end when the file `master` is in the run directory, which the master
 * writes at its end, or when it has died.
 */
#include "launch/launch.h"

#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 1024 };

static const char *told(const char *name)
{
    const char *value = getenv(name);

    return value ? value : "-";
}

static void sleep_ms(long ms)
{
    struct timespec time = {.tv_sec = ms / 1000,
                            .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&time, NULL);
}

static void run_path(const char *name, char path[PATH_SIZE])
{
    (void)snprintf(path, PATH_SIZE, "%s/%s", told(CST_LAUNCH_RUN_DIR), name);
}

/* How many files of the run directory begin so. */
static int count_files(const char *prefix)
{
    DIR *directory = opendir(told(CST_LAUNCH_RUN_DIR));
    const struct dirent *entry;
    int count = 0;

    while (directory && (entry = readdir(directory)) != NULL)
        count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    if (directory)
        (void)closedir(directory);
    return count;
}

static void show(void)
{
    struct stat directory = {0};
    struct stat secret = {0};
    char path[PATH_SIZE];
    char host[256] = "";

    run_path(CST_LAUNCH_SECRET, path);
    (void)stat(told(CST_LAUNCH_RUN_DIR), &directory);
    (void)stat(path, &secret);
    (void)gethostname(host, sizeof(host) - 1);
    printf(
        "role=%s workers=%s carrier=%s tasks=%s cores=%s dir=%o secret=%o:%ld "
        "node_dir=%s host=%s rank=%s\n",
        told(CST_LAUNCH_ROLE), told(CST_LAUNCH_WORKERS),
        told(CST_LAUNCH_CARRIER), told(CST_LAUNCH_TASKS),
        told(CST_LAUNCH_CORES), directory.st_mode & 0777U,
        secret.st_mode & 0777U, (long)secret.st_size,
        access(told(CST_LAUNCH_NODE_DIR), W_OK) == 0 ? "there" : "-", host,
        told("OMPI_COMM_WORLD_RANK"));
    (void)fflush(stdout);
}

static void write_file(const char *name, const char *text)
{
    char path[PATH_SIZE];
    FILE *file;

    run_path(name, path);
    file = fopen(path, "w");
    if (!file)
        return;
    (void)fputs(text, file);
    (void)fclose(file);
}

static void leave_mess(void)
{
    char path[PATH_SIZE];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/segment.%ld",
                   told(CST_LAUNCH_NODE_DIR), (long)getpid());
    file = fopen(path, "w");
    if (file)
        (void)fclose(file);
    printf("%s\n", path);
    (void)fflush(stdout);
    (void)raise(SIGKILL);
}

static volatile sig_atomic_t caught;

static void catch (int signal)
{
    caught = signal;
}

static int wait_for_signals(void)
{
    (void)signal(SIGINT, catch);
    (void)signal(SIGUSR1, catch);
    printf("ready\n");
    (void)fflush(stdout);
    for (;;) {
        if (caught == SIGINT)
            return 42;
        if (caught == SIGUSR1) {
            caught = 0;
            printf("usr1\n");
            (void)fflush(stdout);
        }
        sleep_ms(10);
    }
}

static int copy(void)
{
    int byte;

    while ((byte = getchar()) != EOF)
        (void)putchar(byte);
    return 0;
}

static void talk(void)
{
    for (int i = 0; i < 3; i++) {
        printf("out %d\n", i);
        (void)fflush(stdout);
        (void)fprintf(stderr, "err %d\n", i);
    }
}

static int serve(const char *what)
{
    if (strcmp(what, "show") == 0 || strcmp(what, "hang") == 0)
        show();
    if (strcmp(what, "talk") == 0) {
        talk();
        printf("half");
        (void)fflush(stdout);
    }
    if (strcmp(what, "mess") == 0)
        leave_mess();
    while (strcmp(what, "hang") == 0)
        sleep_ms(100);
    while (count_files(CST_LAUNCH_MASTER) + count_files("ended") == 0)
        sleep_ms(10);
    if (strcmp(what, "slow") == 0) {
        sleep_ms(1000);
        printf("late\n");
    }
    return 0;
}

static int lead(char **argv)
{
    const char *what = argv[1];
    int number = argv[2] ? (int)strtol(argv[2], NULL, 10) : 0;

    if (strcmp(what, "show") == 0 || strcmp(what, "hang") == 0)
        show();
    if (strcmp(what, "hang") == 0 || strcmp(what, "stay") == 0)
        sleep_ms(number);
    while (strcmp(what, "slow") == 0 &&
           count_files(CST_LAUNCH_PROCESS) < number)
        sleep_ms(10);
    if (strcmp(what, "exit") == 0)
        return number;
    if (strcmp(what, "die") == 0)
        (void)raise(number);
    if (strcmp(what, "wait") == 0)
        return wait_for_signals();
    if (strcmp(what, "cat") == 0)
        return copy();
    if (strcmp(what, "talk") == 0)
        talk();
    if (strcmp(what, "mess") == 0)
        leave_mess();
    return 0;
}

int main(int argc, char **argv)
{
    int status;

    if (argc < 2)
        return 99;
    if (strcmp(told(CST_LAUNCH_ROLE), "worker") == 0)
        return serve(argv[1]);
    if (strcmp(told(CST_LAUNCH_ROLE), "master") != 0)
        return 98;
    status = lead(argv);
    write_file(CST_LAUNCH_MASTER, "over\n");
    return status;
}
