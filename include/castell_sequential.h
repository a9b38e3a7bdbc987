/*
 * castell_sequential.h - castell.h without a runtime: tasks run at once.
 *
 * castell.h includes this file when CASTELL_SEQUENTIAL is defined; nobody else
 * does. It needs a C11 or C++11 compiler that knows GNU attributes, and a POSIX
 * system for castell_execute(). It keeps what can be observed in a run with one
 * executor: failure policies with their retries, cancelling of readers, groups,
 * counters, misuse. It does not keep what protects one task from another:
 * isolated bodies run in this process and timeouts are not watched.
 *
 * Threads: none of this is safe to call from several threads at once.
 */
#ifndef CASTELL_SEQUENTIAL_H
#define CASTELL_SEQUENTIAL_H

#include "castell.h"

#ifdef CASTELL_SEQUENTIAL

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A name in a list: of a group that was begun, or of one now open. */
struct castell_sequential_name {
    struct castell_sequential_name *next;
    char text[CASTELL_NAME_SIZE_MAX];
};

/* A region whose content a cancelled or failed task was to write. */
struct castell_sequential_poison {
    struct castell_sequential_poison *next;
    struct castell_access region;
    const char *task;
};

struct castell_sequential_body {
    struct castell_sequential_body *next;
    const char *kind_name;
    const struct castell_implementation *implementation;
};

struct castell_sequential_state {
    bool started;
    bool failed;
    bool task_failed; /* the last one that has ended */
    uint32_t cores;
    uint32_t attempt;
    uint64_t last_task;
    struct castell_counters counters;
    struct castell_sequential_name *known; /* groups */
    struct castell_sequential_name *open;  /* innermost first */
    struct castell_sequential_poison *poisons;
    struct castell_sequential_body *bodies;
    char text[512];
};

/* Weak, so that all units of a program share one. */
extern struct castell_sequential_state castell_sequential;
__attribute__((weak)) struct castell_sequential_state castell_sequential;

__attribute__((format(printf, 2, 3))) CASTELL_API enum castell_status
castell_sequential_fail(enum castell_status status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(castell_sequential.text, sizeof(castell_sequential.text),
                    format, args);
    va_end(args);
    return status;
}

/* ---- Errors, start, stop -------------------------------------------- */

CASTELL_API const char *castell_error_text(void)
{
    return castell_sequential.text;
}

CASTELL_API void castell_must(enum castell_status status, const char *where)
{
    if (status >= 0)
        return;
    (void)fprintf(stderr, "castell: %s%s%s\n", where ? where : "",
                  where ? ": " : "", castell_sequential.text);
    exit(1);
}

CASTELL_API enum castell_status
castell_start_with(const struct castell_options *options)
{
    struct castell_sequential_state *state = &castell_sequential;

    (void)options;
    if (state->started)
        return castell_sequential_fail(CASTELL_ERR_INVALID,
                                       "castell runs already");
    state->started = true;
    state->failed = false;
    state->attempt = 0;
    memset(&state->counters, 0, sizeof(state->counters));
    return CASTELL_OK;
}

CASTELL_API void castell_start(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    if (castell_start_with(NULL) < 0) {
        (void)fprintf(stderr, "castell: %s\n", castell_sequential.text);
        exit(2);
    }
}

CASTELL_API void
castell_sequential_drop_names(struct castell_sequential_name **list)
{
    while (*list) {
        struct castell_sequential_name *first = *list;

        *list = first->next;
        free(first);
    }
}

CASTELL_API int castell_stop(void)
{
    struct castell_sequential_state *state = &castell_sequential;

    castell_sequential_drop_names(&state->known);
    castell_sequential_drop_names(&state->open);
    while (state->poisons) {
        struct castell_sequential_poison *first = state->poisons;

        state->poisons = first->next;
        free(first);
    }
    state->started = false;
    return state->failed ? 1 : 0;
}

/* ---- Data ----------------------------------------------------------- */

CASTELL_API void *castell_alloc(size_t size)
{
    void *memory = NULL;

    if (size <= SIZE_MAX - 63)
        memory = aligned_alloc(64, size ? (size + 63) / 64 * 64 : 64);
    if (!memory)
        (void)castell_sequential_fail(CASTELL_ERR_NO_MEMORY,
                                      "no memory for %zu bytes", size);
    return memory;
}

CASTELL_API void castell_free(void *memory)
{
    free(memory);
}

CASTELL_API size_t castell_sequential_rows(const struct castell_access *access)
{
    return access->rows ? access->rows : 1;
}

/* Does a row of bytes share one with a region? */
CASTELL_API bool castell_sequential_row_meets(uintptr_t row, size_t size,
                                              const struct castell_access *b)
{
    uintptr_t base = (uintptr_t)b->base;
    size_t index = 0;

    if (row >= base + b->size) {
        if (castell_sequential_rows(b) == 1)
            return false;
        index = (row - base - b->size) / b->pitch + 1;
    }
    return index < castell_sequential_rows(b) &&
           base + index * (index ? b->pitch : 0) < row + size;
}

/* The same file, or a directory that it is in. */
CASTELL_API bool castell_sequential_holds(const struct castell_access *a,
                                          const struct castell_access *b)
{
    const char *outer = (const char *)a->base, *path = (const char *)b->base;
    size_t size = strlen(outer);

    return !strncmp(outer, path, size) &&
           (!path[size] || (a->is_directory && path[size] == '/'));
}

CASTELL_API bool castell_sequential_meet(const struct castell_access *a,
                                         const struct castell_access *b)
{
    size_t i;

    if (a->is_file || b->is_file)
        return a->is_file && b->is_file &&
               (castell_sequential_holds(a, b) ||
                castell_sequential_holds(b, a));
    for (i = 0; i < castell_sequential_rows(a); i++) {
        uintptr_t row = (uintptr_t)a->base + (i ? i * a->pitch : 0);

        if (castell_sequential_row_meets(row, a->size, b))
            return true;
    }
    return false;
}

CASTELL_API bool castell_sequential_reads(const struct castell_access *access)
{
    return access->mode != CASTELL_OUT;
}

CASTELL_API bool castell_sequential_writes(const struct castell_access *access)
{
    return access->mode != CASTELL_IN && access->mode != CASTELL_IN_DELETE;
}

/* From the first byte of a region to its last. */
CASTELL_API size_t castell_sequential_span(const struct castell_access *access)
{
    size_t rows = castell_sequential_rows(access);

    return rows == 1 ? access->size : (rows - 1) * access->pitch + access->size;
}

/* Copy the rows of a region: from memory laid out like it, or into such. */
CASTELL_API void castell_sequential_copy(const struct castell_access *access,
                                         void *into, const void *from)
{
    size_t i;

    for (i = 0; i < castell_sequential_rows(access); i++)
        memcpy((char *)into + (i ? i * access->pitch : 0),
               (const char *)from + (i ? i * access->pitch : 0), access->size);
}

/* ---- Tasks ---------------------------------------------------------- */

CASTELL_API enum castell_status castell_kind_declare(struct castell_kind *kind)
{
    (void)kind;
    return CASTELL_OK;
}

CASTELL_API enum castell_status
castell_kind_implement(const char *kind_name,
                       const struct castell_implementation *implementation)
{
    struct castell_sequential_body *body;

    if (!implementation->body || (implementation->device > CASTELL_BINARY &&
                                  implementation->device != CASTELL_CONTAINER))
        return castell_sequential_fail(
            CASTELL_ERR_INVALID, "%s: no body, or its device is not there",
            kind_name);
    body = (struct castell_sequential_body *)malloc(sizeof(*body));
    if (!body)
        return castell_sequential_fail(CASTELL_ERR_NO_MEMORY, "no memory");
    body->kind_name = kind_name;
    body->implementation = implementation;
    body->next = castell_sequential.bodies;
    castell_sequential.bodies = body;
    return CASTELL_OK;
}

CASTELL_API castell_body *
castell_sequential_find_body(const struct castell_kind *kind)
{
    const struct castell_sequential_body *body = castell_sequential.bodies;

    if (kind->body)
        return kind->body;
    while (body && strcmp(body->kind_name, kind->name) != 0)
        body = body->next;
    return body ? body->implementation->body : NULL;
}

CASTELL_API enum castell_status
castell_sequential_check_access(const struct castell_submission *submission,
                                size_t index)
{
    const struct castell_access *access = &submission->accesses[index];
    const char *name = submission->kind->name;
    size_t i;

    if (!access->base || (!access->is_file && access->size == 0))
        return castell_sequential_fail(CASTELL_ERR_INVALID,
                                       "%s: region %zu is NULL or empty", name,
                                       index);
    if (access->rows > 1 && access->pitch < access->size)
        return castell_sequential_fail(
            CASTELL_ERR_INVALID, "%s: rows of region %zu overlap", name, index);
    if (access->mode == CASTELL_REDUCTION && !access->reduction)
        return castell_sequential_fail(CASTELL_ERR_INVALID,
                                       "%s: region %zu has no reduction", name,
                                       index);
    for (i = 0; i < index; i++) {
        const struct castell_access *other = &submission->accesses[i];

        if ((castell_sequential_writes(access) ||
             castell_sequential_writes(other)) &&
            castell_sequential_meet(access, other))
            return castell_sequential_fail(
                CASTELL_ERR_INVALID,
                "%s: regions %zu and %zu overlap and one is written", name, i,
                index);
    }
    return CASTELL_OK;
}

CASTELL_API enum castell_status
castell_sequential_check(const struct castell_submission *submission)
{
    enum castell_status status = CASTELL_OK;
    size_t i;

    if (!castell_sequential.started)
        return castell_sequential_fail(CASTELL_ERR_INVALID,
                                       "castell_start() was not called");
    if (castell_sequential.failed)
        return castell_sequential_fail(CASTELL_ERR_TASK_FAILED,
                                       "the run has failed");
    if (!submission->kind || !submission->kind->name)
        return castell_sequential_fail(CASTELL_ERR_INVALID,
                                       "a task needs a kind with a name");
    if (!castell_sequential_find_body(submission->kind))
        return castell_sequential_fail(CASTELL_ERR_INVALID, "%s has no body",
                                       submission->kind->name);
    if (submission->accesses_count > CASTELL_ACCESSES_MAX ||
        submission->argument_size > CASTELL_ARGUMENT_SIZE_MAX)
        return castell_sequential_fail(CASTELL_ERR_LIMIT,
                                       "%s: too many accesses, or too large an "
                                       "argument",
                                       submission->kind->name);
    for (i = 0; i < submission->accesses_count && status == CASTELL_OK; i++)
        status = castell_sequential_check_access(submission, i);
    return status;
}

/*
 * What a run of a body works on. saved[i] holds the bytes that access i had
 * before the first attempt; it is NULL where no attempt can follow.
 */
struct castell_sequential_frame {
    size_t count;
    void **buffers;
    void **saved;
};

CASTELL_API void
castell_sequential_close(const struct castell_submission *submission,
                         struct castell_sequential_frame *frame)
{
    size_t i;

    for (i = 0; frame->buffers && i < frame->count; i++) {
        if (submission->accesses[i].mode == CASTELL_REDUCTION)
            free(frame->buffers[i]);
        free(frame->saved[i]);
    }
    free(frame->buffers);
}

CASTELL_API bool
castell_sequential_open(const struct castell_submission *submission,
                        struct castell_sequential_frame *ret_frame)
{
    size_t count = submission->accesses_count;
    size_t i;

    ret_frame->count = count;
    ret_frame->buffers = (void **)calloc(2 * count + 1, sizeof(void *));
    if (!ret_frame->buffers)
        return false;
    ret_frame->saved = ret_frame->buffers + count;
    for (i = 0; i < count; i++) {
        const struct castell_access *access = &submission->accesses[i];
        void **copy = NULL;

        ret_frame->buffers[i] = (void *)(uintptr_t)access->base;
        if (access->is_file)
            continue;
        if (access->mode == CASTELL_REDUCTION)
            copy = &ret_frame->buffers[i];
        else if (submission->kind->retries && castell_sequential_writes(access))
            copy = &ret_frame->saved[i];
        if (!copy)
            continue;
        *copy = malloc(castell_sequential_span(access));
        if (!*copy)
            return false;
        if (copy == &ret_frame->saved[i])
            castell_sequential_copy(access, *copy, access->base);
    }
    return true;
}

/* Make the buffers what the body expects before an attempt. */
CASTELL_API void
castell_sequential_prepare(const struct castell_submission *submission,
                           struct castell_sequential_frame *frame)
{
    size_t i, row;

    for (i = 0; i < frame->count; i++) {
        const struct castell_access *access = &submission->accesses[i];

        if (frame->saved[i] && castell_sequential.attempt > 1)
            castell_sequential_copy(access, frame->buffers[i], frame->saved[i]);
        if (access->mode != CASTELL_REDUCTION)
            continue;
        for (row = 0; row < castell_sequential_rows(access); row++)
            access->reduction->identity(
                (char *)frame->buffers[i] + row * access->pitch,
                access->size / access->reduction->element_size);
    }
}

CASTELL_API void
castell_sequential_combine(const struct castell_submission *submission,
                           struct castell_sequential_frame *frame)
{
    size_t i, row;

    for (i = 0; i < frame->count; i++) {
        const struct castell_access *access = &submission->accesses[i];

        if (access->mode != CASTELL_REDUCTION)
            continue;
        for (row = 0; row < castell_sequential_rows(access); row++)
            access->reduction->combine(
                (char *)(uintptr_t)access->base + row * access->pitch,
                (char *)frame->buffers[i] + row * access->pitch,
                access->size / access->reduction->element_size);
    }
}

/* Remember that what a task was to write is not there. */
CASTELL_API enum castell_status
castell_sequential_spoil(const struct castell_submission *submission)
{
    size_t i;

    for (i = 0; i < submission->accesses_count; i++) {
        struct castell_sequential_poison *poison;

        if (!castell_sequential_writes(&submission->accesses[i]) ||
            submission->accesses[i].is_file)
            continue;
        poison = (struct castell_sequential_poison *)malloc(sizeof(*poison));
        if (!poison)
            return castell_sequential_fail(CASTELL_ERR_NO_MEMORY, "no memory");
        poison->region = submission->accesses[i];
        poison->task = submission->kind->name;
        poison->next = castell_sequential.poisons;
        castell_sequential.poisons = poison;
    }
    return CASTELL_OK;
}

/* The cancelled or failed task that was to write bytes of a region, or NULL. */
CASTELL_API const char *
castell_sequential_poisoner(const struct castell_access *region)
{
    const struct castell_sequential_poison *poison = castell_sequential.poisons;

    while (poison && !castell_sequential_meet(region, &poison->region))
        poison = poison->next;
    return poison ? poison->task : NULL;
}

/* A region is overwritten: what it covers whole is there again. */
CASTELL_API void castell_sequential_heal(const struct castell_access *by)
{
    struct castell_sequential_poison **link = &castell_sequential.poisons;

    while (*link) {
        struct castell_sequential_poison *poison = *link;
        const struct castell_access *region = &poison->region;
        uintptr_t from = (uintptr_t)region->base, start = (uintptr_t)by->base;
        bool same =
            from == start && region->size == by->size &&
            castell_sequential_rows(region) == castell_sequential_rows(by) &&
            region->pitch == by->pitch;
        bool inside =
            castell_sequential_rows(by) == 1 && from >= start &&
            from + castell_sequential_span(region) <= start + by->size;

        if (!by->is_file && (same || inside)) {
            *link = poison->next;
            free(poison);
        } else {
            link = &poison->next;
        }
    }
}

/* Run the attempts; return what the last one did. */
CASTELL_API int
castell_sequential_attempts(const struct castell_submission *submission,
                            struct castell_sequential_frame *frame,
                            const void *argument)
{
    struct castell_sequential_state *state = &castell_sequential;
    castell_body *body = castell_sequential_find_body(submission->kind);
    const struct castell_constraint *constraint =
        submission->constraint ? submission->constraint
                               : &submission->kind->constraint;
    uint32_t outer_attempt = state->attempt, outer_cores = state->cores;
    uint32_t attempt;
    int result = 1;

    for (attempt = 1; attempt <= submission->kind->retries + 1; attempt++) {
        state->attempt = attempt;
        state->cores = constraint->cores ? constraint->cores : 1;
        castell_sequential_prepare(submission, frame);
        state->counters.running++;
        result = body(frame->buffers, argument);
        state->counters.running--;
        if (result == 0)
            break;
        if (attempt <= submission->kind->retries)
            state->counters.retried++;
    }
    state->attempt = outer_attempt;
    state->cores = outer_cores;
    return result;
}

CASTELL_API enum castell_status
castell_sequential_conclude(const struct castell_submission *submission,
                            int result)
{
    const struct castell_kind *kind = submission->kind;
    size_t i;

    castell_sequential.counters.finished++;
    castell_sequential.task_failed = result != 0;
    if (result != 0) {
        castell_sequential.counters.failed++;
        (void)fprintf(
            stderr, "castell: task %s%s%s%s failed: its body returned %d%s\n",
            kind->label ? kind->label : kind->name,
            submission->where ? " (" : "",
            submission->where ? submission->where : "",
            submission->where ? ")" : "", result,
            kind->on_failure == CASTELL_FAIL     ? ""
            : kind->on_failure == CASTELL_IGNORE ? "; ignored"
                                                 : "; what depends on it is "
                                                   "cancelled");
    }
    if (result == 0 || kind->on_failure == CASTELL_IGNORE) {
        for (i = 0; i < submission->accesses_count; i++)
            if (submission->accesses[i].mode == CASTELL_OUT)
                castell_sequential_heal(&submission->accesses[i]);
        return CASTELL_OK;
    }
    if (kind->on_failure == CASTELL_FAIL)
        castell_sequential.failed = true;
    return castell_sequential_spoil(submission);
}

CASTELL_API enum castell_status
castell_sequential_run(const struct castell_submission *submission)
{
    struct castell_sequential_frame frame;
    enum castell_status status = CASTELL_OK;
    size_t size = (submission->argument_size + 15) / 16 * 16;
    void *argument = aligned_alloc(16, size ? size : 16);

    frame.buffers = NULL;
    if (!argument || !castell_sequential_open(submission, &frame)) {
        status = castell_sequential_fail(CASTELL_ERR_NO_MEMORY, "no memory");
    } else {
        int result;

        if (submission->argument_size)
            memcpy(argument, submission->argument, submission->argument_size);
        castell_sequential.counters.submitted++;
        result = castell_sequential_attempts(submission, &frame, argument);
        if (result == 0 || submission->kind->on_failure == CASTELL_IGNORE)
            castell_sequential_combine(submission, &frame);
        status = castell_sequential_conclude(submission, result);
    }
    castell_sequential_close(submission, &frame);
    free(argument);
    return status;
}

CASTELL_API enum castell_status
castell_task_submit(const struct castell_submission *submission,
                    struct castell_task *ret_task)
{
    enum castell_status status = castell_sequential_check(submission);
    bool cancelled = false;
    size_t i;

    for (i = 0; status == CASTELL_OK && i < submission->accesses_count; i++)
        if (castell_sequential_reads(&submission->accesses[i]) &&
            castell_sequential_poisoner(&submission->accesses[i]))
            cancelled = true;
    if (cancelled) {
        castell_sequential.counters.submitted++;
        castell_sequential.counters.finished++;
        castell_sequential.counters.cancelled++;
        status = castell_sequential_spoil(submission);
    } else if (status == CASTELL_OK) {
        status = castell_sequential_run(submission);
    }
    if (status == CASTELL_OK && ret_task) {
        ret_task->slot = cancelled ? &castell_sequential
                         : castell_sequential.task_failed
                             ? (void *)&castell_sequential.task_failed
                             : NULL;
        ret_task->id = ++castell_sequential.last_task;
    }
    return status;
}

/* In the child: bind a standard stream to a file, or end. */
CASTELL_API void castell_sequential_bind(const char *path, int flags,
                                         int stream)
{
    int file;

    if (!path)
        return;
    file = open(path, flags, 0666);
    if (file < 0 || dup2(file, stream) < 0) {
        perror(path);
        _exit(127);
    }
    if (file != stream)
        (void)close(file);
}

CASTELL_API int castell_execute(const char *const *argv, const char *in_path,
                                const char *out_path, const char *err_path)
{
    const int out_flags = O_WRONLY | O_CREAT | O_TRUNC;
    int status = 0;
    pid_t child;

    (void)fflush(NULL);
    child = fork();
    if (child == 0) {
        castell_sequential_bind(in_path, O_RDONLY, 0);
        castell_sequential_bind(out_path, out_flags, 1);
        castell_sequential_bind(err_path, out_flags, 2);
        (void)execvp(argv[0], (char *const *)(uintptr_t)argv);
        perror(argv[0]);
        _exit(127);
    }
    if (child < 0) {
        perror(argv[0]);
        return 127;
    }
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return 127;
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    (void)fprintf(stderr, "castell: %s: ended by signal %d\n", argv[0],
                  WTERMSIG(status));
    return 128 + WTERMSIG(status);
}

CASTELL_API int castell_execute_in(const char *image, const char *const *argv,
                                   const char *const *paths,
                                   const char *in_path, const char *out_path,
                                   const char *err_path)
{
    (void)image;
    (void)paths;
    return castell_execute(argv, in_path, out_path, err_path);
}

/* MPI is started when it is first asked for. A macro, so that <mpi.h> may be
   included after this file. */
#define castell_mpi_comm(ret_comm)                                             \
    do {                                                                       \
        int castell_mpi_runs = 0;                                              \
        (void)MPI_Initialized(&castell_mpi_runs);                              \
        if (!castell_mpi_runs)                                                 \
            (void)MPI_Init(NULL, NULL);                                        \
        *(ret_comm) = MPI_COMM_SELF;                                           \
    } while (0)

/* ---- Waiting -------------------------------------------------------- */

CASTELL_API enum castell_status castell_barrier(void)
{
    if (castell_sequential.failed)
        return castell_sequential_fail(CASTELL_ERR_TASK_FAILED,
                                       "the run has failed");
    return CASTELL_OK;
}

CASTELL_API enum castell_status
castell_wait_on(const struct castell_access *regions, size_t regions_count)
{
    size_t i;

    for (i = 0; i < regions_count; i++) {
        const char *task = castell_sequential_poisoner(&regions[i]);

        if (task)
            return castell_sequential_fail(
                CASTELL_ERR_CANCELLED,
                "task %s, which failed or was cancelled, was to write it",
                task);
    }
    return castell_barrier();
}

CASTELL_API enum castell_status castell_task_wait(struct castell_task task)
{
    if (task.slot == &castell_sequential)
        return castell_sequential_fail(CASTELL_ERR_CANCELLED,
                                       "the task was cancelled");
    if (task.slot)
        return castell_sequential_fail(CASTELL_ERR_TASK_FAILED,
                                       "the task has failed");
    return castell_barrier();
}

CASTELL_API enum castell_status
castell_delete(const struct castell_access *regions, size_t regions_count)
{
    size_t i;

    for (i = 0; i < regions_count; i++)
        castell_sequential_heal(&regions[i]);
    return CASTELL_OK;
}

/* ---- Groups --------------------------------------------------------- */

CASTELL_API bool castell_sequential_group_known(const char *name)
{
    const struct castell_sequential_name *group = castell_sequential.known;

    while (group && strcmp(group->text, name) != 0)
        group = group->next;
    return group != NULL;
}

CASTELL_API enum castell_status
castell_sequential_push(struct castell_sequential_name **list, const char *name)
{
    struct castell_sequential_name *made =
        (struct castell_sequential_name *)malloc(sizeof(*made));

    if (!made)
        return castell_sequential_fail(CASTELL_ERR_NO_MEMORY, "no memory");
    (void)snprintf(made->text, sizeof(made->text), "%s", name);
    made->next = *list;
    *list = made;
    return CASTELL_OK;
}

CASTELL_API enum castell_status castell_group_begin(const char *name)
{
    enum castell_status status = CASTELL_OK;

    if (!name || !*name || strlen(name) >= CASTELL_NAME_SIZE_MAX)
        return castell_sequential_fail(CASTELL_ERR_INVALID,
                                       "a group's name is empty or too long");
    if (!castell_sequential_group_known(name))
        status = castell_sequential_push(&castell_sequential.known, name);
    if (status < 0)
        return status;
    return castell_sequential_push(&castell_sequential.open, name);
}

CASTELL_API enum castell_status castell_group_end(void)
{
    struct castell_sequential_name *group = castell_sequential.open;

    if (!group)
        return castell_sequential_fail(CASTELL_ERR_INVALID,
                                       "no group was begun");
    castell_sequential.open = group->next;
    free(group);
    return CASTELL_OK;
}

CASTELL_API enum castell_status castell_group_wait(const char *name)
{
    if (!name || !castell_sequential_group_known(name))
        return castell_sequential_fail(
            CASTELL_ERR_INVALID, "no group is called '%s'", name ? name : "");
    return castell_barrier();
}

CASTELL_API enum castell_status castell_group_cancel(const char *name)
{
    if (!name || !castell_sequential_group_known(name))
        return castell_sequential_fail(
            CASTELL_ERR_INVALID, "no group is called '%s'", name ? name : "");
    return CASTELL_OK;
}

/* ---- Looking inside ------------------------------------------------- */

CASTELL_API uint32_t castell_task_cores(void)
{
    return castell_sequential.attempt ? castell_sequential.cores : 1;
}

CASTELL_API uint32_t castell_executor(void)
{
    return 0;
}

CASTELL_API uint32_t castell_executors_count(void)
{
    return 1;
}

CASTELL_API uint32_t castell_task_attempt(void)
{
    return castell_sequential.attempt;
}

CASTELL_API void castell_counters(struct castell_counters *ret_counters)
{
    *ret_counters = castell_sequential.counters;
}

CASTELL_API void castell_mark(const char *text)
{
    (void)text;
}

CASTELL_API const char *castell_version(void)
{
#define CASTELL_SEQUENTIAL_TEXT(a, b, c) #a "." #b "." #c
#define CASTELL_SEQUENTIAL_JOIN(a, b, c) CASTELL_SEQUENTIAL_TEXT(a, b, c)
    return CASTELL_SEQUENTIAL_JOIN(CASTELL_VERSION_MAJOR, CASTELL_VERSION_MINOR,
                                   CASTELL_VERSION_PATCH);
#undef CASTELL_SEQUENTIAL_JOIN
#undef CASTELL_SEQUENTIAL_TEXT
}

#ifdef __cplusplus
}
#endif

#endif
#endif
