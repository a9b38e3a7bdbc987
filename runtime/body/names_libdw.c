/*
 * Names by libdw of elfutils, which is loaded when it is needed: no program
 * pays for it at its start, and it may be missing.
 */
#include "base/memory.h"
#include "body/names.h"

#include <dlfcn.h>
#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* What we use of libdw. */
struct library {
    void *handle;
    __typeof__(&dwfl_begin) begin;
    __typeof__(&dwfl_end) end;
    __typeof__(&dwfl_linux_proc_report) report_process;
    __typeof__(&dwfl_linux_proc_find_elf) find_elf;
    __typeof__(&dwfl_report_end) report_end;
    __typeof__(&dwfl_addrmodule) module;
    __typeof__(&dwfl_module_addrinfo) function;
    __typeof__(&dwfl_module_getsrc) line;
    __typeof__(&dwfl_lineinfo) line_info;
    __typeof__(&dwfl_module_nextcu) next_unit;
    __typeof__(&dwarf_haspc) unit_has;
    __typeof__(&dwarf_getsrc_die) unit_line;
    __typeof__(&dwarf_linesrc) unit_line_file;
    __typeof__(&dwarf_lineno) unit_line_number;
};

struct cst_names {
    struct library library;
    Dwfl_Callbacks callbacks;
    Dwfl *dwfl;
};

static bool library_load(struct library *ret_library)
{
    struct library found = {.handle = dlopen("libdw.so.1", RTLD_LAZY)};
    struct {
        const char *name;
        void *pointer;
    } const wanted[] = {
        {"dwfl_begin", &found.begin},
        {"dwfl_end", &found.end},
        {"dwfl_linux_proc_report", &found.report_process},
        {"dwfl_linux_proc_find_elf", &found.find_elf},
        {"dwfl_report_end", &found.report_end},
        {"dwfl_addrmodule", &found.module},
        {"dwfl_module_addrinfo", &found.function},
        {"dwfl_module_getsrc", &found.line},
        {"dwfl_lineinfo", &found.line_info},
        {"dwfl_module_nextcu", &found.next_unit},
        {"dwarf_haspc", &found.unit_has},
        {"dwarf_getsrc_die", &found.unit_line},
        {"dwarf_linesrc", &found.unit_line_file},
        {"dwarf_lineno", &found.unit_line_number},
    };

    if (!found.handle)
        return false;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        void *symbol = dlsym(found.handle, wanted[i].name);

        if (!symbol) {
            (void)dlclose(found.handle);
            return false;
        }
        memcpy(wanted[i].pointer, &symbol, sizeof(symbol));
    }
    *ret_library = found;
    return true;
}

/* What is not in the program's own files is not looked for: the standard
   function may ask servers for it. */
/* NOLINTNEXTLINE(readability-function-size): libdw wants it so */
static int no_debuginfo(Dwfl_Module *module, void **user, const char *name,
                        Dwarf_Addr base, const char *file, const char *link,
                        GElf_Word crc, char **ret_file)
{
    (void)module, (void)user, (void)name, (void)base, (void)file, (void)link;
    (void)crc, (void)ret_file;
    return -1;
}

struct cst_names *cst_names_open(void)
{
    struct cst_names *names = cst_zalloc(sizeof(*names));

    if (!names)
        return NULL;
    if (!library_load(&names->library))
        goto fail_free;
    names->callbacks.find_elf = names->library.find_elf;
    names->callbacks.find_debuginfo = no_debuginfo;
    names->dwfl = names->library.begin(&names->callbacks);
    if (!names->dwfl)
        goto fail_unload;
    if (names->library.report_process(names->dwfl, getpid()) != 0 ||
        names->library.report_end(names->dwfl, NULL, NULL) != 0)
        goto fail_end;
    return names;

fail_end:
    names->library.end(names->dwfl);
fail_unload:
    (void)dlclose(names->library.handle);
fail_free:
    cst_free(names);
    return NULL;
}

/* clang leaves out the table that tells which unit an address is in: ask them
   all. */
static void find_in_units(const struct library *library, Dwfl_Module *module,
                          uintptr_t address, struct cst_name *ret_name)
{
    Dwarf_Die *unit = NULL;
    Dwarf_Addr bias = 0;

    while ((unit = library->next_unit(module, unit, &bias)) != NULL) {
        Dwarf_Line *line;

        if (library->unit_has(unit, address - bias) != 1)
            continue;
        line = library->unit_line(unit, address - bias);
        if (line && library->unit_line_number(line, &ret_name->line) == 0)
            ret_name->file = library->unit_line_file(line, NULL, NULL);
        return;
    }
}

void cst_names_find(struct cst_names *names, uintptr_t address,
                    struct cst_name *ret_name)
{
    const struct library *library = &names->library;
    Dwfl_Module *module = library->module(names->dwfl, address);
    Dwfl_Line *line;
    GElf_Off offset = 0;
    GElf_Sym symbol;

    *ret_name = (struct cst_name){0};
    if (!module)
        return;
    ret_name->function =
        library->function(module, address, &offset, &symbol, NULL, NULL, NULL);
    line = library->line(module, address);
    if (line)
        ret_name->file =
            library->line_info(line, NULL, &ret_name->line, NULL, NULL, NULL);
    else
        find_in_units(library, module, address, ret_name);
}

void cst_names_close(struct cst_names *names)
{
    if (!names)
        return;
    names->library.end(names->dwfl);
    (void)dlclose(names->library.handle);
    cst_free(names);
}
