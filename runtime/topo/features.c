/*
 * features.c - what a node says of itself: "bigmem,ib".
 */
#include "base/fail.h"
#include "topo/topo.h"

#include <string.h>

static const char name_letters[] = "abcdefghijklmnopqrstuvwxyz"
                                   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789_-.+:";

/*
 * Take the next item of the list at *at, without the spaces around it; false
 * at the end of the list.
 */
static bool next_item(const char **at, const char **ret_item,
                      size_t *ret_length)
{
    const char *item = *at;
    size_t length;

    if (!item)
        return false;
    length = strcspn(item, ",");
    *at = item[length] == ',' ? item + length + 1 : NULL;
    while (length > 0 && *item == ' ') {
        item++;
        length--;
    }
    while (length > 0 && item[length - 1] == ' ')
        length--;
    *ret_item = item;
    *ret_length = length;
    return true;
}

bool cst_topo_has_feature(const char *features, const char *name)
{
    const char *item;
    size_t length;

    while (next_item(&features, &item, &length))
        if (length > 0 && length == strlen(name) &&
            memcmp(item, name, length) == 0)
            return true;
    return false;
}

enum castell_status cst_topo_check_features(const char *features)
{
    const char *at = features;
    const char *item;
    size_t length;

    if (!features || features[strspn(features, " ")] == '\0')
        return CASTELL_OK;
    while (next_item(&at, &item, &length)) {
        if (length == 0)
            return cst_fail(CASTELL_ERR_INVALID,
                            "an empty name among the features \"%s\"",
                            features);
        if (strspn(item, name_letters) < length)
            return cst_fail(CASTELL_ERR_INVALID,
                            "\"%.*s\" is no name for a feature: use letters, "
                            "digits and _ - . + :",
                            (int)length, item);
    }
    return CASTELL_OK;
}
