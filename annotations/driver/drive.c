#include "common/process.h"
#include "driver/driver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What was made of each input. */
struct product {
    enum cst_outcome outcome;
    char *object; /* in a temporary file, to be linked; or NULL */
};

static bool is_input(const struct cst_options *options, size_t index,
                     size_t *ret_input)
{
    for (size_t i = 0; i < options->inputs_count; i++) {
        *ret_input = i;
        if (options->inputs[i].index == index)
            return true;
    }
    return false;
}

/* ---- Compiling ------------------------------------------------------ */

static const char *output_name(struct cst_driver *driver,
                               const struct cst_input *input)
{
    const struct cst_options *options = &driver->options;

    if (options->output)
        return options->output;
    return cst_name_with_suffix(&driver->memory, input->name,
                                options->goal == CST_GOAL_ASSEMBLER ? ".s"
                                                                    : ".o");
}

/* Compile preprocessed text; object: where to, when it is to be linked. */
static int compile(struct cst_driver *driver, const struct cst_input *input,
                   const struct cst_text *text, const char *object)
{
    struct cst_memory *memory = &driver->memory;
    struct cst_strings command = cst_compile_command(driver, false);
    struct cst_process_streams streams = {.in = text};
    static const char *const goals[] = {
        [CST_GOAL_LINK] = "-c",       [CST_GOAL_OBJECT] = "-c",
        [CST_GOAL_ASSEMBLER] = "-S",  [CST_GOAL_CHECK] = "-fsyntax-only",
        [CST_GOAL_PREPROCESS] = "-E",
    };

    cst_strings_add(memory, &command, goals[driver->options.goal]);
    if (driver->options.goal != CST_GOAL_CHECK) {
        cst_strings_add(memory, &command, "-o");
        cst_strings_add(memory, &command,
                        object ? object : output_name(driver, input));
    }
    cst_strings_add(memory, &command, "-x");
    cst_strings_add(memory, &command, "cpp-output");
    cst_strings_add(memory, &command, "-");
    return cst_process_run(command.items, &streams);
}

/* An empty file for an object; NULL when there can be none. */
static char *make_object(struct cst_driver *driver)
{
    const char *directory = getenv("TMPDIR");
    char *name =
        cst_memory_format(&driver->memory, "%s/castellcc-XXXXXX.o",
                          directory && *directory ? directory : "/tmp");
    int file = mkstemps(name, 2);

    if (file < 0) {
        (void)fprintf(stderr, "castellcc: cannot make %s: %s\n", name,
                      strerrordesc_np(errno));
        return NULL;
    }
    (void)close(file);
    return name;
}

/* Let the compiler do one input alone, as the user's command has it. */
static int compile_untouched(struct cst_driver *driver, size_t number)
{
    struct cst_options *options = &driver->options;
    struct cst_strings command = {0};
    size_t input;

    for (size_t i = 0; i < options->argv.count; i++)
        if (!is_input(options, i, &input) || input == number)
            cst_strings_add(&driver->memory, &command, options->argv.items[i]);
    cst_strings_add(
        &driver->memory, &command,
        cst_memory_format(&driver->memory, "-I%s", driver->places.include));
    cst_strings_add(&driver->memory, &command, "-Wno-unknown-pragmas");
    return cst_process_run(command.items, NULL);
}

static bool write_all(FILE *stream, const struct cst_text *text)
{
    return fwrite(text->bytes, 1, text->size, stream) == text->size &&
           fflush(stream) == 0;
}

static int write_translation(struct cst_driver *driver,
                             const struct cst_text *text)
{
    const char *name = driver->options.output;
    FILE *stream;
    bool written;

    if (!name)
        return write_all(stdout, text) ? EXIT_SUCCESS : EXIT_FAILURE;
    stream = fopen(name, "w");
    written = stream && write_all(stream, text);
    if (!written)
        (void)fprintf(stderr, "castellcc: cannot write %s: %s\n", name,
                      strerrordesc_np(errno));
    if (stream)
        (void)fclose(stream);
    return written ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Do what there is to do for one input before linking. */
static int process(struct cst_driver *driver, size_t number,
                   struct product *ret_product)
{
    const struct cst_input *input = &driver->options.inputs[number];
    bool links = driver->options.goal == CST_GOAL_LINK;
    bool from_input = strcmp(input->name, "-") == 0;
    struct cst_text text = {0};
    int status = EXIT_SUCCESS;

    ret_product->outcome = cst_translate(driver, input, &text);
    if (ret_product->outcome == CST_OUTCOME_WRONG) {
        status = EXIT_FAILURE;
    } else if (ret_product->outcome == CST_OUTCOME_UNREADABLE) {
        status = compile_untouched(driver, number);
    } else if (driver->options.translate_only) {
        status = write_translation(driver, &text);
    } else if (ret_product->outcome == CST_OUTCOME_TRANSLATED || from_input) {
        /* Standard input has been read: it cannot be left as it is. */
        ret_product->outcome = CST_OUTCOME_TRANSLATED;
        if (links)
            ret_product->object = make_object(driver);
        status = links && !ret_product->object
                     ? EXIT_FAILURE
                     : compile(driver, input, &text, ret_product->object);
    }
    cst_text_release(&text);
    return status;
}

/* A .cu file. */
static int process_cuda(struct cst_driver *driver, size_t number,
                        struct product *ret_product)
{
    const struct cst_input *input = &driver->options.inputs[number];
    bool links = driver->options.goal == CST_GOAL_LINK;

    ret_product->outcome = CST_OUTCOME_TRANSLATED;
    if (driver->options.translate_only)
        return EXIT_SUCCESS;
    if (links)
        ret_product->object = make_object(driver);
    if (links && !ret_product->object)
        return EXIT_FAILURE;
    return cst_cuda_compile(driver, input,
                            links ? ret_product->object
                                  : output_name(driver, input));
}

/* ---- Linking -------------------------------------------------------- */

static struct cst_strings final_command(struct cst_driver *driver,
                                        const struct product *products)
{
    struct cst_memory *memory = &driver->memory;
    struct cst_options *options = &driver->options;
    struct cst_strings command = {0};
    size_t input;

    for (size_t i = 0; i < options->argv.count; i++) {
        const char *word = options->argv.items[i];
        const char *language;

        if (!is_input(options, i, &input) || !products[input].object) {
            cst_strings_add(memory, &command, word);
            continue;
        }
        language = options->inputs[input].language;
        if (language) {
            cst_strings_add(memory, &command, "-x");
            cst_strings_add(memory, &command, "none");
        }
        cst_strings_add(memory, &command, products[input].object);
        if (language) {
            cst_strings_add(memory, &command, "-x");
            cst_strings_add(memory, &command, language);
        }
    }
    return command;
}

static void add_library(struct cst_driver *driver, struct cst_strings *command)
{
    struct cst_memory *memory = &driver->memory;
    const char *library = driver->places.library;

    cst_strings_add(memory, command,
                    cst_memory_format(memory, "-L%s", library));
    cst_strings_add(memory, command, "-lcastell");
    cst_strings_add(memory, command,
                    cst_memory_format(memory, "-Wl,-rpath,%s", library));
    cst_strings_add(memory, command, "-Wl,--wrap=exit");
    cst_strings_add(memory, command, "-rdynamic");
}

/* The user's command with what was made in place of what it was made from. */
static int finish(struct cst_driver *driver, const struct product *products)
{
    struct cst_strings command = final_command(driver, products);
    bool links = driver->options.goal == CST_GOAL_LINK;
    bool cuda = false;

    cst_strings_add(
        &driver->memory, &command,
        cst_memory_format(&driver->memory, "-I%s", driver->places.include));
    cst_strings_add(&driver->memory, &command, "-Wno-unknown-pragmas");
    if (links && !driver->options.partial_link) {
        for (size_t i = 0; i < driver->options.inputs_count && !cuda; i++)
            cuda = driver->options.inputs[i].is_cuda;
        if (cuda)
            cst_cuda_link(driver, &command);
        add_library(driver, &command);
    }
    for (size_t i = 0; i < driver->options.inputs_count; i++)
        if (products[i].object) /* to be removed afterwards */
            return cst_process_run(command.items, NULL);
    return cst_process_become(command.items);
}

static void remove_objects(const struct cst_driver *driver,
                           const struct product *products)
{
    for (size_t i = 0; i < driver->options.inputs_count; i++)
        if (products[i].object)
            (void)unlink(products[i].object);
}

int cst_drive(struct cst_driver *driver)
{
    struct cst_options *options = &driver->options;
    size_t count = options->inputs_count, untouched = 0;
    struct product *products =
        cst_memory_take(&driver->memory, (count + 1) * sizeof(*products));
    bool links = options->goal == CST_GOAL_LINK && !options->translate_only;
    int worst = EXIT_SUCCESS;

    if (count == 0 ||
        (options->goal == CST_GOAL_PREPROCESS && !options->translate_only)) {
        if (count > 0)
            return finish(driver, products);
        return cst_process_become(options->argv.items);
    }
    for (size_t i = 0; i < count; i++) {
        int status = EXIT_SUCCESS;

        if (options->inputs[i].is_c)
            status = process(driver, i, &products[i]);
        else if (options->inputs[i].is_cuda)
            status = process_cuda(driver, i, &products[i]);
        untouched += products[i].outcome == CST_OUTCOME_UNTOUCHED;
        if (status > worst)
            worst = status;
    }
    if (worst == EXIT_SUCCESS && !options->translate_only &&
        (links || untouched == count))
        worst = finish(driver, products);
    else if (worst == EXIT_SUCCESS && !options->translate_only)
        for (size_t i = 0; i < count && worst == EXIT_SUCCESS; i++)
            if (products[i].outcome == CST_OUTCOME_UNTOUCHED)
                worst = compile_untouched(driver, i);
    remove_objects(driver, products);
    return worst;
}
