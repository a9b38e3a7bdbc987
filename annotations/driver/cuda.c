/* .cu files, which nvcc compiles. */
#include "common/process.h"
#include "driver/driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool begins(const char *word, const char *with)
{
    return strncmp(word, with, strlen(with)) == 0;
}

/* Where nvcc is; NULL: nowhere. */
static const char *find_nvcc(struct cst_memory *memory)
{
    static const char usual[] = "/usr/local/cuda/bin/nvcc";
    const char *at = getenv("PATH");

    while (at && *at) {
        size_t size = strcspn(at, ":");
        const char *name =
            cst_memory_format(memory, "%.*s/nvcc", (int)size, at);

        if (size > 0 && access(name, X_OK) == 0)
            return name;
        at += size + (at[size] == ':');
    }
    return access(usual, X_OK) == 0 ? usual : NULL;
}

/* nvcc and its own options: of CASTELL_NVCC, in which blanks separate. */
static bool start_command(struct cst_driver *driver,
                          struct cst_strings *command)
{
    struct cst_memory *memory = &driver->memory;
    const char *given = getenv("CASTELL_NVCC");
    const char *found;

    while (given && *given) {
        size_t size;

        given += strspn(given, " \t");
        size = strcspn(given, " \t");
        if (size > 0)
            cst_strings_add(memory, command,
                            cst_memory_copy(memory, given, size));
        given += size;
    }
    if (command->count > 0)
        return true;
    found = find_nvcc(memory);
    if (found)
        cst_strings_add(memory, command, found);
    return found != NULL;
}

/*
 * An option for compiling C, as nvcc is to have it: what it knows itself as it
 * is, what changes the code for the processor handed on, and nothing of the
 * language, which is C++ there, or of warnings.
 */
static void add_option(struct cst_driver *driver, const char *word,
                       struct cst_strings *command)
{
    struct cst_memory *memory = &driver->memory;

    if (begins(word, "-O") || begins(word, "-g") || begins(word, "-std=c++"))
        cst_strings_add(memory, command, word);
    else if (begins(word, "-f") || begins(word, "-m") ||
             strcmp(word, "-pthread") == 0)
        cst_strings_add(memory, command,
                        cst_memory_format(memory, "-Xcompiler=%s", word));
}

int cst_cuda_compile(struct cst_driver *driver, const struct cst_input *input,
                     const char *object)
{
    struct cst_memory *memory = &driver->memory;
    struct cst_options *options = &driver->options;
    struct cst_strings command = {0};

    if (options->goal > CST_GOAL_OBJECT) {
        (void)fprintf(stderr,
                      "castellcc: %s: of a .cu file there are only objects, "
                      "with -c, and programs\n",
                      input->name);
        return EXIT_FAILURE;
    }
    if (!start_command(driver, &command)) {
        (void)fprintf(stderr,
                      "castellcc: %s needs nvcc, which is neither in PATH nor "
                      "in /usr/local/cuda/bin nor named by CASTELL_NVCC\n",
                      input->name);
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < options->shared.count; i++)
        add_option(driver, options->shared.items[i], &command);
    cst_strings_append(memory, &command, &options->preprocess);
    cst_strings_add(memory, &command,
                    cst_memory_format(memory, "-I%s", driver->places.include));
    cst_strings_add(memory, &command, "-c");
    cst_strings_add(memory, &command, "-o");
    cst_strings_add(memory, &command, object);
    cst_strings_add(memory, &command, input->name);
    return cst_process_run(command.items, NULL);
}

/* The static runtime, so that the program runs where CUDA is not. */
void cst_cuda_link(struct cst_driver *driver, struct cst_strings *command)
{
    struct cst_memory *memory = &driver->memory;
    struct cst_strings nvcc = {0};
    char *real = NULL;
    char *slash;

    if (start_command(driver, &nvcc) && strchr(nvcc.items[0], '/'))
        real = realpath(nvcc.items[0], NULL);
    else if (find_nvcc(memory))
        real = realpath(find_nvcc(memory), NULL);
    for (int i = 0; real && i < 2; i++) {
        slash = strrchr(real, '/');
        if (slash)
            *slash = '\0';
    }
    if (real)
        cst_strings_add(memory, command,
                        cst_memory_format(memory, "-L%s/lib64", real));
    free(real);
    cst_strings_add(memory, command, "-lcudart_static");
    cst_strings_add(memory, command, "-lstdc++");
    cst_strings_add(memory, command, "-ldl");
    cst_strings_add(memory, command, "-lrt");
}
