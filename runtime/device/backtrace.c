#include "device/backtrace.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <stdint.h>
#include <string.h>

void cst_backtrace_prepare(void)
{
    void *frame[1];

    /* The first call loads libgcc. */
    (void)backtrace(frame, 1);
}

static const char *file_name(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;

    return slash ? slash + 1 : path;
}

/* From the tables of the dynamic linker, which has no static functions. */
static void print_frame(FILE *stream, int number, uintptr_t address)
{
    Dl_info info = {0};

    (void)fprintf(stream, "castell:   #%-2d 0x%012jx", number,
                  (uintmax_t)address);
    if (dladdr((void *)address, &info) == 0 || !info.dli_fname) // NOLINT
        (void)fprintf(stream, " in ?\n");
    else if (info.dli_sname)
        (void)fprintf(stream, " in %s+0x%jx (%s)\n", info.dli_sname,
                      (uintmax_t)(address - (uintptr_t)info.dli_saddr),
                      file_name(info.dli_fname));
    else
        (void)fprintf(stream, " in %s+0x%jx\n", file_name(info.dli_fname),
                      (uintmax_t)(address - (uintptr_t)info.dli_fbase));
}

void cst_backtrace_print(FILE *stream, void *const *frames, int frames_count)
{
    for (int i = 0; i < frames_count; i++) {
        /* A return address is after the call, perhaps in the next line. */
        uintptr_t address = (uintptr_t)frames[i] - (i > 0 ? 1 : 0);

        print_frame(stream, i, address);
    }
}
