/* dmesg: the kernel's log; -c clears it. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/klog.h>
#include <unistd.h>

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
    fwrite(text, 1, size, stdout);
    if (size && text[size - 1] != '\n')
        putchar('\n');
    if (clear)
        klogctl(SYSLOG_ACTION_CLEAR, NULL, 0);
    free(text);
    return 0;
}
