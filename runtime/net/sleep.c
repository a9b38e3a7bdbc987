/* sleep.c - how the thread that hears for the real net sleeps, and is woken. */
#include "base/clock.h"
#include "base/thread.h"
#include "link/mpi.h"
#include "net/mesh.h"

#include <poll.h>
#include <time.h>
#include <unistd.h>

void cst_mesh_set_wakeup(struct cst_mesh *mesh)
{
    uint64_t before_ns =
        atomic_load_explicit(&mesh->wakeup_ns, memory_order_relaxed);

    if (mesh->links.mpi)
        atomic_store_explicit(&mesh->restless,
                              cst_mpi_restless(mesh->links.mpi),
                              memory_order_relaxed);
    if (mesh->links.conns.timer_ns == before_ns)
        return;
    atomic_store(&mesh->wakeup_ns, mesh->links.conns.timer_ns);
    if (mesh->links.conns.timer_ns < before_ns && !mesh->polling)
        cst_net_wake(&mesh->links.net);
}

void cst_mesh_flush(struct cst_net *net)
{
    struct cst_mesh *mesh = (struct cst_mesh *)net;

    if (mesh->stay == CST_STAY_OVER)
        return;
    cst_link_push_all(&mesh->links);
    cst_mesh_set_wakeup(mesh);
}

bool cst_mesh_doze(struct cst_net *net)
{
    struct cst_mesh *mesh = (struct cst_mesh *)net;

    if (mesh->links.mpi && mesh->stay != CST_STAY_OVER)
        cst_mpi_doze(&mesh->links);
    cst_mesh_flush(net);
    return !mesh->links.box ||
           atomic_load(cst_shm_box_word(mesh->links.box)) == 0;
}

const _Atomic(uint32_t) *cst_mesh_mail(const struct cst_net *net)
{
    const struct cst_mesh *mesh = (const struct cst_mesh *)net;

    return mesh->links.box ? cst_shm_box_word(mesh->links.box) : NULL;
}

void cst_mesh_wake(struct cst_net *net)
{
    struct cst_mesh *mesh = (struct cst_mesh *)net;
    uint64_t one = 1;

    atomic_store(&mesh->rung, true);
    if (atomic_load(&mesh->asleep) &&
        write(mesh->links.bell, &one, sizeof(one)) != sizeof(one))
        return; /* it is full: rung already */
}

/* What was rung for has been seen to: before a sleep, for after it there is no
   time to lose. */
static void silence(const struct cst_mesh *mesh)
{
    uint64_t count;

    if (read(mesh->links.bell, &count, sizeof(count)) < 0)
        return; /* nobody has rung */
}

bool cst_mesh_sleep(struct cst_net *net, uint64_t timeout_ns)
{
    struct cst_mesh *mesh = (struct cst_mesh *)net;
    struct pollfd files[2] = {{.fd = mesh->links.conns.epoll, .events = POLLIN},
                              {.fd = mesh->links.bell, .events = POLLIN}};
    uint64_t deadline_ns =
        atomic_load_explicit(&mesh->wakeup_ns, memory_order_relaxed);
    uint64_t now_ns = cst_clock_ns();
    struct timespec timeout;

    if (deadline_ns <= now_ns)
        return false;
    if (atomic_load_explicit(&mesh->restless, memory_order_relaxed) &&
        timeout_ns > CST_MPI_NAP_NS)
        timeout_ns = CST_MPI_NAP_NS;
    if (deadline_ns - now_ns < timeout_ns)
        timeout_ns = deadline_ns - now_ns;
    if (timeout_ns > CST_NS_PER_S * 3600)
        timeout_ns = CST_NS_PER_S * 3600;
    timeout.tv_sec = (time_t)(timeout_ns / CST_NS_PER_S);
    timeout.tv_nsec = (long)(timeout_ns % CST_NS_PER_S);
    silence(mesh);
    atomic_store(&mesh->asleep, true);
    if (!atomic_load(&mesh->rung) &&
        (!mesh->links.box || cst_shm_box_doze(mesh->links.box)))
        (void)ppoll(files, 2, &timeout, NULL);
    if (mesh->links.box)
        cst_shm_box_rouse(mesh->links.box);
    atomic_store(&mesh->asleep, false);
    atomic_store(&mesh->rung, false);
    return files[1].revents != 0;
}

bool cst_mesh_nudge(struct cst_net *net, uint32_t number)
{
    const struct cst_mesh *mesh = (const struct cst_mesh *)net;
    const struct cst_peer *peer = cst_link_peer(&mesh->links, number);
    const struct cst_conn *conn = peer && peer->link ? peer->link->conn : NULL;

    return conn && conn->writes_pipe && cst_shm_nudge(conn->pipe);
}

void cst_mesh_attend(struct cst_net *net, bool begins)
{
    const struct cst_mesh *mesh = (struct cst_mesh *)net;

    if (!mesh->links.box)
        return;
    if (begins)
        cst_shm_box_rouse(mesh->links.box);
    else if (!cst_shm_box_doze(mesh->links.box))
        cst_mesh_wake(net);
}
