/* What the kernel itself costs, with no manager around it.
 *
 *   floor spawn   COUNT PROGRAM ARGUMENT…  posix_spawn in a loop; on TERM: TERM to all, reap all, exit
 *   floor respawn COUNT PROGRAM ARGUMENT…  the same, and another one the moment that one has been reaped
 *   floor hold    COUNT PROGRAM ARGUMENT…  the same with a session and a cgroup each, which is removed when it has been reaped
 *   floor print   COUNT PROGRAM ARGUMENT…  the same with a pipe each: whole lines of all, with a name, on stdout
 *   floor log     COUNT PROGRAM ARGUMENT…  the same with a pipe each, read and written into a file each: 1.log, 2.log, …
 *   floor splice  COUNT PROGRAM ARGUMENT…  the same, moved by splice
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <linux/sched.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READ = 65536, NAME = 8, PIPE = 1 << 20 };

struct source {
    int fd;
    int file;
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
    posix_spawnattr_t attributes;
    sigset_t none;
    pid_t pid;

    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawn_file_actions_init(&actions);
    if (output >= 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1);
    errno = posix_spawn(&pid, words[0], &actions, &attributes, words, environ);
    if (errno != 0)
        fail(words[0]);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return pid;
}

/* Makes a directory below our own cgroup, and opens it. */
static int make_cgroups(void)
{
    char line[4096], mount[1024] = "", path[2048], own[512] = "";
    FILE *mounts = fopen("/proc/self/mountinfo", "r"), *groups = fopen("/proc/self/cgroup", "r");
    int directory;

    while (mounts != NULL && fgets(line, sizeof line, mounts) != NULL)
        if (strstr(line, " - cgroup2 ") != NULL)
            sscanf(line, "%*s %*s %*s %*s %1023s", mount);
    while (groups != NULL && fgets(line, sizeof line, groups) != NULL)
        if (strncmp(line, "0::", 3) == 0)
            sscanf(line, "0::%511s", own);
    snprintf(path, sizeof path, "%s%s/floor.%d", mount, own, getpid());
    if (mkdir(path, 0755) != 0 || (directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        fail(path);
    return directory;
}

static pid_t start_held(char **words, int cgroups, int number)
{
    char name[16];
    struct clone_args arguments = { .flags = CLONE_INTO_CGROUP | CLONE_VFORK, .exit_signal = SIGCHLD };
    int cgroup;
    long pid;

    snprintf(name, sizeof name, "%d", number);
    if (mkdirat(cgroups, name, 0755) != 0 || (cgroup = openat(cgroups, name, O_RDONLY | O_CLOEXEC)) < 0)
        fail(name);
    arguments.cgroup = (uint64_t)cgroup;
    pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid == 0) {
        setsid();
        execv(words[0], words);
        _exit(127);
    }
    if (pid < 0)
        fail("clone3");
    close(cgroup);
    return (pid_t)pid;
}

static void reap_held(pid_t *pids, int count, int cgroups)
{
    char path[64];
    pid_t gone;

    while ((gone = wait(NULL)) > 0 || errno == EINTR)
        for (int index = 0; gone > 0 && index < count; index++)
            if (pids[index] == gone) {
                snprintf(path, sizeof path, "%d", index);
                unlinkat(cgroups, path, AT_REMOVEDIR);
            }
    snprintf(path, sizeof path, "/proc/self/fd/%d/../floor.%d", cgroups, getpid());
    if (rmdir(path) != 0)
        fail("rmdir");
}

static void write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
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
    char *from = source->held, *end, *newline;
    ssize_t got = read(source->fd, source->held + source->length, READ);

    if (got <= 0)
        return;
    source->length += (size_t)got;
    end = source->held + source->length;
    while ((newline = memchr(from, '\n', (size_t)(end - from))) != NULL) {
        size_t length = (size_t)(newline - from) + 1;
        if (used + NAME + length > sizeof out) {
            write_all(1, out, used);
            used = 0;
        }
        memcpy(out + used, source->name, NAME);
        memcpy(out + used + NAME, from, length);
        used += NAME + length;
        from += length;
    }
    write_all(1, out, used);
    source->length = (size_t)(end - from);
    memmove(source->held, from, source->length);
}

static void copy(struct source *source)
{
    ssize_t got = read(source->fd, source->held, READ);
    if (got > 0)
        write_all(source->file, source->held, (size_t)got);
}

static void move(struct source *source)
{
    if (splice(source->fd, NULL, source->file, NULL, PIPE, SPLICE_F_MOVE) < 0 && errno != EINTR)
        fail("splice");
}

static struct source *new_source(int number, int fd, int has_file)
{
    struct source *source = calloc(1, sizeof *source);
    char path[32];

    if (source == NULL)
        fail("calloc");
    snprintf(source->name, sizeof source->name, "w.%-3d | ", number);
    snprintf(path, sizeof path, "%d.log", number);
    source->fd = fd;
    source->file = has_file ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666) : -1;
    if (has_file && source->file < 0)
        fail(path);
    return source;
}

static void serve_until_asked(int poller, void (*serve)(struct source *))
{
    while (!asked) {
        struct epoll_event events[64];
        int count = epoll_wait(poller, events, 64, -1);
        for (int index = 0; index < count; index++)
            serve(events[index].data.ptr);
    }
}

/* SIGTERM is blocked but while it waits here, so that none comes just before the wait. */
static void respawn_until_asked(pid_t *pids, int count, char **words)
{
    sigset_t chld;
    pid_t gone;

    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    sigaddset(&chld, SIGTERM);
    for (;;) {
        int which;
        if (sigwait(&chld, &which) == 0 && which == SIGTERM)
            return;
        while ((gone = waitpid(-1, NULL, WNOHANG)) > 0)
            for (int index = 0; index < count; index++)
                if (pids[index] == gone)
                    pids[index] = start(words, -1);
    }
}

int main(int argc, char **argv)
{
    struct sigaction action = { .sa_handler = on_term };
    sigset_t blocked, before;
    const char *kind = argc > 3 ? argv[1] : "";
    int count = argc > 3 ? atoi(argv[2]) : 0;
    void (*serve)(struct source *) = strcmp(kind, "print") == 0    ? print_lines
                                     : strcmp(kind, "log") == 0    ? copy
                                     : strcmp(kind, "splice") == 0 ? move
                                                                   : NULL;
    int poller = epoll_create1(EPOLL_CLOEXEC);
    pid_t *pids = calloc((size_t)count, sizeof *pids);
    int cgroups = strcmp(kind, "hold") == 0 ? make_cgroups() : -1;

    if (count < 1 || pids == NULL || poller < 0)
        return 2;
    sigaction(SIGTERM, &action, NULL);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGCHLD);
    if (strcmp(kind, "respawn") == 0)
        sigprocmask(SIG_BLOCK, &blocked, NULL);
    for (int index = 0; index < count; index++) {
        int ends[2] = { -1, -1 };
        if (serve != NULL) {
            struct epoll_event event = { .events = EPOLLIN };
            if (pipe2(ends, O_CLOEXEC) != 0)
                fail("pipe");
            if (serve != print_lines)
                fcntl(ends[0], F_SETPIPE_SZ, count == 1 ? PIPE : READ);
            event.data.ptr = new_source(index + 1, ends[0], serve != print_lines);
            epoll_ctl(poller, EPOLL_CTL_ADD, ends[0], &event);
        }
        pids[index] = cgroups < 0 ? start(argv + 3, ends[1]) : start_held(argv + 3, cgroups, index);
        close(ends[1]);
    }
    if (serve != NULL)
        serve_until_asked(poller, serve);
    if (strcmp(kind, "respawn") == 0)
        respawn_until_asked(pids, count, argv + 3);
    else {
        sigprocmask(SIG_BLOCK, &blocked, &before);
        while (!asked)
            sigsuspend(&before);
    }
    for (int index = 0; index < count; index++)
        kill(pids[index], SIGTERM);
    if (cgroups >= 0)
        reap_held(pids, count, cgroups);
    while (wait(NULL) > 0 || errno == EINTR)
        ;
    return 0;
}
