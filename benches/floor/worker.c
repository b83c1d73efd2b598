/* The worker of every measure: small and static, so that starting it costs the same under everybody.
 *
 *   worker idle  STAMPS               stamp, then wait; TERM ends it at once
 *   worker lines STAMPS COUNT LENGTH  COUNT numbered lines of LENGTH bytes in blocks of 4096, stamp, then wait
 *
 * A stamp is a record of 32 bytes appended to STAMPS: a letter (b for begin, e for end), the PID and the monotonic
 * clock in nanoseconds.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, LONGEST = 1024 };

static void stamp(const char *path, char letter)
{
    struct timespec now;
    char record[33];
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(record, sizeof record, "%c %9d %19lld\n", letter, (int)getpid(),
             now.tv_sec * 1000000000LL + now.tv_nsec);
    if (fd < 0 || write(fd, record, 32) != 32)
        _exit(9);
    close(fd);
}

static void write_all(const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(1, bytes, length);
        if (written <= 0)
            _exit(8);
        bytes += written;
        length -= (size_t)written;
    }
}

static void write_lines(long count, size_t length)
{
    static char block[BLOCK];
    char line[LONGEST];
    size_t used = 0;

    memset(line, '.', length);
    line[length - 1] = '\n';
    for (long number = 0; number < count; number++) {
        char head[32];
        int digits = snprintf(head, sizeof head, "<%d %ld>", (int)getpid(), number);
        memcpy(line, head, (size_t)digits);
        for (size_t done = 0; done < length;) {
            size_t part = BLOCK - used < length - done ? BLOCK - used : length - done;
            memcpy(block + used, line + done, part);
            used += part;
            done += part;
            if (used == BLOCK) {
                write_all(block, BLOCK);
                used = 0;
            }
        }
    }
    write_all(block, used);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    stamp(argv[2], 'b');
    if (strcmp(argv[1], "lines") == 0) {
        size_t length = argc == 5 ? (size_t)atol(argv[4]) : 0;
        if (length < 40 || length > LONGEST)
            return 2;
        write_lines(atol(argv[3]), length);
        stamp(argv[2], 'e');
    }
    for (;;)
        pause();
}
