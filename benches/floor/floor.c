/* What the kernel itself costs, with no manager around it.
 *
 *   floor spawn COUNT PROGRAM ARGUMENT…  posix_spawn in a loop; on TERM: TERM to all, reap all, exit
 *   floor print COUNT PROGRAM ARGUMENT…  the same with a pipe each: whole lines of all, with a name, on stdout
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READ = 65536, NAME = 8 };

struct source {
    int fd;
    char name[NAME * 3];
    char held[READ * 2];
    size_t length;
};

extern char **environ;
static volatile sig_atomic_t asked;

static void on_term(int number)
{
    (void)number;
    asked = 1;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static pid_t start(char **words, int output)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;

    posix_spawn_file_actions_init(&actions);
    if (output >= 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1);
    errno = posix_spawn(&pid, words[0], &actions, NULL, words, environ);
    if (errno != 0)
        fail(words[0]);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static void write_all(const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(1, bytes, length);
        if (written < 0 && errno != EINTR)
            fail("write");
        if (written > 0) {
            bytes += written;
            length -= (size_t)written;
        }
    }
}

/* Prints the whole lines of what a source holds, and keeps the rest. */
static void print_lines(struct source *source)
{
    static char out[READ * 4];
    size_t used = 0;
    char *from = source->held, *end = source->held + source->length, *newline;

    while ((newline = memchr(from, '\n', (size_t)(end - from))) != NULL) {
        size_t length = (size_t)(newline - from) + 1;
        if (used + NAME + length > sizeof out) {
            write_all(out, used);
            used = 0;
        }
        memcpy(out + used, source->name, NAME);
        memcpy(out + used + NAME, from, length);
        used += NAME + length;
        from += length;
    }
    write_all(out, used);
    source->length = (size_t)(end - from);
    memmove(source->held, from, source->length);
}

static void print_until_asked(int poller)
{
    while (!asked) {
        struct epoll_event events[16];
        int count = epoll_wait(poller, events, 16, -1);
        for (int index = 0; index < count; index++) {
            struct source *source = events[index].data.ptr;
            ssize_t got = read(source->fd, source->held + source->length, READ);
            if (got > 0) {
                source->length += (size_t)got;
                print_lines(source);
            }
        }
    }
}

int main(int argc, char **argv)
{
    struct sigaction action = { .sa_handler = on_term };
    sigset_t blocked, before;
    int count = argc > 3 ? atoi(argv[2]) : 0;
    int prints = argc > 3 && strcmp(argv[1], "print") == 0;
    int poller = epoll_create1(EPOLL_CLOEXEC);
    pid_t *pids = calloc((size_t)count, sizeof *pids);

    if (count < 1 || pids == NULL || poller < 0)
        return 2;
    sigaction(SIGTERM, &action, NULL);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    for (int index = 0; index < count; index++) {
        int ends[2] = { -1, -1 };
        if (prints) {
            struct source *source = calloc(1, sizeof *source);
            struct epoll_event event = { .events = EPOLLIN, .data.ptr = source };
            if (source == NULL || pipe2(ends, O_CLOEXEC) != 0)
                fail("pipe");
            snprintf(source->name, sizeof source->name, "w.%-3d | ", index + 1);
            source->fd = ends[0];
            epoll_ctl(poller, EPOLL_CTL_ADD, ends[0], &event);
        }
        pids[index] = start(argv + 3, ends[1]);
        close(ends[1]);
    }
    if (prints)
        print_until_asked(poller);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    while (!asked)
        sigsuspend(&before);
    for (int index = 0; index < count; index++)
        kill(pids[index], SIGTERM);
    while (wait(NULL) > 0 || errno == EINTR)
        ;
    return 0;
}
