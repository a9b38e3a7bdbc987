/* Small functions that generated code uses, once in a unit. */
#include "emit/emit_internal.h"

static const char *const functions[] = {
    /* The end of a group's block, however it is left. */
    "static __inline__ __attribute__((unused)) void "
    "__castell_leave(const char *const *__castell_where) "
    "{ castell_must(castell_group_end(), *__castell_where); } ",
    /* Numbers in constraints: what is below 0 is 0. */
    "static __inline__ __attribute__((unused)) uint64_t "
    "__castell_natural(long long n) "
    "{ return n > 0 ? (uint64_t)n : 0; } ",
    "static __inline__ __attribute__((unused)) uint64_t "
    "__castell_time(double n) "
    "{ return n > 0 ? (uint64_t)n : 0; } ",
    /* Drop the accesses whose bit is set: their regions are empty. */
    "static __attribute__((unused, noinline)) size_t "
    "__castell_pack(struct castell_access *x, size_t count, uint64_t empty) "
    "{ size_t i, n = 0; for (i = 0; i < count; i++) if (!(empty >> i & 1)) "
    "x[n++] = x[i]; return n; } ",
    /* The buffer of access i of these; NULL if it was dropped. */
    "static __inline__ __attribute__((unused)) void *"
    "__castell_buffer(void *const *b, unsigned i, uint64_t empty) "
    "{ if (__builtin_expect(empty == 0, 1)) return b[i]; "
    "if (empty >> i & 1) return (void *)0; "
    "return b[i - (unsigned)__builtin_popcountll(empty & "
    "(((uint64_t)1 << i) - 1))]; } ",
    /* The same where the place was kept; UINT32_MAX: none. */
    "static __inline__ __attribute__((unused)) void *"
    "__castell_at(void *const *b, uint32_t first) "
    "{ return first == (uint32_t)-1 ? (void *)0 : b[first]; } ",
    /* Where a body's indices start, which are those of the whole. */
    "static __inline__ __attribute__((unused)) void *"
    "__castell_shifted(void *buffer, long long offset) "
    "{ return buffer ? (void *)((char *)buffer - offset) : (void *)0; } ",
};

void cst_write_prelude(struct cst_writer *writer)
{
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
        cst_write(writer, "%s", functions[i]);
}
