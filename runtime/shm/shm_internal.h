/*
 * shm_internal.h - what lies in shared memory.
 *
 * Layer: shm, private to it.
 */
#ifndef CST_SHM_SHM_INTERNAL_H
#define CST_SHM_SHM_INTERNAL_H

#include "shm/shm.h"

enum { CST_SHM_LINE = 64, CST_SHM_PAGE = 4096 };

/* A box. Both words are written by peers and read by its owner all the time. */
struct cst_shm_page {
    _Alignas(CST_SHM_PAGE) _Atomic(uint32_t) mail;
    _Alignas(CST_SHM_LINE) _Atomic(uint32_t) sleeps;
};

/* One way of a pipe. Positions count bytes since the pipe was made. */
struct cst_shm_ring {
    _Alignas(CST_SHM_LINE) _Atomic(uint64_t) tail; /* of who writes */
    _Alignas(CST_SHM_LINE) _Atomic(uint64_t) head; /* of who reads */
    _Alignas(CST_SHM_LINE) _Atomic(uint32_t) full; /* tell when there is room */
    _Atomic(uint32_t) closed;                      /* by who writes */
    _Alignas(CST_SHM_PAGE) uint8_t bytes[CST_SHM_RING_SIZE];
};

/* A file without a name, of that size; -1 with errno. */
int cst_shm_make_file(const char *name, size_t size);

/* NULL when it is not such a file. */
void *cst_shm_map(int file, size_t size);

/* There is mail for the box of that page. */
void cst_shm_post(struct cst_shm_page *page, int bell);

/* Wake its owner, if it sleeps; then true. */
bool cst_shm_ring(struct cst_shm_page *page, int bell);

#endif
