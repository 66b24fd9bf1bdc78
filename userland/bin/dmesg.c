/* dmesg: the kernel's log; -c clears it. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <unistd.h>

/* Without the priorities, <6>, at the start of lines. */
static void print_lines(char *text)
{
    for (char *line; (line = strsep(&text, "\n"));) {
        char *end = *line == '<' ? strchr(line, '>') : NULL;
        if (end)
            line = end + 1;
        if (*line)
            puts(line);
    }
}

int main(int argc, char *argv[])
{
    int clear = 0;

    for (int option; (option = getopt(argc, argv, "c")) != -1;) {
        if (option == '?')
            return 1;
        clear = 1;
    }
    int room = klogctl(SYSLOG_ACTION_SIZE_BUFFER, NULL, 0);
    if (room < 0)
        err(1, "klogctl");
    char *text = malloc(room + 1);
    int size = text ? klogctl(SYSLOG_ACTION_READ_ALL, text, room) : -1;
    if (size < 0)
        err(1, "klogctl");
    text[size] = 0;
    print_lines(text);
    if (clear)
        klogctl(SYSLOG_ACTION_CLEAR, NULL, 0);
    free(text);
    return 0;
}
