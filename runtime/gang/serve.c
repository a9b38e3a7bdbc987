/*
 * A member of a gang: a fresh process of the program, that mpirun has started,
 * runs one body and ends.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "base/parse.h"
#include "gang/call.h"
#include "gang/gang_internal.h"
#include "gang/gang_ops.h"
#include "sched/declare.h"
#include "sched/kind.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { RESULT_MAX = 125 };

/* What this process is a member of. */
static struct {
    const struct cst_gang_ops *ops;
    uint32_t rank;
    uint32_t cores;
    uint32_t attempt;
    bool runs; /* a body does */
} member;

bool cst_gang_is_member(void)
{
    return cst_parse_environment("CASTELL_GANG") != NULL;
}

bool cst_gang_inside(uint32_t *ret_cores, uint32_t *ret_attempt)
{
    if (!member.runs)
        return false;
    *ret_cores = member.cores;
    *ret_attempt = member.attempt;
    return true;
}

enum castell_status cst_gang_comm(void *ret_comm)
{
    if (!member.runs)
        return cst_fail(CASTELL_ERR_INVALID,
                        "castell_mpi_comm() was called outside of a body of "
                        "device(mpi)");
    member.ops->comm(ret_comm);
    return CASTELL_OK;
}

/* MPI ends the others, as this one ends without having said goodbye. */
_Noreturn static void give_up(const char *why)
{
    (void)fprintf(stderr, "castell: a process of a gang ends: %s\n", why);
    (void)fflush(NULL);
    _exit(CST_GANG_NO_MEMBER);
}

static const struct cst_gang_ops *load(void)
{
    const char *modules = cst_parse_environment("CASTELL_MODULES");
    char *path =
        cst_format("%s/%s", modules ? modules : CST_MODULES, CST_GANG_MODULE);
    void *module = path ? dlopen(path, RTLD_NOW | RTLD_GLOBAL) : NULL;
    const struct cst_gang_ops *ops =
        module ? dlsym(module, CST_GANG_SYMBOL) : NULL;

    if (!module) /* NOLINTNEXTLINE(concurrency-mt-unsafe): the only thread */
        give_up(path ? dlerror() : "no memory");
    if (!ops || ops->version != CST_GANG_OPS_VERSION)
        give_up("the module for MPI is of another version");
    cst_free(path);
    return ops;
}

/* ---- What to call, with what ---------------------------------------------- */

/* Everybody gets what rank 0 knows of the call. */
static struct cst_call hear(void)
{
    struct cst_call call = {NULL, -1};
    uint64_t known = 0;

    if (member.rank == 0) {
        if (cst_call_open(cst_parse_environment("CASTELL_GANG"), &call) !=
            CASTELL_OK)
            give_up(castell_error_text());
        known = call.head->known;
    }
    member.ops->spread(&known, sizeof(known));
    if (member.rank != 0)
        call.head = cst_alloc_aligned(64, (known + 63) & ~(uint64_t)63);
    if (!call.head)
        give_up("no memory for its task");
    member.ops->spread(call.head, known);
    return call;
}

/* The body, or NULL and a text. */
static castell_body *find_body(const struct cst_call *call, char *text)
{
    static const struct cst_limits nothing = {.name = "", .arch = ""};
    const char *name = (const char *)call->head + call->head->name_at;
    const struct cst_declared *declared = cst_kinds_declared();
    struct cst_kinds *kinds = NULL;
    struct cst_kind *kind = NULL;
    castell_body *body = NULL;

    while (declared && strcmp(declared->name, name) != 0)
        declared = declared->next;
    if (!declared)
        (void)snprintf(text, CST_CALL_TEXT_SIZE,
                       "its kind was not declared before castell_start()");
    else if (cst_kinds_create(&nothing, &kinds) != CASTELL_OK ||
             cst_kinds_know(kinds, declared->kind, &kind) != CASTELL_OK ||
             call->head->choice >= atomic_load(&kind->choices_count))
        (void)snprintf(text, CST_CALL_TEXT_SIZE,
                       "its processes have not got the body");
    else
        body = kind->choices[call->head->choice].body;
    return body;
}

/* Memory for one buffer, filled as the body is to find it. */
static char *make_buffer(const struct cst_call *call, uint32_t i)
{
    const struct cst_call_buffer *buffer = &cst_call_buffers(call)[i];
    size_t bytes = buffer->size * buffer->rows;
    bool gaps = buffer->pitch != buffer->size;
    char *packed, *rows;

    if (bytes == 0)
        return NULL;
    packed = member.rank == 0 ? cst_call_content(call, i) : cst_zalloc(bytes);
    if (!packed)
        give_up("no memory for a buffer");
    if (buffer->reads)
        member.ops->spread(packed, bytes);
    if (!gaps)
        return packed;
    rows = cst_zalloc((buffer->rows - 1) * buffer->pitch + buffer->size);
    if (!rows)
        give_up("no memory for a buffer");
    if (buffer->reads)
        cst_call_unpack(rows, packed, buffer);
    if (member.rank != 0)
        cst_free(packed);
    return rows;
}

static void put_back(const struct cst_call *call, char *const *buffers)
{
    for (uint32_t i = 0; i < call->head->buffers_count; i++) {
        const struct cst_call_buffer *buffer = &cst_call_buffers(call)[i];
        char *content = cst_call_content(call, i);

        if (buffer->writes && buffers[i] && buffers[i] != content)
            cst_call_pack(content, buffers[i], buffer);
    }
}

/* ---- The call ---------------------------------------------------------------- */

static void run(struct cst_call *call, castell_body *body)
{
    uint32_t count = call->head->buffers_count;
    char **buffers = cst_zalloc((count + 1) * sizeof(char *));
    int result;

    if (!buffers)
        give_up("no memory for its buffers");
    for (uint32_t i = 0; i < count; i++)
        buffers[i] = make_buffer(call, i);
    member.cores = call->head->cores;
    member.attempt = call->head->attempt;
    member.runs = true;
    result = body((void *const *)buffers,
                  (const char *)call->head + call->head->argument_at);
    member.runs = false;
    if (result != 0) {
        /* The others may wait for it in the body: MPI ends them. */
        (void)fflush(NULL);
        _exit(result > 0 && result < RESULT_MAX ? result : RESULT_MAX);
    }
    (void)member.ops->greatest(0); /* it has run to its end everywhere */
    if (member.rank != 0)
        return;
    put_back(call, buffers);
    __atomic_store_n(&call->head->state, CST_CALL_ENDED, __ATOMIC_RELEASE);
}

_Noreturn void cst_gang_serve(void)
{
    char text[CST_CALL_TEXT_SIZE] = "";
    uint32_t size = 0;
    struct cst_call call;
    castell_body *body;
    int missing;

    member.ops = load();
    member.ops->start(&member.rank, &size);
    call = hear();
    body = find_body(&call, text);
    missing = member.ops->greatest(body ? 0 : 1);
    if (body && missing == 0) {
        run(&call, body);
    } else if (member.rank == 0) {
        memcpy(call.head->text, text, sizeof(text));
        __atomic_store_n(&call.head->state, CST_CALL_REFUSED, __ATOMIC_RELEASE);
    }
    (void)fflush(NULL);
    member.ops->finish();
    _exit(EXIT_SUCCESS);
}
