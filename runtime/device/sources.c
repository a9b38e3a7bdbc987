#include "device/sources.h"

#include "base/fail.h"
#include "base/memory.h"

#include <string.h>

struct kernel {
    struct kernel *next;
    void *kernel;
    char name[];
};

struct cst_sources_program {
    struct cst_sources_program *next;
    const char *address; /* of the source when it was built */
    char *source;
    void *program;
    struct kernel *kernels;
};

void cst_sources_drop(struct cst_sources *sources,
                      const struct cst_sources_ops *ops, void *device)
{
    while (sources->first) {
        struct cst_sources_program *program = sources->first;

        sources->first = program->next;
        while (program->kernels) {
            struct kernel *kernel = program->kernels;

            program->kernels = kernel->next;
            ops->release(device, kernel->kernel);
            cst_free(kernel);
        }
        ops->unload(device, program->program);
        cst_free(program->source);
        cst_free(program);
    }
}

static struct cst_sources_program *find_program(struct cst_sources *sources,
                                                const char *source)
{
    struct cst_sources_program *program = sources->first;

    /* A string constant stays what and where it was. */
    while (program &&
           (program->address != source || strcmp(program->source, source) != 0))
        program = program->next;
    if (program)
        return program;
    program = sources->first;
    while (program && strcmp(program->source, source) != 0)
        program = program->next;
    return program;
}

static struct cst_sources_program *
make_program(struct cst_sources *sources, const struct cst_sources_ops *ops,
             void *device, const char *source)
{
    struct cst_sources_program *made = cst_zalloc(sizeof(*made));

    if (made)
        made->source = cst_strdup(source);
    if (!made || !made->source) {
        cst_free(made);
        cst_fail_text("no memory for a program");
        return NULL;
    }
    made->address = source;
    made->program = ops->build(device, source);
    if (!made->program) {
        cst_free(made->source);
        cst_free(made);
        return NULL;
    }
    made->next = sources->first;
    sources->first = made;
    return made;
}

void *cst_sources_kernel(struct cst_sources *sources,
                         const struct cst_sources_ops *ops, void *device,
                         const char *source, const char *name)
{
    struct cst_sources_program *program = find_program(sources, source);
    size_t size = strlen(name) + 1;
    struct kernel *kernel;

    if (!program)
        program = make_program(sources, ops, device, source);
    if (!program)
        return NULL;
    for (kernel = program->kernels; kernel; kernel = kernel->next)
        if (strcmp(kernel->name, name) == 0)
            return kernel->kernel;
    kernel = cst_alloc(sizeof(*kernel) + size);
    if (!kernel) {
        cst_fail_text("no memory for a kernel");
        return NULL;
    }
    kernel->kernel = ops->find(device, program->program, name);
    if (!kernel->kernel) {
        cst_free(kernel);
        return NULL;
    }
    memcpy(kernel->name, name, size);
    kernel->next = program->kernels;
    program->kernels = kernel;
    return kernel->kernel;
}
