/* Clocks and sleeping. */
#include <errno.h>
#include <syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(int clock, struct timespec *result)
{
    return syscall_result(sys_clock_gettime(clock, result));
}

time_t time(time_t *result)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (result)
        *result = now.tv_sec;
    return now.tv_sec;
}

int nanosleep(const struct timespec *duration, struct timespec *left)
{
    return syscall_result(sys_nanosleep(duration, left));
}

unsigned sleep(unsigned seconds)
{
    struct timespec duration = {seconds, 0}, left = {0, 0};

    return nanosleep(&duration, &left) < 0 ? left.tv_sec : 0;
}

int usleep(unsigned microseconds)
{
    struct timespec duration = {microseconds / 1000000, microseconds % 1000000 * 1000L};

    return nanosleep(&duration, NULL);
}
