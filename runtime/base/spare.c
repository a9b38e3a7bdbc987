#include "base/spare.h"

#include "base/memory.h"

#include <string.h>

/* AddressSanitizer is to see who uses what was given back. */
#if defined(__SANITIZE_ADDRESS__)
static const size_t kept_max = 0;
#else
static const size_t kept_max = (size_t)4 << 20;
#endif

/* CST_SPARE_CLASSES: too large to be kept. */
static size_t class_of(size_t size)
{
    size_t class = (size + CST_SPARE_STEP - 1) / CST_SPARE_STEP - 1;

    return class < CST_SPARE_CLASSES ? class : CST_SPARE_CLASSES;
}

void *cst_spare_take(struct cst_spare *spare, size_t size)
{
    size_t class = class_of(size);
    size_t whole = (class + 1) * CST_SPARE_STEP;
    void *memory;

    if (class == CST_SPARE_CLASSES)
        return cst_zalloc(size);
    memory = spare->first[class];
    if (!memory)
        return cst_zalloc(whole);
    if (cst_alloc_refused(whole))
        return NULL;
    memcpy(&spare->first[class], memory, sizeof(void *));
    spare->size -= whole;
    memset(memory, 0, whole);
    return memory;
}

void cst_spare_put(struct cst_spare *spare, void *memory, size_t size)
{
    size_t class = class_of(size);
    size_t whole = (class + 1) * CST_SPARE_STEP;

    if (!memory)
        return;
    if (class == CST_SPARE_CLASSES || spare->size + whole > kept_max) {
        cst_free(memory);
        return;
    }
    memcpy(memory, &spare->first[class], sizeof(void *));
    spare->first[class] = memory;
    spare->size += whole;
}

void cst_spare_release(struct cst_spare *spare)
{
    for (size_t class = 0; class < CST_SPARE_CLASSES; class ++)
        while (spare->first[class]) {
            void *memory = spare->first[class];

            memcpy(&spare->first[class], memory, sizeof(void *));
            cst_free(memory);
        }
    spare->size = 0;
}
