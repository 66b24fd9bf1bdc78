/* First process that does nothing but say what it reads. */
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    char line[256];
    puts("waiting");
    fflush(stdout);
    for (;;) {
        ssize_t size = read(0, line, sizeof line - 1);
        if (size <= 0)
            pause();
        line[size] = 0;
        printf("read %zd: %s", size, line);
        fflush(stdout);
    }
}
