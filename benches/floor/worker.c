/* The worker of every measure: small and static, so that starting it costs the same under everybody.
 *
 *   worker idle  STAMPS               stamp, then wait; TERM ends it at once
 *   worker crash STAMPS               stamp, then exit with 1
 *   worker lines STAMPS COUNT LENGTH  COUNT numbered lines of LENGTH bytes in blocks of 4096, stamp, then wait
 *   worker blast STAMPS COUNT         COUNT numbered lines of 100 bytes as fast as a pipe takes them, stamp, then wait
 *   worker timed STAMPS RATE SECONDS  RATE lines of 100 bytes a second, each with its number and time and each in a
 *                                     write of its own, ten at a time, stamp, then wait
 *   worker echo  STAMPS               take each key of the terminal as it comes, stamp, then show each at the begin of
 *                                     the line
 *
 * A stamp is a record of 32 bytes appended to STAMPS: a letter (b for begin, e for end), the PID and the monotonic
 * clock in nanoseconds.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, LONGEST = 1024, FIXED = 100, DIGITS = 12, BLASTED = 640, BURST = 10 };

static const long SECOND = 1000000000;

static long long nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * (long long)SECOND + now.tv_nsec;
}

static void stamp(const char *path, char letter)
{
    char record[33];
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

    snprintf(record, sizeof record, "%c %9d %19lld\n", letter, (int)getpid(), nanoseconds());
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

/* The number is counted up in place: printing it would be what is measured. */
static void blast(long count)
{
    static char lines[FIXED * BLASTED];
    char number[DIGITS];

    memset(number, '0', sizeof number);
    memset(lines, '.', sizeof lines);
    for (int index = 0; index < BLASTED; index++)
        lines[index * FIXED + FIXED - 1] = '\n';
    while (count > 0) {
        int some = count < BLASTED ? (int)count : BLASTED;
        for (int index = 0; index < some; index++) {
            char *digit = number + DIGITS - 1;
            memcpy(lines + index * FIXED, number, DIGITS);
            while (++*digit > '9')
                *digit-- = '0';
        }
        write_all(lines, (size_t)some * FIXED);
        count -= some;
    }
}

static void write_timed(long rate, long seconds)
{
    struct timespec next;
    long number = 0;

    clock_gettime(CLOCK_MONOTONIC, &next);
    while (number < rate * seconds) {
        for (int index = 0; index < BURST; index++) {
            char line[FIXED + 1];
            int used = snprintf(line, sizeof line, "%d %ld %lld ", (int)getpid(), number++, nanoseconds());
            memset(line + used, '.', (size_t)(FIXED - 1 - used));
            line[FIXED - 1] = '\n';
            write_all(line, FIXED);
        }
        next.tv_nsec += SECOND / (rate / BURST);
        if (next.tv_nsec >= SECOND) {
            next.tv_nsec -= SECOND;
            next.tv_sec++;
        }
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL) == EINTR)
            ;
    }
}

static void take_keys(void)
{
    struct termios modes;

    if (tcgetattr(0, &modes) != 0)
        _exit(7);
    cfmakeraw(&modes);
    if (tcsetattr(0, TCSANOW, &modes) != 0)
        _exit(7);
}

static void echo(void)
{
    char key[2] = { 0, '\r' };

    while (read(0, key, 1) == 1)
        write_all(key, sizeof key);
}

int main(int argc, char **argv)
{
    int is_echo = argc > 2 && strcmp(argv[1], "echo") == 0;

    if (argc < 3)
        return 2;
    if (is_echo)
        take_keys();
    stamp(argv[2], 'b');
    if (is_echo) {
        echo();
        return 0;
    }
    if (strcmp(argv[1], "crash") == 0)
        return 1;
    if (strcmp(argv[1], "idle") != 0) {
        long first = argc > 3 ? atol(argv[3]) : 0, second = argc > 4 ? atol(argv[4]) : 0;
        if (first < 1)
            return 2;
        if (strcmp(argv[1], "blast") == 0)
            blast(first);
        else if (strcmp(argv[1], "lines") == 0 && second >= 40 && second <= LONGEST)
            write_lines(first, (size_t)second);
        else if (strcmp(argv[1], "timed") == 0 && first >= BURST && second > 0)
            write_timed(first, second);
        else
            return 2;
        stamp(argv[2], 'e');
    }
    for (;;)
        pause();
}
