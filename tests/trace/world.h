/*
 * world.h - what the tests of trace need of the world: a directory of their
 * own, other programs, and files of any content.
 */
#ifndef CST_TEST_WORLD_H
#define CST_TEST_WORLD_H

#include <stdbool.h>
#include <stddef.h>

enum { WORLD_PATH_SIZE = 512 };

/* Make an empty directory; ends the test when that fails. */
void world_open(char directory[WORLD_PATH_SIZE]);

/* Remove it, with the files in it. */
void world_close(const char *directory);

/* DIRECTORY/NAME, in a buffer that the next call but three uses again. */
const char *world_path(const char *directory, const char *name);

/* The first file in the directory whose name starts so; NULL: none. */
const char *world_find(const char *directory, const char *start);

/*
 * Run a program with its output on ours; return its exit status, 127 when it is
 * not there. arguments end with NULL.
 */
int world_run(const char *const *arguments);

/*
 * Run child_main() in a child; return what it says on standard error, to be
 * freed, or NULL when it does not return 0.
 */
char *world_said_by(const char *directory, int (*child_main)(void));
int world_lines(const char *text);

/* A full disk: from now on no file of this process can be larger. */
bool world_limit_files(size_t size);

/* All of a file, with a 0 behind it; free() it. Ends the test on failure. */
char *world_read(const char *path, size_t *ret_size);
void world_write(const char *path, const void *bytes, size_t size);

#endif
