/*
 * Functions that generated code uses, once in a unit. What all tasks need is
 * here and not inlined, so that a compiler does it once and not for each task.
 */
#include "emit/emit_internal.h"

#define CST_STRING_OF(text) #text
#define CST_STRING(text)    CST_STRING_OF(text)

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
    /* What is the same in all calls of a task. */
    "struct __castell_task { struct castell_kind *kind; "
    "const struct castell_access *accesses; size_t accesses_count; "
    "size_t argument_size; _Bool may_be_empty; }; ",
    /*
     * Complete a submission and make it. The list has, for each access, its
     * base; if it is no file, its size; and if the task gives it no rows, its
     * rows and pitch. What is empty, as its size or rows are not positive, is
     * dropped and told to the body by the argument's first member.
     */
    "static __attribute__((unused)) void "
    "__castell_list(const struct __castell_task *t, "
    "struct castell_submission *s, void *argument, __builtin_va_list list) "
    "{ struct castell_access x[" CST_STRING(
        CST_ACCESSES_FEW) "], *y = x; uint64_t empty = 0; size_t i, n = "
                          "t->accesses_count; enum castell_status r; "
                          "for (i = 0; i < n; i++, y++) { *y = t->accesses[i]; "
                          "y->base = __builtin_va_arg(list, const void *); "
                          "if (y->is_file) continue; y->size = "
                          "__builtin_va_arg(list, size_t); "
                          "if (!y->rows) { y->rows = __builtin_va_arg(list, "
                          "size_t); "
                          "y->pitch = __builtin_va_arg(list, size_t); } "
                          "empty |= (uint64_t)(((ptrdiff_t)y->size <= 0) | "
                          "((ptrdiff_t)y->rows <= 0)) << i; } "
                          "if (t->may_be_empty) { *(uint64_t *)argument = "
                          "empty; "
                          "if (__builtin_expect(empty != 0, 0)) n = "
                          "__castell_pack(x, n, empty); } "
                          "s->kind = t->kind; s->accesses = x; "
                          "s->accesses_count = n; "
                          "s->argument = argument; s->argument_size = "
                          "t->argument_size; "
                          "r = castell_task_submit(s, (void *)0); "
                          "if (__builtin_expect(r < 0, 0)) castell_must(r, "
                          "s->where); } ",
    /* The same for calls of a task, plain ones and others. */
    "static __attribute__((unused, noinline)) void "
    "__castell_call(const struct __castell_task *t, const char *where, "
    "void *argument, ...) { struct castell_submission s = {.where = where}; "
    "__builtin_va_list list; __builtin_va_start(list, argument); "
    "__castell_list(t, &s, argument, list); __builtin_va_end(list); } ",
    "static __attribute__((unused, noinline)) void "
    "__castell_call_with(const struct __castell_task *t, "
    "struct castell_submission *s, void *argument, ...) "
    "{ __builtin_va_list list; __builtin_va_start(list, argument); "
    "__castell_list(t, s, argument, list); __builtin_va_end(list); } ",
    /* The buffer of access i of these; NULL if it was dropped. */
    "static __attribute__((unused, noinline)) void *"
    "__castell_buffer(void *const *b, unsigned i, uint64_t empty) "
    "{ if (__builtin_expect(empty == 0, 1)) return b[i]; "
    "if (empty >> i & 1) return (void *)0; "
    "return b[i - (unsigned)__builtin_popcountll(empty & "
    "(((uint64_t)1 << i) - 1))]; } ",
    /* The same where the place was kept; UINT32_MAX: none. */
    "static __inline__ __attribute__((unused)) void *"
    "__castell_at(void *const *b, uint32_t first) "
    "{ return first == (uint32_t)-1 ? (void *)0 : b[first]; } ",
    /* Functions of castell_checkpoint.h, which need not be included, or may be
       later: under names of our own. */
    "struct castell_checkpoint; "
    "enum castell_status __castell_saved_at(const char *, "
    "struct castell_checkpoint **) __asm__(\"castell_checkpoint_at\"); "
    "enum castell_status __castell_saved_add(struct castell_checkpoint *, "
    "const char *, const struct castell_access *, size_t) "
    "__asm__(\"castell_checkpoint_add\"); "
    "enum castell_status __castell_saved_save(struct castell_checkpoint *, "
    "uint64_t) __asm__(\"castell_checkpoint_save\"); "
    "enum castell_status __castell_saved_restore(struct castell_checkpoint *, "
    "uint64_t *) __asm__(\"castell_checkpoint_restore\"); ",
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
