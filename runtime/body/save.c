#include "body/save.h"

#include "base/fail.h"
#include "base/memory.h"

#include <string.h>

struct cst_save {
    char *bytes; /* the regions, packed, one after another */
    size_t regions_count;
    struct cst_rows regions[];
};

size_t cst_save_bytes(const struct cst_rows *regions, size_t regions_count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < regions_count; i++) {
        size_t more = cst_rows_bytes(&regions[i]);

        bytes = bytes > SIZE_MAX - more ? SIZE_MAX : bytes + more;
    }
    return bytes;
}

enum castell_status cst_save_create(const struct cst_rows *regions,
                                    size_t regions_count,
                                    struct cst_save **ret_save)
{
    size_t bytes = cst_save_bytes(regions, regions_count);
    struct cst_save *save;
    char *into;

    save = cst_alloc(sizeof(*save) + regions_count * sizeof(save->regions[0]));
    if (!save)
        goto fail;
    save->bytes = cst_alloc(bytes > 0 ? bytes : 1);
    if (!save->bytes)
        goto fail_free;
    save->regions_count = regions_count;
    into = save->bytes;
    for (size_t i = 0; i < regions_count; i++) {
        save->regions[i] = regions[i];
        cst_rows_pack(&regions[i], into);
        into += cst_rows_bytes(&regions[i]);
    }
    *ret_save = save;
    return CASTELL_OK;

fail_free:
    cst_free(save);
fail:
    return cst_fail(CASTELL_ERR_NO_MEMORY,
                    "no %zu bytes to save what a task may have to write twice",
                    bytes);
}

void cst_save_restore(const struct cst_save *save)
{
    const char *from = save->bytes;

    for (size_t i = 0; i < save->regions_count; i++) {
        cst_rows_unpack(&save->regions[i], from);
        from += cst_rows_bytes(&save->regions[i]);
    }
}

void cst_save_destroy(struct cst_save *save)
{
    if (!save)
        return;
    cst_free(save->bytes);
    cst_free(save);
}
