/*
 * A libnvrtc.so without CUDA: a source is compiled by the host's C++ compiler, with
 * fake_kernels.hpp before it, and its kernels run on the host. The "code" is the name of
 * the shared object, in the directory FAKE_NVRTC.
 */
#include "device/fake_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 512, LOG_SIZE = 4096, COMPILATION = 6, INVALID_OPTION = 5 };

struct _nvrtcProgram { /* NOLINT: their name */
    char *source;
    char code[PATH_SIZE];
    char log[LOG_SIZE];
    bool machine; /* it was told for which GPU */
};

PUBLIC int nvrtcVersion(int *major, int *minor);
PUBLIC int nvrtcCreateProgram(struct _nvrtcProgram **program,
                              const char *source, const char *name, int headers,
                              const char *const *texts,
                              const char *const *names);
PUBLIC int nvrtcDestroyProgram(struct _nvrtcProgram **program);
PUBLIC int nvrtcCompileProgram(struct _nvrtcProgram *program, int options_count,
                               const char *const *options);
PUBLIC int nvrtcGetCUBINSize(struct _nvrtcProgram *program, size_t *size);
PUBLIC int nvrtcGetCUBIN(struct _nvrtcProgram *program, char *code);
PUBLIC int nvrtcGetPTXSize(struct _nvrtcProgram *program, size_t *size);
PUBLIC int nvrtcGetPTX(struct _nvrtcProgram *program, char *code);
PUBLIC int nvrtcGetProgramLogSize(struct _nvrtcProgram *program, size_t *size);
PUBLIC int nvrtcGetProgramLog(struct _nvrtcProgram *program, char *log);

static int compiled;

PUBLIC int fake_nvrtc_compiled(void)
{
    int count;

    (void)pthread_mutex_lock(&fake_lock);
    count = compiled;
    (void)fake_end(0);
    return count;
}

int nvrtcVersion(int *major, int *minor)
{
    *major = 13;
    *minor = 7;
    return 0;
}

int nvrtcCreateProgram(struct _nvrtcProgram **program, const char *source,
                       const char *name, int headers, const char *const *texts,
                       const char *const *names)
{
    (void)name;
    (void)texts;
    (void)names;
    *program = calloc(1, sizeof(**program));
    if (!*program || headers != 0)
        return 1;
    (*program)->source = strdup(source);
    return 0;
}

int nvrtcDestroyProgram(struct _nvrtcProgram **program)
{
    free((*program)->source);
    free(*program);
    *program = NULL;
    return 0;
}

static bool write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    if (!file)
        return false;
    (void)fputs(text, file);
    return fclose(file) == 0;
}

static void read_log(const char *path, char log[LOG_SIZE])
{
    FILE *file = fopen(path, "r");
    size_t got = file ? fread(log, 1, LOG_SIZE - 1, file) : 0;

    log[got] = '\0';
    if (file)
        (void)fclose(file);
}

int nvrtcCompileProgram(struct _nvrtcProgram *program, int options_count,
                        const char *const *options)
{
    const char *directory = getenv("FAKE_NVRTC");
    const char *sources = getenv("srcdir");
    char base[PATH_SIZE / 2];
    char command[4 * PATH_SIZE];
    char path[PATH_SIZE];

    /* It can be told to be older than the GPU. */
    if (options_count > 0 && getenv("FAKE_NVRTC_OLD"))
        return INVALID_OPTION;
    if (options_count > 0 &&
        strncmp(options[0], "--gpu-architecture=sm_", 22) != 0)
        return INVALID_OPTION;
    program->machine = options_count > 0;
    (void)pthread_mutex_lock(&fake_lock);
    (void)snprintf(base, sizeof(base), "%s/kernels-%ld-%d",
                   directory ? directory : "/nonexistent", (long)getpid(),
                   compiled++);
    (void)fake_end(0);
    (void)snprintf(path, sizeof(path), "%s.cu", base);
    if (!write_text(path, program->source))
        return COMPILATION;
    (void)snprintf(command, sizeof(command),
                   "env -u LD_PRELOAD -u LD_LIBRARY_PATH sh "
                   "%s/tests/device/fake_nvrtc.sh %s >%s.log 2>&1",
                   sources ? sources : ".", base, base);
    /* NOLINTNEXTLINE(cert-env33-c): the command is the test's own */
    if (system(command) == 0) {
        (void)snprintf(program->code, sizeof(program->code), "%s.so", base);
        return 0;
    }
    (void)snprintf(path, sizeof(path), "%s.log", base);
    read_log(path, program->log);
    return COMPILATION;
}

static int size_of(const struct _nvrtcProgram *program, bool machine,
                   size_t *size)
{
    *size = program->machine == machine ? strlen(program->code) + 1 : 0;
    return 0;
}

int nvrtcGetCUBINSize(struct _nvrtcProgram *program, size_t *size)
{
    return size_of(program, true, size);
}

int nvrtcGetPTXSize(struct _nvrtcProgram *program, size_t *size)
{
    return size_of(program, false, size);
}

int nvrtcGetCUBIN(struct _nvrtcProgram *program, char *code)
{
    memcpy(code, program->code, strlen(program->code) + 1);
    return 0;
}

int nvrtcGetPTX(struct _nvrtcProgram *program, char *code)
{
    return nvrtcGetCUBIN(program, code);
}

int nvrtcGetProgramLogSize(struct _nvrtcProgram *program, size_t *size)
{
    *size = strlen(program->log) + 1;
    return 0;
}

int nvrtcGetProgramLog(struct _nvrtcProgram *program, char *log)
{
    memcpy(log, program->log, strlen(program->log) + 1);
    return 0;
}
