#include "history/history.h"

#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "history/history_internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_MIN = 64 };

/* ---- Lists ----------------------------------------------------------- */

enum castell_status cst_history_no_memory(void)
{
    return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to read the trace");
}

bool cst_history_reserve(void *list, size_t count, size_t *max, size_t size)
{
    size_t larger = *max > 0 ? 2 * *max : LIST_MIN;
    void *array;

    if (count < *max)
        return true;
    if (larger > CST_HISTORY_NONE)
        return false;
    memcpy(&array, list, sizeof(array));
    array = cst_realloc(array, larger * size);
    if (!array)
        return false;
    memset((char *)array + *max * size, 0, (larger - *max) * size);
    memcpy(list, &array, sizeof(array));
    *max = larger;
    return true;
}

uint32_t cst_history_find(const struct cst_history *history, uint64_t id)
{
    const void *found = cst_map_find(&history->ids, id);

    return found ? (uint32_t)((uintptr_t)found - 1) : CST_HISTORY_NONE;
}

uint32_t cst_history_task_of(struct cst_history *history, uint64_t id)
{
    uint32_t index = cst_history_find(history, id);
    struct cst_history_task *task;

    if (index != CST_HISTORY_NONE)
        return index;
    if (!cst_map_reserve(&history->ids, 1))
        return CST_HISTORY_NONE;
    task = CST_HISTORY_PUSH(history, tasks);
    if (!task)
        return CST_HISTORY_NONE;
    *task = (struct cst_history_task){
        .id = id,
        .submitted_ns = CST_HISTORY_NEVER,
        .kind = CST_HISTORY_NONE,
        .node = CST_HISTORY_NONE,
        .parent = CST_HISTORY_NONE,
        .attempts = CST_HISTORY_NONE,
        .last_attempt = CST_HISTORY_NONE,
        .flags = id >> 63 ? CST_HISTORY_INTERNAL : 0,
    };
    index = (uint32_t)(task - history->tasks);
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): a number, not a place */
    cst_map_add(&history->ids, id, (void *)((uintptr_t)index + 1));
    return index;
}

uint32_t cst_history_node_of(struct cst_history *history, uint32_t number)
{
    struct cst_history_node *node;

    for (size_t i = 0; i < history->nodes_count; i++)
        if (history->nodes[i].number == number)
            return (uint32_t)i;
    node = CST_HISTORY_PUSH(history, nodes);
    if (!node)
        return CST_HISTORY_NONE;
    *node = (struct cst_history_node){.number = number,
                                      .gone_ns = CST_HISTORY_NEVER};
    node->host = cst_strdup("?");
    if (!node->host) {
        history->nodes_count--;
        return CST_HISTORY_NONE;
    }
    return (uint32_t)(node - history->nodes);
}

/* ---- The files of a run ---------------------------------------------- */

static void file_release(struct cst_history_file *file)
{
    if (file->open) {
        cst_history_content_release(&file->content);
        cst_history_reader_close(&file->reader);
    }
    cst_free(file->kinds);
    cst_free(file->tracks);
}

static bool is_events_file(const char *name)
{
    size_t size = strlen(name);

    return strncmp(name, "events-", strlen("events-")) == 0 && size > 4 &&
           strcmp(name + size - 4, ".bin") == 0;
}

/* Take a file in; one that cannot be understood is counted as another's. */
static enum castell_status add_file(struct cst_history_loader *loader,
                                    const char *directory, const char *name)
{
    char *path = cst_format("%s/%s", directory, name);
    struct cst_history_file *file = CST_HISTORY_PUSH(loader, files);
    enum castell_status status;

    if (!path || !file) {
        if (file)
            loader->files_count--;
        cst_free(path);
        return cst_history_no_memory();
    }
    memset(file, 0, sizeof(*file));
    status = cst_history_reader_open(path, &file->reader);
    cst_free(path);
    if (status < 0) {
        loader->files_count--;
        loader->history->others += status == CASTELL_ERR_INVALID;
        return status == CASTELL_ERR_INVALID ? CASTELL_OK : status;
    }
    file->open = true;
    return cst_history_content_read(&file->reader, &file->content);
}

static enum castell_status add_files(struct cst_history_loader *loader,
                                     const char *directory)
{
    DIR *names = opendir(directory);
    enum castell_status status = CASTELL_OK;
    const struct dirent *name;

    if (!names)
        return cst_fail(CASTELL_ERR_SYSTEM, "cannot read the directory %s: %s",
                        directory, cst_reason(errno));
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): our own stream */
    while (status == CASTELL_OK && (name = readdir(names)))
        if (is_events_file(name->d_name))
            status = add_file(loader, directory, name->d_name);
    (void)closedir(names);
    if (status == CASTELL_OK && loader->files_count == 0)
        return cst_fail(CASTELL_ERR_INVALID,
                        "%s has no traces: there are some after "
                        "castell run --trace=%s, or with CASTELL_TRACE=%s",
                        directory, directory, directory);
    return status;
}

static int compare_files(const void *a_, const void *b_)
{
    const struct cst_history_file *a = a_, *b = b_;

    if (a->content.node.number != b->content.node.number)
        return a->content.node.number < b->content.node.number ? -1 : 1;
    return a->content.process < b->content.process
               ? -1
               : a->content.process > b->content.process;
}

static bool same_run(const struct cst_history_file *a,
                     const struct cst_history_file *b)
{
    return a->content.run.size == b->content.run.size &&
           (a->content.run.size == 0 ||
            memcmp(a->content.run.bytes, b->content.run.bytes,
                   a->content.run.size) == 0);
}

/* A process that ended before it was of a run tells less than any other. */
static bool is_later(const struct cst_history_content *a,
                     const struct cst_history_content *b)
{
    if (a->has_node != b->has_node)
        return a->has_node;
    return a->first.wall >= b->first.wall;
}

/* Of several runs the latest; two files of one node are two runs as well. */
static void keep_latest(struct cst_history_loader *loader)
{
    struct cst_history_file latest = {0};
    size_t kept = 0;

    for (size_t i = 0; i < loader->files_count; i++)
        if (is_later(&loader->files[i].content, &latest.content))
            latest = loader->files[i];
    for (size_t i = 0; i < loader->files_count; i++) {
        struct cst_history_file file = loader->files[i];
        bool is_it = file.content.first.wall == latest.content.first.wall;

        if (same_run(&file, &latest) &&
            (file.content.run.size > 0 || (is_it && kept == 0))) {
            loader->files[kept++] = file;
            continue;
        }
        file_release(&file);
        loader->history->others++;
    }
    loader->files_count = kept;
    qsort(loader->files, kept, sizeof(*loader->files), compare_files);
}

static char *text_of(const char *bytes, size_t size)
{
    char *text = cst_alloc(size + 1);

    if (!text)
        return NULL;
    if (size > 0)
        memcpy(text, bytes, size);
    text[size] = '\0';
    return text;
}

/* ---- What they name --------------------------------------------------- */

uint32_t cst_history_kind_of(struct cst_history *history, const char *bytes,
                             size_t size)
{
    char *text;
    char **kind;

    for (size_t i = 0; i < history->kinds_count; i++)
        if (strlen(history->kinds[i]) == size &&
            memcmp(history->kinds[i], bytes, size) == 0)
            return (uint32_t)i;
    text = text_of(bytes, size);
    kind = text ? CST_HISTORY_PUSH(history, kinds) : NULL;
    if (!kind) {
        cst_free(text);
        return CST_HISTORY_NONE;
    }
    *kind = text;
    return (uint32_t)(history->kinds_count - 1);
}

static bool name_kinds(struct cst_history *history,
                       struct cst_history_file *file)
{
    const struct cst_history_content *content = &file->content;

    file->kinds = cst_alloc((content->kinds_count + 1) * sizeof(uint32_t));
    if (!file->kinds)
        return false;
    for (size_t i = 0; i < content->kinds_count; i++) {
        const struct cst_history_name *name = &content->kinds[i];

        file->kinds[i] =
            name->bytes ? cst_history_kind_of(history, name->bytes, name->size)
                        : CST_HISTORY_NONE;
        if (name->bytes && file->kinds[i] == CST_HISTORY_NONE)
            return false;
    }
    return true;
}

static bool name_tracks(struct cst_history *history,
                        struct cst_history_file *file)
{
    const struct cst_history_content *content = &file->content;

    file->tracks = cst_alloc((content->tracks_count + 1) * sizeof(uint32_t));
    if (!file->tracks)
        return false;
    for (size_t i = 0; i < content->tracks_count; i++) {
        struct cst_history_track *track;
        uint16_t executor = content->tracks[i].executor;

        file->tracks[i] = CST_HISTORY_NONE;
        if (!content->tracks[i].known)
            continue;
        track = CST_HISTORY_PUSH(history, tracks);
        if (!track)
            return false;
        *track = (struct cst_history_track){
            .node = file->node,
            .number = (uint32_t)i,
            .executor =
                executor == CST_TRACE_NO_EXECUTOR ? CST_HISTORY_NONE : executor,
            .device = CST_HISTORY_NONE,
        };
        if (executor != CST_TRACE_NO_EXECUTOR && content->has_node &&
            executor >= content->node.cores &&
            (track->device = cst_history_device_of(
                 history, file->node, executor - content->node.cores)) ==
                CST_HISTORY_NONE)
            return false;
        file->tracks[i] = (uint32_t)history->tracks_count - 1;
    }
    return true;
}

static bool name_node(struct cst_history *history,
                      struct cst_history_file *file)
{
    const struct cst_history_content *content = &file->content;
    struct cst_history_node *node;
    char *host = text_of(content->host.bytes, content->host.size);

    file->node = cst_history_node_of(history, content->node.number);
    if (!host || file->node == CST_HISTORY_NONE) {
        cst_free(host);
        return false;
    }
    node = &history->nodes[file->node];
    cst_free(node->host);
    node->host = host;
    node->cores =
        content->node.cores <= CST_HISTORY_CORES_MAX ? content->node.cores : 0;
    node->memory = content->node.memory;
    node->storage = content->node.storage;
    node->process = content->process;
    node->has_trace = true;
    node->whole = content->whole;
    node->lost += content->lost;
    if (content->has_counters) {
        node->has_counters = true;
        node->counters = content->counters;
    }
    if (content->has_depot) {
        node->has_depot = true;
        node->depot = content->depot;
    }
    return true;
}

static bool name_all(struct cst_history_loader *loader)
{
    struct cst_history *history = loader->history;
    const struct cst_history_name *run = &loader->files[0].content.run;

    history->run = text_of(run->bytes, run->size);
    if (!history->run)
        return false;
    for (size_t i = 0; i < loader->files_count; i++)
        if (!name_node(history, &loader->files[i]) ||
            !name_kinds(history, &loader->files[i]) ||
            !name_tracks(history, &loader->files[i]))
            return false;
    return true;
}

/* ---- Life ------------------------------------------------------------- */

static enum castell_status load(struct cst_history_loader *loader,
                                const char *directory)
{
    enum castell_status status = add_files(loader, directory);

    if (status < 0)
        return status;
    keep_latest(loader);
    if (!name_all(loader))
        return cst_history_no_memory();
    cst_history_align(loader);
    for (size_t i = 0; i < loader->files_count && status == CASTELL_OK; i++)
        status = cst_history_read_events(loader, &loader->files[i]);
    if (status == CASTELL_OK)
        status = cst_history_order(loader);
    if (status == CASTELL_OK)
        status = cst_history_depend(loader->history);
    return status;
}

enum castell_status cst_history_open(const char *directory,
                                     struct cst_history **ret_history)
{
    struct cst_history_loader loader = {.history = NULL};
    enum castell_status status;

    loader.history = cst_zalloc(sizeof(*loader.history));
    if (!loader.history)
        return cst_history_no_memory();
    status = load(&loader, directory);
    for (size_t i = 0; i < loader.files_count; i++)
        file_release(&loader.files[i]);
    cst_free(loader.files);
    cst_free(loader.ready);
    cst_free(loader.dones);
    if (status < 0)
        cst_history_close(loader.history);
    else
        *ret_history = loader.history;
    return status;
}

void cst_history_close(struct cst_history *history)
{
    if (!history)
        return;
    for (size_t i = 0; i < history->nodes_count; i++) {
        cst_free(history->nodes[i].host);
        cst_free(history->nodes[i].why);
    }
    for (size_t i = 0; i < history->kinds_count; i++)
        cst_free(history->kinds[i]);
    for (size_t i = 0; i < history->texts_count; i++)
        cst_free(history->texts[i].text);
    for (size_t i = 0; i < history->devices_count; i++)
        cst_free(history->devices[i].name);
    for (size_t i = 0; i < history->classes_count; i++)
        cst_free(history->classes[i]);
    for (size_t i = 0; i < history->notices_count; i++)
        cst_free(history->notices[i].text);
    cst_map_release(&history->ids);
    cst_free(history->devices);
    cst_free(history->copies);
    cst_free(history->kernels);
    cst_free(history->classes);
    cst_free(history->requests);
    cst_free(history->notices);
    cst_free(history->run);
    cst_free(history->nodes);
    cst_free(history->tracks);
    cst_free(history->kinds);
    cst_free(history->tasks);
    cst_free(history->attempts);
    cst_free(history->assignments);
    cst_free(history->spans);
    cst_free(history->accesses);
    cst_free(history->edges);
    cst_free(history->transfers);
    cst_free(history->texts);
    cst_free(history->memory);
    cst_free(history);
}
