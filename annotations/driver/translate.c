/* One file: from its source to C without pragmas of ours. */
#include "check/check.h"
#include "common/process.h"
#include "driver/driver.h"
#include "emit/emit.h"
#include "read/unit.h"

#include <stdio.h>
#include <string.h>

/* What the functions that the rooms call back need. */
struct job {
    struct cst_driver *driver;
    const struct cst_input *input;
    const struct cst_text *raw;
};

struct cst_strings cst_compile_command(struct cst_driver *driver,
                                       bool preprocesses)
{
    struct cst_memory *memory = &driver->memory;
    const struct cst_options *options = &driver->options;
    struct cst_strings command = {0};

    for (size_t i = 0; i < options->compiler_words; i++)
        cst_strings_add(memory, &command, options->argv.items[i]);
    if (preprocesses) {
        cst_strings_append(memory, &command, &options->preprocess);
        cst_strings_add(
            memory, &command,
            cst_memory_format(memory, "-I%s", driver->places.include));
    }
    cst_strings_append(memory, &command, &options->shared);
    return command;
}

static void add(struct cst_driver *driver, struct cst_strings *command,
                const char *a, const char *b)
{
    cst_strings_add(&driver->memory, command, a);
    cst_strings_add(&driver->memory, command, b);
}

/* -MD and -MMD go by the name of what is made, which -E does not know. */
static void add_dependency_options(struct cst_driver *driver,
                                   const struct cst_input *input,
                                   struct cst_strings *command)
{
    const struct cst_options *options = &driver->options;
    struct cst_memory *memory = &driver->memory;
    const char *name = options->output ? options->output : input->name;
    const char *dot = strrchr(name, '.');
    const char *slash = strrchr(name, '/');
    size_t size =
        dot && (!slash || dot > slash) ? (size_t)(dot - name) : strlen(name);

    if (!options->makes_dependencies)
        return;
    if (!options->names_dependencies)
        add(driver, command, "-MF",
            options->output
                ? cst_memory_format(memory, "%.*s.d", (int)size, name)
                : cst_name_with_suffix(memory, input->name, ".d"));
    if (!options->names_target)
        add(driver, command, "-MQ",
            options->output ? options->output
                            : cst_name_with_suffix(memory, input->name, ".o"));
}

/* Returns whether the file could be preprocessed. */
static bool preprocess(struct cst_driver *driver, const struct cst_input *input,
                       struct cst_text *raw, struct cst_text *warnings)
{
    struct cst_process_streams streams = {.out = raw, .err = warnings};
    struct cst_strings command;

    cst_text_add(raw, "", 0);
    if (input->preprocessed && strcmp(input->name, "-") != 0) {
        size_t size;
        char *bytes = cst_source_read(&driver->memory, input->name, &size);

        if (bytes)
            cst_text_add(raw, bytes, size);
        return bytes != NULL;
    }
    command = cst_compile_command(driver, true);
    add_dependency_options(driver, input, &command);
    add(driver, &command, "-E", "-dD");
    add(driver, &command, "-x", input->preprocessed ? "cpp-output" : "c");
    cst_strings_add(&driver->memory, &command, input->name);
    return cst_process_run(command.items, &streams) == 0;
}

/* Called for pragmas that use macros. */
static const char *expand(void *owner, const struct cst_text *text)
{
    struct cst_driver *driver = ((struct job *)owner)->driver;
    struct cst_place place = {.file = ((struct job *)owner)->input->name,
                              .line = 1};
    struct cst_strings command = cst_compile_command(driver, false);
    struct cst_text out = {0};
    struct cst_process_streams streams = {.in = text, .out = &out};
    const char *result = NULL;

    cst_text_add(&out, "", 0);
    add(driver, &command, "-E", "-P");
    add(driver, &command, "-w", "-xc");
    cst_strings_add(&driver->memory, &command, "-");
    if (cst_process_run(command.items, &streams) == 0)
        result = cst_memory_copy(&driver->memory, out.bytes, out.size);
    else
        cst_report_error(&driver->report, place,
                         "the macros in pragmas cannot be expanded");
    cst_text_release(&out);
    return result;
}

/* Called when libclang finds errors: what does the compiler find? */
static bool confirm(void *owner)
{
    struct job *job = owner;
    struct cst_driver *driver = job->driver;
    bool from_input = strcmp(job->input->name, "-") == 0;
    struct cst_strings command = cst_compile_command(driver, !from_input);
    struct cst_process_streams streams = {.in = from_input ? job->raw : NULL};

    add(driver, &command, "-fsyntax-only", "-Wno-unknown-pragmas");
    add(driver, &command, "-x",
        from_input || job->input->preprocessed ? "cpp-output" : "c");
    cst_strings_add(&driver->memory, &command, job->input->name);
    return cst_process_run(command.items, &streams) == 0;
}

static enum cst_outcome translate(struct job *job, struct cst_unit *unit,
                                  struct cst_text *ret_text)
{
    struct cst_driver *driver = job->driver;
    const struct cst_options *options = &driver->options;
    struct cst_strings flags = options->language;
    struct cst_check_options checks = {
        .warn_globals = !options->no_global_warnings,
        .warn_pointers = !options->no_pointer_warnings,
        .warn_addresses = !options->no_address_warnings,
        .confirm = confirm,
        .owner = job,
    };
    struct cst_model model;
    enum cst_outcome outcome = CST_OUTCOME_WRONG;

    static const char *const none[] = {NULL};

    checks.flags = flags.items ? flags.items : none;
    driver->report.errors = 0;
    cst_unit_read(unit, expand, job);
    if (unit->sequential)
        outcome = CST_OUTCOME_UNTOUCHED;
    else if (cst_check(unit, &checks, &model))
        outcome = CST_OUTCOME_TRANSLATED;
    cst_report_print(&driver->report);
    if (outcome == CST_OUTCOME_TRANSLATED)
        cst_emit(&model, ret_text);
    else if (outcome == CST_OUTCOME_UNTOUCHED)
        cst_text_add(ret_text, unit->raw, unit->raw_size);
    cst_text_release(&unit->text);
    return outcome;
}

enum cst_outcome cst_translate(struct cst_driver *driver,
                               const struct cst_input *input,
                               struct cst_text *ret_text)
{
    struct cst_text raw = {0}, warnings = {0};
    struct job job = {.driver = driver, .input = input, .raw = &raw};
    struct cst_unit unit = {.memory = &driver->memory,
                            .report = &driver->report,
                            .name = input->name};
    bool from_input = strcmp(input->name, "-") == 0;
    bool read = preprocess(driver, input, &raw, &warnings);
    enum cst_outcome outcome = CST_OUTCOME_UNTOUCHED;

    unit.raw = raw.bytes;
    unit.raw_size = raw.size;
    if (!read)
        outcome = from_input ? CST_OUTCOME_WRONG : CST_OUTCOME_UNREADABLE;
    else if (cst_unit_has_pragmas(&unit))
        outcome = translate(&job, &unit, ret_text);
    else
        cst_text_add(ret_text, raw.bytes, raw.size);
    /* The compiler will say it itself, where it reads the file once more. */
    if (warnings.size > 0 &&
        (outcome == CST_OUTCOME_TRANSLATED || outcome == CST_OUTCOME_WRONG))
        (void)fwrite(warnings.bytes, 1, warnings.size, stderr);
    cst_text_release(&raw);
    cst_text_release(&warnings);
    return outcome;
}
