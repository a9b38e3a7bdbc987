/*
 * The run on the terminal, again and again.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/parse.h"
#include "base/thread.h"
#include "top/top.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

enum { COLUMNS = 160, FIRST_MS = 200 };

struct screen {
    const struct cst_top_run *run;
    const struct cst_top_options *options;
    struct cst_top_style style;
    bool live; /* it is a terminal that is drawn over and over */
    bool has_keys;
    bool seen;   /* the run */
    int signals; /* a signalfd */
    struct termios keys;
};

/* ---- The terminal -------------------------------------------------------------- */

/* A variable that is set, and to something. */
static bool is_set(const char *name)
{
    return cst_parse_environment(name) != NULL;
}

static void find_style(struct screen *screen)
{
    const char *terminal = cst_parse_environment("TERM");
    const char *colours = cst_parse_environment("COLORTERM");
    bool dumb = !terminal || strcmp(terminal, "dumb") == 0;

    (void)setlocale(LC_CTYPE, ""); /* NOLINT(concurrency-mt-unsafe) */
    screen->live = !screen->options->once && isatty(STDOUT_FILENO) && !dumb;
    screen->style = (struct cst_top_style){
        .columns = COLUMNS,
        .colour = isatty(STDOUT_FILENO) && !dumb && !is_set("NO_COLOR"),
        .exact = colours && (strcmp(colours, "truecolor") == 0 ||
                             strcmp(colours, "24bit") == 0),
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
        .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
    };
}

static void measure(struct screen *screen)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2)
        return;
    screen->style.columns = size.ws_col - 1u;
    if (screen->live && size.ws_row > 1)
        screen->style.lines = size.ws_row - 1u;
}

/* Interrupts end it as q does, and leave the terminal as it was. */
static bool open_screen(struct screen *screen)
{
    struct termios raw;
    sigset_t signals;

    find_style(screen);
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigaddset(&signals, SIGWINCH);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    screen->signals = signalfd(-1, &signals, SFD_CLOEXEC);
    if (screen->signals < 0) {
        cst_fail_text("no signalfd: %s", cst_reason(errno));
        return false;
    }
    screen->has_keys = screen->live &&
                       tcgetattr(STDIN_FILENO, &screen->keys) == 0 &&
                       tcgetpgrp(STDIN_FILENO) == getpgrp();
    if (screen->has_keys) {
        raw = screen->keys;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    if (screen->live) /* the other screen, without a cursor */
        (void)fputs("\033[?1049h\033[?25l", stdout);
    return true;
}

static void close_screen(struct screen *screen)
{
    if (screen->live)
        (void)fputs("\033[?25h\033[?1049l", stdout);
    (void)fflush(stdout);
    if (screen->has_keys)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &screen->keys);
    (void)close(screen->signals);
}

/* ---- Again and again ----------------------------------------------------------- */

/* What was pressed, or a signal: is it to end? */
static bool wants_end(const struct screen *screen, const struct pollfd *polled)
{
    struct signalfd_siginfo signal;
    char key = 0;

    if (polled[0].revents &&
        read(screen->signals, &signal, sizeof(signal)) == sizeof(signal) &&
        signal.ssi_signo != SIGWINCH)
        return true;
    if (!polled[1].revents)
        return false;
    return read(STDIN_FILENO, &key, 1) <= 0 || key == 'q' || key == 'Q';
}

/* Until then, or until it is to end: false. A key shows it at once. */
static bool wait_until(const struct screen *screen, uint64_t end_ns)
{
    struct pollfd polled[2] = {
        {.fd = screen->signals, .events = POLLIN},
        {.fd = screen->has_keys ? STDIN_FILENO : -1, .events = POLLIN},
    };
    uint64_t now = cst_clock_ns();
    int got;

    if (now >= end_ns)
        return true;
    got = poll(polled, 2, (int)((end_ns - now) / 1000000) + 1);
    return got <= 0 || !wants_end(screen, polled);
}

static void draw(struct screen *screen, const struct cst_watch_picture *picture,
                 const struct cst_watch_picture *before)
{
    measure(screen);
    if (screen->live)
        (void)fputs("\033[H", stdout);
    cst_top_write(picture, before, &screen->style, stdout);
    if (screen->live)
        (void)fputs("\033[J", stdout);
    else if (!screen->options->once)
        (void)fputc('\n', stdout);
    (void)fflush(stdout);
}

/* The next picture, until the run ends or somebody wants to. */
static enum castell_status show_all(struct screen *screen)
{
    struct cst_watch_picture before = {.process = 0};
    struct cst_watch_picture picture = {.process = 0};
    enum castell_status status =
        cst_top_ask(screen->run, CST_WATCH_LOOK, "", &before);
    uint64_t next_ns = cst_clock_ns() + (uint64_t)FIRST_MS * 1000000;

    if (status != CASTELL_OK)
        return status;
    screen->seen = true;
    if (!screen->options->once)
        draw(screen, &before, NULL);
    while (!ferror(stdout) && wait_until(screen, next_ns)) {
        status = cst_top_ask(screen->run, CST_WATCH_LOOK, "", &picture);
        if (status != CASTELL_OK)
            break;
        draw(screen, &picture, &before);
        cst_watch_picture_release(&before);
        before = picture;
        if (screen->options->once)
            break;
        next_ns = cst_clock_ns() + screen->options->interval_ns;
    }
    /* It was there: so what was seen of it is told. */
    if (status == CASTELL_ERR_NODE_LOST && screen->options->once) {
        draw(screen, &before, NULL);
        status = CASTELL_OK;
    }
    cst_watch_picture_release(&before);
    return status;
}

int cst_top_show(const struct cst_top_run *run,
                 const struct cst_top_options *options)
{
    struct screen screen = {.run = run, .options = options};
    enum castell_status status = CASTELL_ERR_SYSTEM;

    if (open_screen(&screen)) {
        status = show_all(&screen);
        close_screen(&screen);
    }
    if (status == CASTELL_OK)
        return EXIT_SUCCESS;
    (void)fprintf(stderr, "castell: %s\n", castell_error_text());
    return screen.seen && status == CASTELL_ERR_NODE_LOST ? EXIT_SUCCESS
                                                          : EXIT_FAILURE;
}
