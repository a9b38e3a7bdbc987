#include "body/backtrace.h"

#include "body/names.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <stdbool.h>
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
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* What libdw does not know the dynamic linker may: the object at least. */
static void print_object(FILE *stream, uintptr_t address, bool function)
{
    Dl_info info = {0};

    if (dladdr((void *)address, &info) == 0 || !info.dli_fname) /* NOLINT */
        (void)fprintf(stream, "%s", function ? "" : " in ?");
    else if (!function && info.dli_sname)
        (void)fprintf(stream, " in %s+0x%jx (%s)", info.dli_sname,
                      (uintmax_t)(address - (uintptr_t)info.dli_saddr),
                      file_name(info.dli_fname));
    else
        (void)fprintf(stream, "%s (%s+0x%jx)", function ? "" : " in ?",
                      file_name(info.dli_fname),
                      (uintmax_t)(address - (uintptr_t)info.dli_fbase));
}

void cst_backtrace_print(FILE *stream, void *const *frames, int frames_count)
{
    struct cst_names *names = cst_names_open();

    for (int i = 0; i < frames_count; i++) {
        /* A return address is after the call, perhaps in the next line. */
        uintptr_t address = (uintptr_t)frames[i] - (i > 0 ? 1 : 0);
        struct cst_name name = {0};

        if (names)
            cst_names_find(names, address, &name);
        (void)fprintf(stream, "castell:   #%-2d 0x%012jx", i,
                      (uintmax_t)address);
        if (name.function)
            (void)fprintf(stream, " in %s", name.function);
        if (name.file)
            (void)fprintf(stream, " at %s:%d", name.file, name.line);
        else
            print_object(stream, address, name.function != NULL);
        (void)fprintf(stream, "\n");
    }
    cst_names_close(names);
}
