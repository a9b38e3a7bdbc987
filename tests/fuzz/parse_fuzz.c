// sources: runtime/base/parse.c runtime/base/fail.c
/*
 * Any text is a size or count, or is refused with a sentence; a refusal
 * writes nothing.
 */
#include "base/fail.h"
#include "base/parse.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(enum castell_status status, bool written)
{
    CST_ASSERT(status == CASTELL_OK || status == CASTELL_ERR_INVALID);
    CST_ASSERT(status != CASTELL_ERR_INVALID || !written);
    CST_ASSERT(status != CASTELL_ERR_INVALID ||
               strncmp(castell_error_text(), "NAME is \"", 9) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    uint64_t bytes = 77;
    uint32_t count = 77;
    enum castell_status status;

    CST_ASSERT(text);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    status = cst_parse_size("NAME", text, &bytes);
    judge(status, bytes != 77);
    status = cst_parse_count("NAME", text, 3, 1000, &count);
    judge(status, count != 77);
    CST_ASSERT(status != CASTELL_OK || (count >= 3 && count <= 1000));
    free(text);
    return 0;
}
