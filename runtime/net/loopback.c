/* loopback.c - a run in one process: nets that reach each other through memory. */
#include "base/fail.h"
#include "base/memory.h"
#include "net/loopback_internal.h"

#include <stdio.h>

void cst_mail_init(struct cst_mail *mail)
{
    mail->first = NULL;
    mail->last = &mail->first;
}

static void mail_put(struct cst_mail *mail, struct cst_letter *letter)
{
    letter->next = NULL;
    *mail->last = letter;
    mail->last = &letter->next;
}

static struct cst_letter *mail_take(struct cst_mail *mail)
{
    struct cst_letter *letter = mail->first;

    if (!letter)
        return NULL;
    mail->first = letter->next;
    if (!mail->first)
        mail->last = &mail->first;
    return letter;
}

static struct cst_letter *letter_create(enum cst_letter_what what,
                                        uint32_t peer, const void *bytes,
                                        size_t size)
{
    struct cst_letter *letter = cst_zalloc(sizeof(*letter) + size + 1);

    if (!letter)
        return NULL;
    letter->what = what;
    letter->peer = peer;
    letter->size = size;
    if (size)
        memcpy(letter->bytes, bytes, size);
    return letter;
}

/* News of the hub's own. A simulation without memory is at its end. */
struct cst_letter *cst_hub_post(struct cst_loop *to, enum cst_letter_what what,
                                uint32_t peer, const void *bytes, size_t size)
{
    struct cst_letter *letter = letter_create(what, peer, bytes, size);

    CST_ASSERT(letter);
    letter->stamp = to->hub->posted++;
    mail_put(&to->in, letter);
    return letter;
}

static struct cst_loop *hub_find(const struct cst_net_hub *hub, uint32_t number)
{
    return number < hub->count ? hub->loops[number] : NULL;
}

/* The sender of a payload may have its memory back. */
static void return_payload(const struct cst_net_hub *hub, uint32_t sender,
                           uint32_t receiver, const struct cst_letter *letter,
                           bool arrived)
{
    struct cst_loop *to = hub_find(hub, sender);
    struct cst_letter *back;

    if (!letter->has_payload || !to || to->dead)
        return;
    back = cst_hub_post(to, CST_LETTER_SENT, receiver, NULL, 0);
    back->cookie = letter->cookie;
    back->arrived = arrived;
}

/* ---- Deliver ---------------------------------------------------------------- */

/* From rows to rows of another shape. */
static void copy_rows(const struct cst_rows *from, const struct cst_rows *to)
{
    size_t size = cst_rows_bytes(from);
    size_t from_rows = from->rows > 1 ? from->rows : 1;
    size_t from_row = size / from_rows;
    size_t to_row = to->rows > 1 ? to->size : size;

    for (size_t done = 0; done < size;) {
        size_t part = from_row - done % from_row;
        const char *source = from->base;
        char *target = to->base;

        if (part > to_row - done % to_row)
            part = to_row - done % to_row;
        source += done / from_row * (from_rows > 1 ? from->pitch : 0);
        target += done / to_row * (to->rows > 1 ? to->pitch : 0);
        memcpy(target + done % to_row, source + done % from_row, part);
        done += part;
    }
}

static void deliver_message(struct cst_loop *loop,
                            const struct cst_letter *letter)
{
    const struct cst_net_owner *owner = &loop->net.owner;
    struct cst_net_counts *counts = &loop->counts[letter->peer];
    struct cst_rows into;
    bool wanted = false;

    counts->messages_received++;
    counts->bytes_received += letter->size;
    if (letter->has_payload) {
        size_t size = cst_rows_bytes(&letter->from);

        counts->bytes_received += size;
        loop->net.told++;
        wanted = owner->payload_into(owner->owner, letter->peer, letter->bytes,
                                     letter->size, size, &into);
        CST_ASSERT(!wanted ||
                   (cst_rows_valid(&into) && cst_rows_bytes(&into) == size));
    }
    if (wanted)
        copy_rows(&letter->from, &into);
    return_payload(loop->hub, letter->peer, loop->net.self, letter, true);
    owner->message(owner->owner, letter->peer, letter->bytes, letter->size,
                   wanted ? &into : NULL);
}

static void deliver(struct cst_loop *loop, const struct cst_letter *letter)
{
    const struct cst_net_owner *owner = &loop->net.owner;
    const char *why = (const char *)letter->bytes;

    loop->net.told++;
    switch (letter->what) {
    case CST_LETTER_MESSAGE:
        deliver_message(loop, letter);
        break;
    case CST_LETTER_SENT:
        owner->sent(owner->owner, letter->peer, letter->cookie,
                    letter->arrived);
        break;
    case CST_LETTER_JOINED:
        owner->joined(owner->owner, letter->peer, letter->bytes, letter->size);
        break;
    case CST_LETTER_GONE:
        owner->gone(owner->owner, letter->peer, (enum cst_net_end)letter->how,
                    why);
        break;
    case CST_LETTER_OVER:
        loop->dead = true;
        owner->over(owner->owner, (enum cst_net_over)letter->how, why);
        break;
    default:
        CST_BUG("a letter of no kind");
    }
}

/* ---- Ends --------------------------------------------------------------------- */

/* Letters of, or to, one who is gone: not delivered, payloads given back. */
static void drop_letters(const struct cst_net_hub *hub, struct cst_mail *mail,
                         uint32_t receiver, uint32_t sender)
{
    struct cst_mail kept;
    struct cst_letter *letter;

    cst_mail_init(&kept);
    while ((letter = mail_take(mail))) {
        if (letter->what == CST_LETTER_MESSAGE &&
            (sender == CST_NET_NOBODY || letter->peer == sender)) {
            return_payload(hub, letter->peer, receiver, letter, false);
            cst_free(letter);
        } else if (sender == CST_NET_NOBODY) {
            cst_free(letter);
        } else {
            mail_put(&kept, letter);
        }
    }
    *mail = kept;
    if (!mail->first)
        mail->last = &mail->first;
}

/* Drop what it has not flushed, and what others have not flushed to it. */
static void drop_unflushed(struct cst_net_hub *hub, struct cst_loop *gone)
{
    for (uint32_t i = 0; i < hub->count; i++) {
        struct cst_loop *loop = hub->loops[i];

        drop_letters(hub, &gone->out[i], i, CST_NET_NOBODY);
        if (loop && loop != gone)
            drop_letters(hub, &loop->out[gone->net.self], gone->net.self,
                         CST_NET_NOBODY);
    }
}

/* Take it out of the hub and tell the others. What it sent before it left
   orderly is delivered first; what a dead one sent may never come. */
static void hub_end(struct cst_net_hub *hub, struct cst_loop *gone,
                    enum cst_net_end how, const char *why)
{
    uint32_t number = gone->net.self;

    if (!hub->loops[number])
        return;
    hub->loops[number] = NULL;
    drop_unflushed(hub, gone);
    for (uint32_t i = 0; i < hub->count; i++) {
        struct cst_loop *loop = hub->loops[i];

        if (!loop || loop->dead)
            continue;
        if (how != CST_NET_LEFT)
            drop_letters(hub, &loop->in, i, number);
        cst_hub_post(loop, CST_LETTER_GONE, number, why, strlen(why))->how =
            (int)how;
    }
    /* What it will not read: to whom it belongs. */
    drop_letters(hub, &gone->in, number, CST_NET_NOBODY);
}

void cst_net_hub_kill(struct cst_net_hub *hub, uint32_t peer, const char *why)
{
    struct cst_loop *loop = hub_find(hub, peer);

    if (!loop)
        return;
    loop->dead = true;
    if (peer != CST_NET_MASTER) {
        hub_end(hub, loop, CST_NET_DIED, why);
        return;
    }
    hub->loops[peer] = NULL;
    drop_unflushed(hub, loop);
    for (uint32_t i = 0; i < hub->count; i++)
        if (hub->loops[i]) {
            drop_letters(hub, &hub->loops[i]->in, i, CST_NET_MASTER);
            cst_hub_post(hub->loops[i], CST_LETTER_OVER, CST_NET_MASTER, why,
                         strlen(why))
                ->how = CST_NET_OVER_MASTER_LOST;
        }
}

/* ---- The table ------------------------------------------------------------------ */

static void loop_flush(struct cst_net *net)
{
    struct cst_loop *loop = (struct cst_loop *)net;
    struct cst_letter *letter;

    if (loop->dead)
        return;
    for (uint32_t i = 0; i < loop->hub->count; i++)
        while ((letter = mail_take(&loop->out[i]))) {
            loop->counts[i].messages_sent++;
            loop->counts[i].bytes_sent += letter->size;
            if (letter->has_payload)
                loop->counts[i].bytes_sent += cst_rows_bytes(&letter->from);
            letter->stamp = loop->hub->posted++;
            mail_put(&loop->hub->loops[i]->in, letter);
        }
}

static uint32_t loop_poll(struct cst_net *net)
{
    struct cst_loop *loop = (struct cst_loop *)net;
    struct cst_letter *letter;
    uint64_t until;

    net->told = 0;
    loop_flush(net);
    /* Only what is there now: what its delivery causes comes with the next. */
    until = loop->hub->posted;
    while (!loop->dead && loop->in.first && loop->in.first->stamp < until) {
        letter = mail_take(&loop->in);
        deliver(loop, letter);
        cst_free(letter);
    }
    if (loop->dead)
        return net->told;
    loop_flush(net);
    if (loop->leaves && !loop->over) {
        loop->over = true;
        hub_end(loop->hub, loop, CST_NET_LEFT, "it left");
        cst_hub_post(loop, CST_LETTER_OVER, 0, "it left", 7)->how =
            CST_NET_OVER_LEFT;
    }
    return net->told;
}

static void loop_leave(struct cst_net *net)
{
    ((struct cst_loop *)net)->leaves = true;
}

static void loop_expel(struct cst_net *net, uint32_t peer, const char *why)
{
    struct cst_net_hub *hub = ((struct cst_loop *)net)->hub;
    struct cst_loop *loop = hub_find(hub, peer);

    if (!loop)
        return;
    hub_end(hub, loop, CST_NET_SENT_AWAY, why);
    loop->over = true;
    cst_hub_post(loop, CST_LETTER_OVER, 0, why, strlen(why))->how =
        CST_NET_OVER_SENT_AWAY;
}

static enum castell_status loop_send(struct cst_net *net, uint32_t peer,
                                     const void *header, size_t header_size,
                                     const struct cst_net_payload *payload)
{
    struct cst_loop *loop = (struct cst_loop *)net;
    struct cst_letter *letter;

    if (loop->dead || loop->over || !hub_find(loop->hub, peer))
        return cst_fail(CASTELL_ERR_NODE_LOST, "process %u is not in the run",
                        peer);
    letter = letter_create(CST_LETTER_MESSAGE, net->self, header, header_size);
    if (!letter)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a message");
    if (payload) {
        letter->has_payload = true;
        letter->from = payload->from;
        letter->cookie = payload->cookie;
    }
    mail_put(&loop->out[peer], letter);
    return CASTELL_OK;
}

static bool loop_counts(const struct cst_net *net, uint32_t peer,
                        struct cst_net_counts *ret_counts)
{
    const struct cst_loop *loop = (const struct cst_loop *)net;

    if (peer >= loop->hub->count || peer == net->self)
        return false;
    *ret_counts = loop->counts[peer];
    ret_counts->carrier = "loopback";
    return true;
}

static bool loop_doze(struct cst_net *net)
{
    const struct cst_loop *loop = (const struct cst_loop *)net;

    loop_flush(net);
    return !loop->in.first;
}

/* There is nobody who could wake us: who sleeps polls again. */
static bool loop_sleep(struct cst_net *net, uint64_t timeout_ns)
{
    return false;
}

static void loop_wake(struct cst_net *net)
{
}

static void loop_close(struct cst_net *net)
{
    struct cst_loop *loop = (struct cst_loop *)net;
    struct cst_net_hub *hub = loop->hub;
    struct cst_letter *letter;

    if (hub_find(hub, net->self) == loop) {
        if (net->self == CST_NET_MASTER)
            for (uint32_t i = 1; i < hub->count; i++)
                if (hub->loops[i])
                    loop_expel(net, i, "the run is over");
        hub_end(hub, loop, CST_NET_DIED, "it closed");
    }
    while ((letter = mail_take(&loop->in)))
        cst_free(letter);
    hub->open--;
    cst_free(loop->hello);
    cst_free(loop->out);
    cst_free(loop->counts);
    cst_free(loop);
}

const struct cst_net_ops cst_loop_ops = {
    .close = loop_close,
    .poll = loop_poll,
    .doze = loop_doze,
    .sleep = loop_sleep,
    .wake = loop_wake,
    .leave = loop_leave,
    .expel = loop_expel,
    .send = loop_send,
    .flush = loop_flush,
    .counts = loop_counts,
};
