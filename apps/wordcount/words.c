#include "wordcount/words.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int complain(const char *what, const char *path)
{
    int error = errno;

    if (error == 0)
        error = EIO;
    fprintf(stderr, "wordcount: cannot %s %s: %s\n", what, path,
            strerror(error));
    return error;
}

/* ---- A text ------------------------------------------------------------- */

int words_read(const char *path, char **ret_text, size_t *ret_size)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t size = 0;
    size_t room = 0;
    int error = 0;

    if (!file)
        return complain("read", path);
    do {
        if (size == room) {
            char *larger = realloc(text, room = room ? 2 * room : 65536);

            if (!larger)
                break;
            text = larger;
        }
        errno = 0;
        size += fread(text + size, 1, room - size, file);
    } while (size == room);
    if (!feof(file))
        error = complain("read", path);
    fclose(file);
    if (error) {
        free(text);
        return error;
    }
    *ret_text = text;
    *ret_size = size;
    return 0;
}

static bool is_letter(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c > 127;
}

size_t words_next(char *text, size_t size, size_t *at)
{
    size_t first = *at;

    while (first < size && !is_letter((unsigned char)text[first]))
        first++;
    *at = first;
    while (*at < size && is_letter((unsigned char)text[*at])) {
        if (text[*at] >= 'A' && text[*at] <= 'Z')
            text[*at] = (char)(text[*at] - 'A' + 'a');
        ++*at;
    }
    return *at - first;
}

/* ---- A table in memory -------------------------------------------------- */

/* A word is a part of the text. */
struct word {
    const char *letters;
    size_t size;
    unsigned long count; /* 0: this place is free */
};

/* Open addressing; at most half of the places are taken. */
struct table {
    struct word *places;
    size_t places_count; /* a power of 2 */
    size_t taken;
};

static int compare_letters(const char *a, size_t a_size, const char *b,
                           size_t b_size)
{
    int order = memcmp(a, b, a_size < b_size ? a_size : b_size);

    return order ? order : (a_size > b_size) - (a_size < b_size);
}

static int compare_words(const void *a, const void *b)
{
    const struct word *x = a;
    const struct word *y = b;

    return compare_letters(x->letters, x->size, y->letters, y->size);
}

/* The place of the word, or the free one where it belongs. */
static struct word *find_place(const struct table *table, const char *letters,
                               size_t size)
{
    uint64_t hash = 14695981039346656037u;
    size_t at;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)letters[i]) * 1099511628211u;
    at = (size_t)(hash ^ hash >> 32);
    for (;; at++) {
        struct word *place = &table->places[at & (table->places_count - 1)];

        if (place->count == 0 ||
            (place->size == size && memcmp(place->letters, letters, size) == 0))
            return place;
    }
}

static bool grow(struct table *table)
{
    struct table larger = {.taken = table->taken};

    larger.places_count = table->places_count ? 2 * table->places_count : 1024;
    larger.places = calloc(larger.places_count, sizeof(*larger.places));
    if (!larger.places)
        return false;
    for (size_t i = 0; i < table->places_count; i++) {
        struct word *word = &table->places[i];

        if (word->count > 0)
            *find_place(&larger, word->letters, word->size) = *word;
    }
    free(table->places);
    *table = larger;
    return true;
}

static bool count_all(struct table *table, char *text, size_t size)
{
    size_t at = 0;
    size_t length;

    while ((length = words_next(text, size, &at)) > 0) {
        struct word *place;

        if (2 * table->taken >= table->places_count && !grow(table))
            return false;
        place = find_place(table, text + at - length, length);
        table->taken += place->count == 0;
        place->letters = text + at - length;
        place->size = length;
        place->count++;
    }
    return true;
}

/* Sorts the words to the front: the table can only be freed afterwards. */
static bool write_table(struct table *table, FILE *file)
{
    size_t words = 0;

    for (size_t i = 0; i < table->places_count; i++) {
        if (table->places[i].count > 0)
            table->places[words++] = table->places[i];
    }
    if (words > 0)
        qsort(table->places, words, sizeof(*table->places), compare_words);
    for (size_t i = 0; i < words; i++) {
        const struct word *word = &table->places[i];

        if (fprintf(file, "%lu ", word->count) < 0 ||
            fwrite(word->letters, 1, word->size, file) < word->size ||
            fputc('\n', file) == EOF)
            return false;
    }
    return true;
}

int words_count(const char *text_path, const char *table_path)
{
    struct table table = {0};
    char *text;
    size_t size;
    FILE *file;
    int error = words_read(text_path, &text, &size);
    bool counted;

    if (error)
        return error;
    errno = 0;
    counted = count_all(&table, text, size);
    file = counted ? fopen(table_path, "wb") : NULL;
    if (!file) {
        error = complain("write", table_path);
    } else {
        bool written = write_table(&table, file);

        if (fclose(file) || !written)
            error = complain("write", table_path);
    }
    free(table.places);
    free(text);
    return error;
}

/* ---- Two tables --------------------------------------------------------- */

/* A table that is read line by line. */
struct lines {
    FILE *file;
    char *line;
    size_t room;
    unsigned long count;
    const char *letters; /* NULL: it has ended */
    size_t size;
};

static void next_line(struct lines *lines)
{
    ssize_t size = getline(&lines->line, &lines->room, lines->file);
    char *end;

    lines->letters = NULL;
    if (size <= 0)
        return;
    lines->count = strtoul(lines->line, &end, 10);
    lines->letters = end + 1;
    lines->size = (size_t)(lines->line + size - 1 - lines->letters);
}

static bool open_lines(const char *path, struct lines *ret_lines)
{
    *ret_lines = (struct lines){.file = fopen(path, "rb")};
    if (!ret_lines->file)
        return false;
    next_line(ret_lines);
    return true;
}

static bool close_lines(struct lines *lines)
{
    bool read = !ferror(lines->file);

    free(lines->line);
    fclose(lines->file);
    return read;
}

static bool merge_lines(struct lines *a, struct lines *b, FILE *file)
{
    while (a->letters || b->letters) {
        int order = !a->letters   ? 1
                    : !b->letters ? -1
                                  : compare_letters(a->letters, a->size,
                                                    b->letters, b->size);
        struct lines *first = order <= 0 ? a : b;
        unsigned long count = first->count + (order == 0 ? b->count : 0);

        if (fprintf(file, "%lu ", count) < 0 ||
            fwrite(first->letters, 1, first->size, file) < first->size ||
            fputc('\n', file) == EOF)
            return false;
        if (order <= 0)
            next_line(a);
        if (order >= 0)
            next_line(b);
    }
    return true;
}

int words_merge(const char *a_path, const char *b_path, const char *table_path)
{
    struct lines a, b;
    FILE *file;
    int error = 0;
    bool written;

    errno = 0;
    if (!open_lines(a_path, &a))
        return complain("read", a_path);
    if (!open_lines(b_path, &b)) {
        error = complain("read", b_path);
        close_lines(&a);
        return error;
    }
    file = fopen(table_path, "wb");
    written = file && merge_lines(&a, &b, file);
    if (!file || fclose(file) || !written)
        error = complain("write", table_path);
    if (!close_lines(&a) && !error)
        error = complain("read", a_path);
    if (!close_lines(&b) && !error)
        error = complain("read", b_path);
    return error;
}
