// sources: runtime/checkpoint/manifest.c runtime/checkpoint/file.c runtime/base/memory.c runtime/base/fail.c runtime/base/thread.c
// libs: -lsodium
/*
 * Any manifest fits the checkpoint, or is refused with a sentence and then no
 * step is told: as it is, and with the checksum at its end that belongs to it.
 * The corpus has one that fits, of step 12: it must be taken, or what is looked at
 * here is only how things are refused.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "checkpoint/checkpoint.h"

#include <stdlib.h>
#include <string.h>

enum { PARTS = 2, NONE = 77 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whether it was taken. */
static bool judge(const struct castell_checkpoint *series, const char *manifest,
                  size_t size)
{
    unsigned char sums[PARTS * CST_SUM_SIZE];
    uint64_t step = NONE;
    const char *why = cst_manifest_check(series, manifest, size, sums, &step);

    CST_ASSERT(!why || (*why && step == NONE));
    (void)cst_manifest_is_of(manifest, manifest);
    return !why;
}

/* Is it the one of the corpus? */
static bool is_good(const char *text)
{
#define ZEROS "00000000000000000000000000000000"
    static const char good[] =
        "castell checkpoint 1\nprogram steps\norder little\nstep 12\nparts 2\n"
        "part 800 1 8 x\nsum " ZEROS ZEROS " node1 17\n"
        "part 12 3 4 y\nsum " ZEROS ZEROS " node2 18\n";
#undef ZEROS

    return strcmp(text, good) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char program[] = "steps", x[] = "x", y[] = "y";
    struct cst_series_datum parts[PARTS] = {
        {.name = x, .region = {.size = 800, .rows = 1}, .element_size = 8},
        {.name = y,
         .region = {.size = 12, .rows = 3, .pitch = 16},
         .element_size = 4},
    };
    const struct castell_checkpoint series = {
        .program = program, .data = parts, .data_count = PARTS};
    char *text = malloc(size + 2);
    char *sealed;
    size_t sealed_size;
    bool taken;

    CST_ASSERT(text);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    cst_sum_prepare();
    (void)judge(&series, text, size);
    /* Lines, as cst_manifest_seal() is given. */
    if (size == 0 || text[size - 1] != '\n') {
        text[size] = '\n';
        text[size + 1] = '\0';
    }
    sealed = cst_manifest_seal(text, NULL, 0, &sealed_size);
    CST_ASSERT(sealed);
    taken = judge(&series, sealed, sealed_size);
    CST_ASSERT(taken || !is_good(text));
    cst_free(sealed);
    free(text);
    return 0;
}
