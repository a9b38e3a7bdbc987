/* message.c - orders and events as bytes. */
#include "slurm/message.h"

#include "base/fail.h"
#include "wire/wire.h"

#include <string.h>

size_t cst_order_write(const struct cst_order *order, void *bytes)
{
    const uint8_t head[] = {CST_MESSAGE_VERSION, (uint8_t)order->kind,
                            order->expand};
    struct cst_writer to;

    cst_writer_init_fixed(&to, bytes, CST_MESSAGE_MAX);
    cst_put_raw(&to, head, sizeof(head));
    cst_put_varint(&to, order->look_ms);
    cst_put_varint(&to, order->command_ms);
    cst_put_varint(&to, order->id);
    cst_put_varint(&to, order->nodes);
    cst_put_varint(&to, order->minutes);
    cst_put_text(&to, order->text);
    cst_put_text(&to, order->job);
    CST_ASSERT(!to.bad);
    return to.size;
}

bool cst_order_read(const void *bytes, size_t size, struct cst_order *ret_order)
{
    struct cst_reader from;
    uint8_t version;
    uint8_t kind;

    *ret_order = (struct cst_order){0};
    cst_reader_init(&from, bytes, size);
    version = cst_get_u8(&from);
    kind = cst_get_u8(&from);
    ret_order->kind = kind;
    ret_order->expand = cst_get_u8(&from) != 0;
    ret_order->look_ms = cst_get_count(&from, UINT32_MAX);
    ret_order->command_ms = cst_get_count(&from, UINT32_MAX);
    ret_order->id = cst_get_count(&from, UINT32_MAX - CST_SLURM_NODES_MAX);
    ret_order->nodes = cst_get_count(&from, CST_SLURM_NODES_MAX);
    ret_order->minutes = cst_get_count(&from, UINT32_MAX);
    cst_get_text(&from, ret_order->text, sizeof(ret_order->text));
    cst_get_text(&from, ret_order->job, sizeof(ret_order->job));
    return cst_reader_done(&from) && version == CST_MESSAGE_VERSION &&
           ret_order->kind >= CST_ORDER_OPEN &&
           ret_order->kind <= CST_ORDER_ADOPT &&
           ((ret_order->kind != CST_ORDER_REQUEST &&
             ret_order->kind != CST_ORDER_ADOPT) ||
            (ret_order->id > 0 && ret_order->nodes > 0));
}

size_t cst_event_write(const struct cst_slurm_event *event, void *bytes)
{
    struct cst_writer to;

    cst_writer_init_fixed(&to, bytes, CST_MESSAGE_MAX);
    cst_put_varint(&to, event->id);
    cst_put_u8(&to, (uint8_t)event->state);
    cst_put_u8(&to, event->hopeless);
    cst_put_u8(&to, event->cancelled);
    cst_put_varint(&to, event->seconds_left);
    cst_put_text(&to, event->job);
    cst_put_text(&to, event->nodes);
    cst_put_text(&to, event->text);
    CST_ASSERT(!to.bad);
    return to.size;
}

bool cst_event_read(const void *bytes, size_t size,
                    struct cst_slurm_event *ret_event)
{
    struct cst_reader from;

    *ret_event = (struct cst_slurm_event){0};
    cst_reader_init(&from, bytes, size);
    ret_event->id = cst_get_count(&from, UINT32_MAX);
    ret_event->state = cst_get_u8(&from);
    ret_event->hopeless = cst_get_u8(&from) != 0;
    ret_event->cancelled = cst_get_u8(&from) != 0;
    ret_event->seconds_left = cst_get_count(&from, UINT32_MAX);
    cst_get_text(&from, ret_event->job, sizeof(ret_event->job));
    cst_get_text(&from, ret_event->nodes, sizeof(ret_event->nodes));
    cst_get_text(&from, ret_event->text, sizeof(ret_event->text));
    return cst_reader_done(&from) && ret_event->state >= CST_SLURM_PENDING &&
           ret_event->state <= CST_SLURM_KEEPS;
}
