/* loopback_test.c - nets in one process: the same promises, step by step. */
#include "harness/tap.h"
#include "net/loopback.h"
#include "net/side.h"

#include <stdio.h>
#include <string.h>

enum { SIDES = 4 };

static struct side sides[SIDES];
static struct cst_net_hub *hub;
static char story[512]; /* what side 1 was told, a letter for each */
static char landing[6][8];
static bool wants = true;

static void note(const char *what, uint32_t peer)
{
    size_t length = strlen(story);

    (void)snprintf(story + length, sizeof(story) - length, "%s%u ", what, peer);
}

static void on_message(void *owner, uint32_t peer, const void *header,
                       size_t header_size, const struct cst_rows *into)
{
    char text[32];

    ((struct side *)owner)->messages++;
    (void)snprintf(text, sizeof(text), "%.*s%s", (int)header_size,
                   (const char *)header, into ? "+" : "");
    note(text, peer);
}

static bool on_payload_into(void *owner, uint32_t peer, const void *header,
                            size_t header_size, size_t payload_size,
                            struct cst_rows *ret_into)
{
    *ret_into = (struct cst_rows){landing, 4, payload_size / 4, 8};
    return wants;
}

static void on_gone(void *owner, uint32_t peer, enum cst_net_end how,
                    const char *why)
{
    struct side *side = owner;

    side->gone++;
    side->last_end = how;
    note("gone", peer);
}

static void on_joined(void *owner, uint32_t peer, const void *hello,
                      size_t hello_size)
{
    note("joined", peer);
}

static void open_all(void)
{
    struct cst_net_options options = {.hello = "hi", .hello_size = 2};

    if (cst_net_hub_create(&hub))
        tap_bail("no hub");
    for (int i = 0; i < SIDES; i++) {
        side_init(&sides[i]);
        if (i == 1) {
            sides[i].owner.message = on_message;
            sides[i].owner.payload_into = on_payload_into;
            sides[i].owner.gone = on_gone;
            sides[i].owner.joined = on_joined;
        }
        if (cst_net_hub_open(hub, &options, &sides[i].owner, &sides[i].net))
            tap_bail(castell_error_text());
    }
}

static void poll_all(void)
{
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < SIDES; i++)
            (void)cst_net_poll(sides[i].net);
}

static void send(int from, uint32_t to, const char *text,
                 const struct cst_net_payload *payload)
{
    if (cst_net_send(sides[from].net, to, text, strlen(text), payload))
        tap_bail(castell_error_text());
}

int main(void)
{
    static char bytes[3][10] = {"abcdefgh--", "ijklmnop--", "qrstuvwx--"};
    struct cst_net_payload payload = {{bytes, 8, 3, 10}, &payload};
    struct cst_net_counts counts;

    open_all();
    poll_all();
    ok(strcmp(story, "joined0 joined2 joined3 ") == 0, "all hear of all: %s",
       story);
    ok(sides[0].there == 3 && cst_net_self(sides[3].net) == 3,
       "the first is the master");

    *story = '\0';
    send(2, 1, "a", NULL);
    send(3, 1, "b", NULL);
    send(2, 1, "c", &payload);
    send(2, 1, "d", NULL);
    (void)cst_net_poll(sides[1].net);
    ok(*story == '\0', "nothing comes before it is flushed");
    cst_net_flush(sides[3].net);
    cst_net_flush(sides[2].net);
    (void)cst_net_poll(sides[1].net);
    ok(strcmp(story, "b3 a2 c+2 d2 ") == 0, "then in order: %s", story);
    ok(memcmp(landing[0], "abcd", 4) == 0 && memcmp(landing[5], "uvwx", 4) == 0,
       "a payload takes another shape");
    ok(sides[2].sent == 0 && cst_net_poll(sides[2].net) == 1 &&
           sides[2].sent == 1,
       "and the sender has its memory back");
    ok(cst_net_counts(sides[2].net, 1, &counts) && counts.messages_sent == 3 &&
           counts.bytes_sent == 27,
       "it was counted");

    *story = '\0';
    send(2, 1, "x", &payload);
    cst_net_flush(sides[2].net);
    send(2, 1, "y", &payload);
    send(3, 2, "z", &payload);
    cst_net_flush(sides[3].net);
    send(1, 2, "w", NULL);
    cst_net_hub_kill(hub, 2, "killed");
    (void)cst_net_poll(sides[1].net);
    (void)cst_net_poll(sides[3].net);
    ok(strcmp(story, "gone2 ") == 0 && sides[1].last_end == CST_NET_DIED,
       "what the dead one sent is lost");
    ok(sides[3].not_sent == 1 && sides[2].not_sent == 0,
       "what was sent to it comes back");
    ok(cst_net_send(sides[1].net, 2, "v", 1, NULL) == CASTELL_ERR_NODE_LOST,
       "nothing is sent to the dead");
    ok(cst_net_poll(sides[2].net) == 0, "nor told to them");

    *story = '\0';
    wants = false;
    send(3, 1, "bye", &payload);
    cst_net_leave(sides[3].net);
    poll_all();
    ok(strcmp(story, "bye3 gone3 ") == 0 && sides[1].last_end == CST_NET_LEFT,
       "who leaves has sent all: %s", story);
    ok(sides[3].is_over && sides[3].over == CST_NET_OVER_LEFT, "and hears it");

    cst_net_close(sides[0].net);
    (void)cst_net_poll(sides[1].net);
    ok(sides[1].is_over && sides[1].over == CST_NET_OVER_SENT_AWAY,
       "the end of the run is the end of its workers");
    for (int i = 1; i < SIDES; i++)
        cst_net_close(sides[i].net);
    cst_net_hub_destroy(hub);
    return tap_done();
}
