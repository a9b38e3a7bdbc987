/* mpi_start.c - start MPI where a process was started under it, and end it. */
#include "base/built.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/parse.h"
#include "base/thread.h"
#include "link/mpi.h"

#include <dlfcn.h>
#include <stdio.h>
#include <time.h>

#define CST_MPI_FINISH_NS (2 * CST_NS_PER_S) /* then we go without */

/* MPI starts once in a process, and ends once. */
static const struct cst_mpi_ops *started_ops;
static struct cst_mpi_world started_world;
static bool started;
static _Atomic(bool) exit_hard;

bool cst_mpi_exit_hard(void)
{
    return atomic_load(&exit_hard);
}

void cst_mpi_never_finish(void)
{
    atomic_store(&exit_hard, true);
}

/* ---- Start ------------------------------------------------------------------- */

static const struct cst_mpi_ops *load(struct cst_links *links,
                                      const char *modules)
{
    const struct cst_mpi_ops *ops = NULL;
    char *path =
        cst_format("%s/%s", modules ? modules : CST_MODULES, CST_MPI_MODULE);
    void *module = path ? dlopen(path, RTLD_NOW | RTLD_GLOBAL) : NULL;

    if (module)
        ops = dlsym(module, CST_MPI_SYMBOL);
    if (!module)
        cst_conns_why(&links->conns,
                      "%s", /* NOLINTNEXTLINE(concurrency-mt-unsafe) */
                      path ? dlerror() : "no memory");
    else if (!ops || ops->version != CST_MPI_OPS_VERSION)
        cst_conns_why(&links->conns, "%s is not of this version", path);
    cst_free(path);
    return ops && ops->version == CST_MPI_OPS_VERSION ? ops : NULL;
}

static bool start_world(struct cst_links *links, const char *modules,
                        bool shared)
{
    if (started)
        return started_ops != NULL;
    started = true;
    if (CST_BUILT_MPI)
        started_ops = load(links, modules);
    else
        cst_conns_why(&links->conns, "castell was built without it");
    if (started_ops &&
        started_ops->start(&started_world, shared, links->conns.why,
                           sizeof(links->conns.why)))
        started_ops = NULL;
    return started_ops != NULL;
}

/* Memory, and receives for batches that may come at any time. */
static bool fill(struct cst_mpi *mpi)
{
    mpi->links = cst_zalloc(mpi->world.size * sizeof(struct cst_link *));
    if (!mpi->links)
        return false;
    mpi->in_last = &mpi->in;
    for (unsigned int i = 0; i < CST_MPI_RECEIVES; i++)
        if (!cst_mpi_add_receive(mpi))
            return false;
    return true;
}

void cst_mpi_start(struct cst_links *links, const char *modules, bool shared)
{
    if (!cst_parse_environment("PMIX_RANK") &&
        !cst_parse_environment("OMPI_COMM_WORLD_RANK"))
        return;
    if (!start_world(links, modules, shared)) {
        cst_conns_tell(&links->conns, CST_TELL_MPI,
                       "messages go by TCP, for MPI cannot be used: %s",
                       links->conns.why);
        return;
    }
    if (started_world.size < 2)
        return;
    links->mpi = cst_zalloc(sizeof(*links->mpi));
    if (!links->mpi)
        return;
    links->mpi->ops = started_ops;
    links->mpi->world = started_world;
    if (!fill(links->mpi)) {
        cst_mpi_stop(links);
        return;
    }
    links->conns.where.world = started_world.id;
    links->conns.where.rank = started_world.rank;
}

/* ---- Stop --------------------------------------------------------------------- */

static void *finish(void *argument)
{
    started_ops->finish();
    return NULL;
}

/* Finalize, but do not wait for who will never come. */
static void finish_in_time(void)
{
    struct timespec until;
    pthread_t thread;

    if (atomic_load(&exit_hard))
        return;
    if (clock_gettime(CLOCK_REALTIME, &until) ||
        cst_thread_start("cst-mpi-end", finish, NULL, &thread)) {
        atomic_store(&exit_hard, true);
        return;
    }
    until.tv_sec += (time_t)(CST_MPI_FINISH_NS / CST_NS_PER_S);
    if (pthread_timedjoin_np(thread, NULL, &until)) {
        atomic_store(&exit_hard, true);
        (void)pthread_detach(thread);
    }
}

/* Memory that MPI holds is not ours to free. */
static void free_list(const struct cst_mpi *mpi, struct cst_mpi_buffer *buffer)
{
    while (buffer) {
        struct cst_mpi_buffer *next = buffer->next;
        uint32_t rank;
        size_t size;

        if (buffer->kept ||
            mpi->ops->test(&buffer->request, &rank, &size) != CST_MPI_PENDING)
            cst_free(buffer);
        buffer = next;
    }
}

static void free_buffers(struct cst_mpi *mpi)
{
    for (struct cst_mpi_buffer *in = mpi->in; in; in = in->next)
        if (!in->kept)
            mpi->ops->cancel(&in->request);
    free_list(mpi, mpi->in);
    free_list(mpi, mpi->out);
    while (mpi->spare) {
        struct cst_mpi_buffer *buffer = mpi->spare;

        mpi->spare = buffer->next;
        cst_free(buffer);
    }
}

void cst_mpi_stop(struct cst_links *links)
{
    struct cst_mpi *mpi = links->mpi;

    if (!mpi)
        return;
    if (mpi->transfers)
        atomic_store(&exit_hard, true);
    cst_mpi_forget_bulk(mpi);
    free_buffers(mpi);
    finish_in_time();
    cst_free(mpi->links);
    cst_free(mpi);
    links->mpi = NULL;
}

bool cst_mpi_rank(const struct cst_links *links, const struct cst_peer *peer,
                  uint32_t *ret_rank)
{
    if (!links->mpi || peer->about->where.world != links->mpi->world.id)
        return false;
    *ret_rank = peer->about->where.rank;
    return true;
}

void cst_mpi_died(struct cst_links *links, const struct cst_peer *peer)
{
    uint32_t rank;

    if (!cst_mpi_rank(links, peer, &rank))
        return;
    cst_mpi_never_finish();
    /* A receive may wait for the rest of a batch of it, for ever. */
    (void)cst_mpi_add_receive(links->mpi);
}
