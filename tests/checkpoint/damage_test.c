/*
 * What is torn, damaged or another program's is refused, and the one before is
 * used; what cannot be written is said, and does no harm.
 */
#include "checkpoint/state.h"
#include "harness/tap.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEPS = 3, TEXT_SIZE = 2048 };

/* Change one byte of a file. */
static void flip(const char *path, off_t at)
{
    int file = open(path, O_RDWR | O_CLOEXEC);
    unsigned char byte = 0;

    if (file < 0 || pread(file, &byte, 1, at) != 1)
        tap_bail("no byte to change");
    byte ^= 1;
    if (pwrite(file, &byte, 1, at) != 1 || close(file) != 0)
        tap_bail("no byte was changed");
}

static void cut(const char *path, off_t size)
{
    if (truncate(path, size) != 0)
        tap_bail("nothing was cut off");
}

/* Put another text in place of one in a file. */
static void replace(const char *path, const char *from, const char *to)
{
    static char text[TEXT_SIZE]; /* large */
    FILE *file = fopen(path, "r+e");
    char *at;

    memset(text, 0, sizeof(text));
    if (!file || fread(text, 1, sizeof(text) - 1, file) == 0)
        tap_bail("nothing to change");
    at = strstr(text, from);
    if (!at || strlen(from) != strlen(to))
        tap_bail("not there");
    memcpy(at, to, strlen(to));
    rewind(file);
    if (fwrite(text, 1, strlen(text), file) == 0 || fclose(file) != 0)
        tap_bail("nothing was changed");
}

/* Each damages the last of three. */
static void damage_part(void)
{
    flip(state_path("saved/000003/part.000002"), LENGTH * 4 + 3);
}

static void damage_end(void)
{
    flip(state_path("saved/000003/part.000006"),
         BLOCK * BLOCK * (off_t)sizeof(double) - 1);
}

static void cut_part(void)
{
    cut(state_path("saved/000003/part.000001"), LENGTH);
}

static void empty_part(void)
{
    cut(state_path("saved/000003/part.000000"), 0);
}

static void lengthen_part(void)
{
    cut(state_path("saved/000003/part.000000"),
        LENGTH * (off_t)sizeof(double) + 1);
}

static void remove_part(void)
{
    (void)unlink(state_path("saved/000003/part.000004"));
}

static void remove_manifest(void)
{
    (void)unlink(state_path("saved/000003/manifest"));
}

static void cut_manifest(void)
{
    cut(state_path("saved/000003/manifest"), 300);
}

static void empty_manifest(void)
{
    cut(state_path("saved/000003/manifest"), 0);
}

static void damage_manifest(void)
{
    replace(state_path("saved/000003/manifest"), "step 3", "step 2");
}

/* As of a run that was killed, or of another tool. */
static void add_others(void)
{
    (void)mkdir(state_path("saved/000004.tmp"), 0700);
    (void)mkdir(state_path("saved/000005"), 0700);
    (void)mkdir(state_path("saved/other"), 0700);
}

static void test_damages(void)
{
    static const struct {
        const char *name;
        void (*damage)(void);
        int comes_back;
    } cases[] = {
        {"a byte of a part", damage_part, 2},
        {"its last byte", damage_end, 2},
        {"a part that is cut off", cut_part, 2},
        {"an empty part", empty_part, 2},
        {"a part that is too long", lengthen_part, 2},
        {"a part that is not there", remove_part, 2},
        {"a manifest that is not there", remove_manifest, 2},
        {"a manifest that is cut off", cut_manifest, 2},
        {"an empty manifest", empty_manifest, 2},
        {"a manifest that was changed", damage_manifest, 2},
        {"what others have left", add_others, 3},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        state_make(STEPS, STEPS);
        cases[i].damage();
        ok(state_comes_back(i % 2 ? 2 : 0, cases[i].comes_back), "%s",
           cases[i].name);
        ok(state_comes_back(0, cases[i].comes_back), "%s: again",
           cases[i].name);
    }
}

/* None can be used: an error, and nothing is changed. */
static void test_none(void)
{
    struct state state;

    state_make(2, 2);
    flip(state_path("saved/000001/part.000003"), 7);
    flip(state_path("saved/000002/part.000003"), 7);
    state_begin(&state, 0);
    state_step(&state, 0);
    ok(state_restore(&state) == -2, "none can be used: %s",
       castell_error_text());
    ok(state_is(&state, 1), "and nothing has changed");
    ok(state_save(&state, 1), "the next can be written");
    ok(state_restore(&state) == 1, "and used");
    ok(state_end(&state), "it ends well");
}

/* Another program, other names, sizes, or fewer of them. */
static void test_foreign(void)
{
    struct state state;
    struct castell_checkpoint *other;
    struct castell_access region;
    uint64_t step = 99;

    state_make(1, 1);
    state_begin(&state, 0);
    state_go(castell_checkpoint_program(state.saved, "another"));
    ok(state_restore(&state) == -2 &&
           strstr(castell_error_text(), "another program"),
       "of another program: %s", castell_error_text());
    state_step(&state, 0);
    castell_checkpoint_keep(state.saved, 1);
    ok(state_save(&state, 1) && state_save(&state, 2),
       "another program writes there too");
    ok(access(state_path("saved/000001/manifest"), F_OK) == 0 &&
           access(state_path("saved/000002"), F_OK) != 0,
       "and removes its own only");
    ok(state_end(&state), "it ends well");
    ok(state_comes_back(0, 1), "what was there comes back to its own");

    state_begin(&state, 0);
    state_go(castell_checkpoint_create(state_path("saved"), &other));
    region = (struct castell_access){.base = state.matrix, .size = 64};
    state_go(castell_checkpoint_add(other, "vector 0", &region, 8));
    ok(castell_checkpoint_restore(other, &step) == CASTELL_ERR_SYSTEM &&
           step == 99,
       "with other data: %s", castell_error_text());
    castell_checkpoint_destroy(other);
    ok(state_end(&state), "it ends well");
}

/* A file system that is full, where we may make one. */
static void test_full(void)
{
    struct state state;

    state_forget();
    (void)mkdir(state_directory(), 0700);
    (void)mkdir(state_path("saved"), 0700);
    if (mount("none", state_path("saved"), "tmpfs", 0, "size=3m") != 0) {
        tap_skip("a full disk", "we may not mount one");
        return;
    }
    state_begin(&state, 2);
    castell_checkpoint_keep(state.saved, 1);
    state_step(&state, 0);
    ok(state_save(&state, 1), "a disk has room for one");
    state_step(&state, 0);
    ok(!state_save(&state, 2) && strstr(castell_error_text(), "No space left"),
       "and not for two: %s", castell_error_text());
    ok(state_is(&state, 2), "the run goes on");
    ok(state_restore(&state) == 1, "from the first, when it wants");
    ok(state_end(&state), "and ends well");
    (void)umount(state_path("saved"));
}

/* Workers for which the directory is another one. */
static void hide_directory(void)
{
    const char *path = getenv("STATE_HIDES");

    if (path && (unshare(CLONE_NEWNS) != 0 ||
                 mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
                 mount("none", path, "tmpfs", 0, "size=1m") != 0))
        _exit(1);
}

static void test_hidden(void)
{
    struct state state;

    if (geteuid() != 0) {
        tap_skip("a directory that a node does not see", "we are not root");
        return;
    }
    state_make(1, 1);
    (void)setenv("STATE_HIDES", state_path("saved"), 1);
    state_begin(&state, 2);
    ok(state_restore(&state) == -2 &&
           strstr(castell_error_text(), "all nodes see"),
       "workers do not see it: %s", castell_error_text());
    state_step(&state, 0);
    ok(!state_save(&state, 2) && strstr(castell_error_text(), "all nodes see"),
       "nor where to write: %s", castell_error_text());
    ok(state_is(&state, 1) && state_end(&state), "the run goes on");
    (void)unsetenv("STATE_HIDES");
    ok(state_comes_back(2, 1), "what was there stays");
}

int main(void)
{
    if (getenv("CASTELL_ROLE"))
        hide_directory();
    party_attend();
    test_damages();
    test_none();
    test_foreign();
    test_full();
    test_hidden();
    state_forget();
    return tap_done();
}
