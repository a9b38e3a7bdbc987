/* box.c - one page of each process that its peers can write to. */
#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "shm/shm_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct cst_shm_box {
    struct cst_shm_page *page;
    int file;
    int bell;
};

enum {
    CST_SHM_SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL,
};

int cst_shm_make_file(const char *name, size_t size)
{
    int error;
    int file = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (file < 0)
        return -1;
    /* Sealed: who maps it need not fear that it shrinks under his hands. */
    if (ftruncate(file, (off_t)size) == 0 &&
        fcntl(file, F_ADD_SEALS, CST_SHM_SEALS) == 0)
        return file;
    error = errno;
    close(file);
    errno = error;
    return -1;
}

void *cst_shm_map(int file, size_t size)
{
    struct stat about;
    void *memory;

    if (fstat(file, &about) || (size_t)about.st_size != size ||
        fcntl(file, F_GET_SEALS) != CST_SHM_SEALS)
        return NULL;
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED)
        return NULL;
    (void)madvise(memory, size,
                  MADV_DONTFORK); /* children have no part in it */
    return memory;
}

struct cst_shm_box *cst_shm_box_create(int bell)
{
    struct cst_shm_box *box = cst_zalloc(sizeof(*box));

    if (!box) {
        (void)cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a mailbox");
        return NULL;
    }
    box->bell = bell;
    box->file = cst_shm_make_file("castell-box", sizeof(*box->page));
    if (box->file >= 0)
        box->page = cst_shm_map(box->file, sizeof(*box->page));
    if (!box->page) {
        (void)cst_fail(CASTELL_ERR_SYSTEM, "no memory to share: %s",
                       cst_reason(errno));
        cst_shm_box_destroy(box);
        return NULL;
    }
    return box;
}

void cst_shm_box_destroy(struct cst_shm_box *box)
{
    if (!box)
        return;
    if (box->page)
        (void)munmap(box->page, sizeof(*box->page));
    if (box->file >= 0)
        close(box->file);
    cst_free(box);
}

int cst_shm_box_file(const struct cst_shm_box *box)
{
    return box->file;
}

int cst_shm_box_bell(const struct cst_shm_box *box)
{
    return box->bell;
}

const _Atomic(uint32_t) *cst_shm_box_word(const struct cst_shm_box *box)
{
    return &box->page->mail;
}

bool cst_shm_box_take(struct cst_shm_box *box)
{
    return atomic_load_explicit(&box->page->mail, memory_order_relaxed) != 0 &&
           atomic_exchange(&box->page->mail, 0) != 0;
}

void cst_shm_box_put(struct cst_shm_box *box)
{
    atomic_store(&box->page->mail, 1);
}

bool cst_shm_box_doze(struct cst_shm_box *box)
{
    atomic_store(&box->page->sleeps, 1);
    if (atomic_load(&box->page->mail) == 0)
        return true;
    cst_shm_box_rouse(box);
    return false;
}

void cst_shm_box_rouse(struct cst_shm_box *box)
{
    atomic_store_explicit(&box->page->sleeps, 0, memory_order_relaxed);
}

bool cst_shm_ring(struct cst_shm_page *page, int bell)
{
    uint64_t one = 1;

    if (atomic_load(&page->sleeps) == 0 ||
        atomic_exchange(&page->sleeps, 0) == 0)
        return false;
    if (write(bell, &one, sizeof(one)) != sizeof(one))
        return false; /* it is full: rung already */
    return true;
}

void cst_shm_post(struct cst_shm_page *page, int bell)
{
    /* Who put mail there before has looked whether it sleeps, or will. */
    if (atomic_exchange(&page->mail, 1) == 0)
        (void)cst_shm_ring(page, bell);
}
