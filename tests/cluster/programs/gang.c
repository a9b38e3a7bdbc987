/*
 * Tasks that several nodes run together: `gang MODE`.
 */
#include <castell.h>
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COUNT = 100000, SIDE = 6, GANGS = 6 };

#pragma castell task out(x [0:n])
static void fill(int n, double *x, double value)
{
    for (int i = 0; i < n; i++)
        x[i] = value + i;
}

/* sum over all members of (rank + 1) * x; who did it is in `who`. */
#pragma castell task device(mpi) constraint(nodes = nodes, cores = 1)          \
    in(x [0:n], where [0:strlen(where) + 1]) out(sum [0:1]) inout(who [0:2])
static int total(int nodes, int n, const double *x, double *sum, int *who,
                 const char *where)
{
    double mine = 0;
    int rank, size;
    MPI_Comm comm;

    castell_mpi_comm(&comm);
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    for (int i = 0; i < n; i++)
        mine += x[i] * (rank + 1);
    MPI_Allreduce(&mine, sum, 1, MPI_DOUBLE, MPI_SUM, comm);
    if (who[0] != 7 || rank >= size)
        return 1;
    who[0] = size;
    who[1] = (int)getpid() + rank; /* that of rank 0 counts */
    if (where[0]) {
        FILE *file = fopen(where, "a");
        char host[64] = "";

        (void)gethostname(host, sizeof(host) - 1);
        if (!file || fprintf(file, "%d %s\n", rank, host) < 0 ||
            fclose(file) != 0)
            return 3;
    }
    return size == nodes ? 0 : 2;
}

/* A block of a matrix, and a file. */
#pragma castell task device(mpi) constraint(nodes = 2) inout(A [i:2] [j:3])    \
    file_in(path)
static int shift(int ld, double (*A)[ld], int i, int j, const char *path)
{
    FILE *file = fopen(path, "r");
    int by = 0, rank;
    MPI_Comm comm;

    castell_mpi_comm(&comm);
    MPI_Comm_rank(comm, &rank);
    if (!file || fscanf(file, "%d", &by) != 1)
        return 1;
    fclose(file);
    for (int row = i; row < i + 2; row++)
        for (int column = j; column < j + 3; column++) {
            double sum, mine = A[row][column];

            MPI_Allreduce(&mine, &sum, 1, MPI_DOUBLE, MPI_SUM, comm);
            A[row][column] = sum + by;
        }
    return 0;
}

/* A member fails in the way that is asked for; the second attempt does not. */
#pragma castell task device(mpi) constraint(nodes = 2) inout(x [0:1])          \
    file_inout(mark) on_failure(retry(1), fail)
static int stumble(int *x, const char *mark, int how)
{
    FILE *file;
    int rank;
    MPI_Comm comm;

    castell_mpi_comm(&comm);
    MPI_Comm_rank(comm, &rank);
    if (how == 4 && castell_task_attempt() == 1) {
        *x = 99; /* which is to be forgotten */
        return 4;
    }
    if (rank == 1 && castell_task_attempt() == 1) {
        if (how == 1)
            return 5;
        if (how == 2)
            raise(SIGKILL);
        if (how == 3)
            exit(6);
    }
    MPI_Barrier(comm);
    *x += castell_task_attempt();
    file = rank == 0 ? fopen(mark, "a") : NULL;
    if (file) {
        fprintf(file, "%d\n", (int)castell_task_attempt());
        fclose(file);
    }
    return 0;
}

/* Too long, and always wrong. */
#pragma castell task device(mpi) constraint(nodes = 2) timeout(1500)           \
    on_failure(fail) out(x [0:1])
static int dawdle(int *x)
{
    *x = 1;
    sleep(100);
    return 0;
}

/* Says that it runs, and waits to be let go: by files that are none of the
   run's, and seen at once. */
#pragma castell task device(mpi) constraint(nodes = 2) inout(x [0:1])          \
    in(go [0:strlen(go) + 1], here [0:strlen(here) + 1])
static int hold(int *x, const char *go, const char *here)
{
    MPI_Comm comm;
    FILE *file;
    int rank;

    castell_mpi_comm(&comm);
    MPI_Comm_rank(comm, &rank);
    if (rank == 0) {
        file = fopen(here, "a");
        if (!file)
            return 1;
        fprintf(file, "runs %d\n", (int)getpid());
        fclose(file);
        while (access(go, F_OK) != 0)
            usleep(10000);
    }
    MPI_Barrier(comm);
    *x += 1;
    return 0;
}

/* Who they are; again: others were it before. */
#pragma castell task device(mpi) constraint(nodes = 2) inout(pids [0:2])
static int who(int *pids, int again)
{
    int mine = (int)getpid();
    int seen = pids[0] != 0;
    MPI_Comm comm;

    castell_mpi_comm(&comm);
    MPI_Bcast(&seen, 1, MPI_INT, 0, comm);
    MPI_Allgather(&mine, 1, MPI_INT, pids, 1, MPI_INT, comm);
    if (castell_task_cores() != 1 || castell_task_attempt() < 1)
        return 2;
    if (castell_barrier() != CASTELL_ERR_INVALID ||
        !strstr(castell_error_text(), "by a body of device(mpi)"))
        return 4;
    return seen == again ? 0 : 3;
}

/* `count` gangs, GANGS of them at once where there are nodes for so many. */
static void sequence(int count)
{
    static int pids[GANGS][2];

    for (int i = 0; i < count; i++)
        who(pids[i % GANGS], i >= GANGS);
#pragma castell barrier
    for (int i = 0; i < GANGS; i++)
        printf("%d\n%d\n", pids[i][0], pids[i][1]);
}

static void sums(int nodes, const char *where)
{
    static double x[GANGS][COUNT], sum[GANGS];
    static int who[GANGS][2];

    for (int i = 0; i < GANGS; i++) {
        who[i][0] = 7;
        fill(COUNT, x[i], i);
        total(nodes, COUNT, x[i], &sum[i], who[i], where);
    }
#pragma castell barrier
    for (int i = 0; i < GANGS; i++) {
        double right = 0;

        for (int k = 0; k < COUNT; k++)
            right += x[i][k];
        right *= nodes * (nodes + 1) / 2;
        printf("%s %d %s\n", sum[i] == right ? "right" : "wrong", who[i][0],
               who[i][1] != (int)getpid() ? "elsewhere" : "here");
    }
}

static void blocks(const char *path)
{
    static double A[SIDE][SIDE];

    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++)
            A[i][j] = 10 * i + j;
    shift(SIDE, A, 2, 1, path);
    shift(SIDE, A, 4, 3, path);
#pragma castell barrier
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++)
            printf("%g%c", A[i][j], j + 1 < SIDE ? ' ' : '\n');
}

int main(int argc, char **argv)
{
    static int x = 40, y;
    const char *mode = argc > 1 ? argv[1] : "";

    castell_start(&argc, &argv);
    if (strcmp(mode, "sums") == 0)
        sums(atoi(argv[2]), argc > 3 ? argv[3] : "");
    else if (strcmp(mode, "blocks") == 0)
        blocks(argv[2]);
    else if (strcmp(mode, "stumble") == 0)
        stumble(&x, argv[2], atoi(argv[3]));
    else if (strcmp(mode, "sequence") == 0)
        sequence(atoi(argv[2]));
    else if (strcmp(mode, "dawdle") == 0)
        dawdle(&x);
    else if (strcmp(mode, "hold") == 0) {
        hold(&x, argv[2], argv[3]);
        if (argc > 4)
            hold(&y, argv[2], argv[4]);
    }
#pragma castell barrier
    printf("%d %d\n", x, y);
    return castell_stop();
}
