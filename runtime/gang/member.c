/*
 * What every member of a gang does, in whatever process.
 */
#include "gang/member.h"

#include "base/fail.h"
#include "base/memory.h"
#include "base/parse.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* Of a process that was started to be one, while its body runs. */
static _Atomic(const struct cst_member *) fresh;

/* Whose body this thread runs. */
static _Thread_local const struct cst_member *here;

static void (*around_body)(bool begins);

void cst_gang_around(void (*around)(bool begins))
{
    around_body = around;
}

static const struct cst_member *current(void)
{
    return here ? here : atomic_load_explicit(&fresh, memory_order_relaxed);
}

void cst_member_runs(const struct cst_member *member)
{
    here = member;
    if (around_body)
        around_body(member != NULL);
}

void cst_member_is_fresh(const struct cst_member *member)
{
    atomic_store_explicit(&fresh, member, memory_order_relaxed);
}

void cst_gang_escaped(void)
{
    if (here)
        cst_member_runs(NULL);
}

bool cst_gang_inside(uint32_t *ret_cores, uint32_t *ret_attempt)
{
    const struct cst_member *member = current();

    if (!member)
        return false;
    *ret_cores = member->cores;
    *ret_attempt = member->attempt;
    return true;
}

enum castell_status cst_gang_comm(void *ret_comm)
{
    const struct cst_member *member = current();

    if (!member)
        return cst_fail(CASTELL_ERR_INVALID,
                        "castell_mpi_comm() was called outside of a body of "
                        "device(mpi)");
    member->ops->comm(member->world, ret_comm);
    return CASTELL_OK;
}

const struct cst_gang_ops *cst_member_ops(char *why, size_t why_size)
{
    const char *modules = cst_parse_environment("CASTELL_MODULES");
    char *path =
        cst_format("%s/%s", modules ? modules : CST_MODULES, CST_GANG_MODULE);
    void *module = path ? dlopen(path, RTLD_NOW | RTLD_GLOBAL) : NULL;
    const struct cst_gang_ops *ops =
        module ? dlsym(module, CST_GANG_SYMBOL) : NULL;

    if (!module)
        (void)snprintf(why, why_size, "%s", /* NOLINTNEXTLINE */
                       path ? dlerror() : "no memory");
    else if (!ops || ops->version != CST_GANG_OPS_VERSION)
        (void)snprintf(why, why_size,
                       "the module for MPI is of another version");
    cst_free(path);
    return ops && ops->version == CST_GANG_OPS_VERSION ? ops : NULL;
}

/* ---- What to call, with what ---------------------------------------------- */

bool cst_member_hear(struct cst_member *member)
{
    const struct cst_gang_ops *ops = member->ops;
    struct cst_call *call = &member->call;
    uint64_t known = member->rank == 0 ? call->head->known : 0;
    int missing;

    if (!ops->spread(member->world, &known, sizeof(known)))
        return false;
    if (member->rank != 0)
        call->head = cst_alloc_aligned(64, (known + 63) & ~(uint64_t)63);
    missing = !call->head;
    if (!ops->greatest(member->world, &missing) || missing || !call->head ||
        !ops->spread(member->world, call->head, known))
        return false;
    member->cores = call->head->cores;
    member->attempt = call->head->attempt;
    return true;
}

/* Memory for one buffer. */
static bool make_buffer(struct cst_member *member, uint32_t i)
{
    const struct cst_call_buffer *buffer = &cst_call_buffers(&member->call)[i];
    size_t bytes = buffer->size * buffer->rows;

    if (bytes == 0)
        return true;
    member->packed[i] = member->rank == 0 ? cst_call_content(&member->call, i)
                                          : cst_zalloc(bytes);
    member->buffers[i] =
        buffer->pitch == buffer->size
            ? member->packed[i]
            : cst_zalloc((buffer->rows - 1) * buffer->pitch + buffer->size);
    return member->packed[i] && member->buffers[i];
}

static bool make_buffers(struct cst_member *member)
{
    uint32_t count = member->call.head->buffers_count;

    member->buffers = cst_zalloc(2 * ((size_t)count + 1) * sizeof(char *));
    if (!member->buffers)
        return false;
    member->packed = member->buffers + count + 1;
    for (uint32_t i = 0; i < count; i++)
        if (!make_buffer(member, i))
            return false;
    return true;
}

bool cst_member_prepare(struct cst_member *member,
                        const struct cst_gang_body *body, bool *ret_ready)
{
    const struct cst_call_head *head = member->call.head;
    int missing;

    member->body = body->find(body->context, (const char *)head + head->name_at,
                              head->choice, member->text, sizeof(member->text));
    missing = !member->body;
    if (member->body && !make_buffers(member)) {
        (void)snprintf(member->text, sizeof(member->text),
                       "no memory for its buffers");
        missing = 1;
    }
    if (!member->ops->greatest(member->world, &missing))
        return false;
    if (missing && !member->text[0])
        (void)snprintf(member->text, sizeof(member->text),
                       "another of its processes has not got the body, or the "
                       "memory");
    *ret_ready = !missing;
    return true;
}

bool cst_member_fill(struct cst_member *member)
{
    for (uint32_t i = 0; i < member->call.head->buffers_count; i++) {
        const struct cst_call_buffer *buffer =
            &cst_call_buffers(&member->call)[i];
        char *packed = member->packed[i];

        if (!packed)
            continue;
        if (buffer->reads && !member->ops->spread(member->world, packed,
                                                  buffer->size * buffer->rows))
            return false;
        if (member->buffers[i] == packed)
            continue;
        if (buffer->reads)
            cst_call_unpack(member->buffers[i], packed, buffer);
        if (member->rank != 0) {
            cst_free(packed);
            member->packed[i] = NULL;
        }
    }
    return true;
}

void cst_member_put_back(struct cst_member *member)
{
    for (uint32_t i = 0; i < member->call.head->buffers_count; i++) {
        const struct cst_call_buffer *buffer =
            &cst_call_buffers(&member->call)[i];
        char *content = cst_call_content(&member->call, i);

        if (buffer->writes && member->buffers[i] &&
            member->buffers[i] != content)
            cst_call_pack(content, member->buffers[i], buffer);
    }
}

void cst_member_release(struct cst_member *member)
{
    uint32_t count = member->buffers ? member->call.head->buffers_count : 0;

    for (uint32_t i = 0; i < count; i++) {
        if (member->buffers[i] != member->packed[i])
            cst_free(member->buffers[i]);
        if (member->rank != 0)
            cst_free(member->packed[i]);
    }
    cst_free(member->buffers);
    if (member->rank != 0)
        cst_free(member->call.head);
}
