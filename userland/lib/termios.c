/* Terminals. */
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

int tcgetattr(int fd, struct termios *settings)
{
    return ioctl(fd, TCGETS, settings);
}

int tcsetattr(int fd, int when, const struct termios *settings)
{
    return ioctl(fd, TCSETS + when, settings);
}

int isatty(int fd)
{
    struct termios settings;

    return tcgetattr(fd, &settings) == 0;
}
