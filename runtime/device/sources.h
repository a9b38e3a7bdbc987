/*
 * sources.h - what was built of sources: programs, each once, and their kernels.
 *
 * Layer: device. Not thread-safe: the device's lock guards its list.
 */
#ifndef CST_DEVICE_SOURCES_H
#define CST_DEVICE_SOURCES_H

/* How a driver does it, for its device; NULL: it failed, and said why. */
struct cst_sources_ops {
    void *(*build)(void *device, const char *source);
    void (*unload)(void *device, void *program);
    void *(*find)(void *device, void *program, const char *name);
    void (*release)(void *device, void *kernel);
};

struct cst_sources_program;

/* All of one device; zeroed: there are none. */
struct cst_sources {
    struct cst_sources_program *first;
};

/* The kernel of that name, of a source that is compared by its content. NULL,
   with a sentence in castell_error_text(). */
void *cst_sources_kernel(struct cst_sources *sources,
                         const struct cst_sources_ops *ops, void *device,
                         const char *source, const char *name);

void cst_sources_drop(struct cst_sources *sources,
                      const struct cst_sources_ops *ops, void *device);

#endif
