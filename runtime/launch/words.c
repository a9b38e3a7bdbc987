/*
 * Lists of words, the environment, and what is said to the user.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "base/parse.h"
#include "launch/launch_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void cst_say(const char *format, ...)
{
    char text[2048];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    /* One write, so that the lines of several processes stay whole. */
    (void)fprintf(stderr, "castell: %s\n", text);
}

int cst_say_usage(const char *command)
{
    (void)fprintf(stderr, "castell %s: %s\n", command, castell_error_text());
    return CST_EXIT_USAGE;
}

static _Noreturn void no_memory(void)
{
    cst_say("there is no memory");
    _exit(EXIT_FAILURE);
}

static char *get_memory(size_t size)
{
    char *memory = cst_alloc(size);

    if (!memory)
        no_memory();
    return memory;
}

/* Takes the word, which may be NULL for want of memory. */
static void word_append(struct cst_words *words, char *word)
{
    if (words->count + 1 >= words->size) {
        size_t size = words->size > 0 ? 2 * words->size : 16;
        char **list =
            words->list ? cst_realloc(words->list, size * sizeof(*words->list))
                        : cst_alloc(size * sizeof(*words->list));

        if (!list)
            no_memory();
        words->list = list;
        words->size = size;
    }
    if (!word)
        no_memory();
    words->list[words->count++] = word;
    words->list[words->count] = NULL;
}

void cst_words_add(struct cst_words *words, const char *format, ...)
{
    va_list arguments;
    va_list again;
    char *word;
    int length;

    va_start(arguments, format);
    va_copy(again, arguments);
    length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    CST_ASSERT(length >= 0);
    word = cst_alloc((size_t)length + 1);
    if (word)
        (void)vsnprintf(word, (size_t)length + 1, format, again);
    va_end(again);
    word_append(words, word);
}

void cst_words_add_all(struct cst_words *words, char *const *list)
{
    for (; *list; list++)
        word_append(words, cst_strdup(*list));
}

void cst_words_release(struct cst_words *words)
{
    for (size_t i = 0; i < words->count; i++)
        cst_free(words->list[i]);
    cst_free(words->list);
    *words = (struct cst_words){0};
}

void cst_words_split(struct cst_words *words, const char *text,
                     const char *separators)
{
    while (*text) {
        size_t length = strcspn(text, separators);

        if (length > 0)
            cst_words_add(words, "%.*s", (int)length, text);
        text += length;
        text += strspn(text, separators);
    }
}

void cst_words_add_quoted(struct cst_words *words, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789%+,-./:=@_";
    char *word;
    char *end;

    if (*text && !text[strspn(text, plain)]) {
        word_append(words, cst_strdup(text));
        return;
    }
    /* Each byte can become four: '\'' */
    word = get_memory(4 * strlen(text) + 3);
    end = word;
    *end++ = '\'';
    for (; *text; text++) {
        if (*text == '\'')
            end = stpcpy(end, "'\\''");
        else
            *end++ = *text;
    }
    *end++ = '\'';
    *end = '\0';
    word_append(words, word);
}

void cst_words_add_joined(struct cst_words *words, const struct cst_words *from,
                          char between)
{
    size_t size = 1;
    char *word;
    char *end;

    for (size_t i = 0; i < from->count; i++)
        size += strlen(from->list[i]) + 1;
    word = get_memory(size);
    end = word;
    for (size_t i = 0; i < from->count; i++) {
        if (i > 0)
            *end++ = between;
        end = stpcpy(end, from->list[i]);
    }
    *end = '\0';
    word_append(words, word);
}

void cst_environment_set(const char *name, const char *value)
{
    /* NOLINTBEGIN(concurrency-mt-unsafe): there is one thread */
    if (value && setenv(name, value, 1) != 0)
        no_memory();
    if (!value)
        (void)unsetenv(name);
    /* NOLINTEND(concurrency-mt-unsafe) */
}

void cst_environment_forget_job(void)
{
    struct cst_words names = {0};

    if (!cst_parse_environment("SLURM_JOB_ID"))
        return;
    for (char **variable = environ; *variable; variable++)
        if (strncmp(*variable, "SLURM_", 6) == 0 &&
            strncmp(*variable, "SLURM_CONF=", 11) != 0)
            cst_words_add(&names, "%.*s", (int)strcspn(*variable, "="),
                          *variable);
    for (size_t i = 0; i < names.count; i++)
        cst_environment_set(names.list[i], NULL);
    cst_words_release(&names);
}

void cst_environment_default(const char *name, const char *value)
{
    if (!getenv(name)) /* NOLINT(concurrency-mt-unsafe) */
        cst_environment_set(name, value);
}

bool cst_environment_goes_along(const char *variable)
{
    static const char *const prefixes[] = {
        "CASTELL_", "OMP_", "OPENBLAS_", "MKL_", "GOMP_",
        "KMP_",     "UCX_", "PATH=",     NULL,
    };

    for (size_t i = 0; prefixes[i]; i++)
        if (strncmp(variable, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return strncmp(variable, "LD_LIBRARY_PATH=", 16) == 0 ||
           strncmp(variable, "OMPI_MCA_", 9) == 0;
}

static bool is_program(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
           access(path, X_OK) == 0;
}

bool cst_find_program(const char *name, char *ret_path)
{
    struct cst_words places = {0};
    const char *path = getenv("PATH"); /* NOLINT(concurrency-mt-unsafe) */
    bool found = false;
    char candidate[CST_PATH_SIZE];

    if (strchr(name, '/')) {
        if (!is_program(name))
            return false;
        (void)snprintf(ret_path, CST_PATH_SIZE, "%s", name);
        return true;
    }
    cst_words_split(&places, path ? path : "/usr/local/bin:/usr/bin:/bin", ":");
    for (size_t i = 0; i < places.count && !found; i++) {
        int length = snprintf(candidate, sizeof(candidate), "%s/%s",
                              places.list[i], name);

        found = length < CST_PATH_SIZE && is_program(candidate);
    }
    cst_words_release(&places);
    if (found)
        memcpy(ret_path, candidate, sizeof(candidate));
    return found;
}

int cst_check_program(const char *name, char *ret_path)
{
    if (cst_find_program(name, ret_path))
        return 0;
    if (strchr(name, '/') && access(name, F_OK) == 0) {
        cst_say("%s is not an executable program", name);
        return CST_EXIT_CANNOT_RUN;
    }
    if (!strchr(name, '/') && access(name, X_OK) == 0)
        cst_say("there is no program %s in PATH; did you mean ./%s?", name,
                name);
    else
        cst_say("there is no program %s", name);
    return CST_EXIT_NOT_FOUND;
}

void cst_find_self(char *ret_path)
{
    ssize_t length = readlink("/proc/self/exe", ret_path, CST_PATH_SIZE - 1);

    ret_path[length > 0 ? length : 0] = '\0';
}
