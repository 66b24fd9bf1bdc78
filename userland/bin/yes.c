/* yes: print a line (y) until nobody reads it any more. */
#include <stdio.h>

int main(int argc, char *argv[])
{
    for (;;) {
        for (int i = 1; i < argc; i++)
            printf("%s%s", argv[i], i + 1 < argc ? " " : "");
        if (argc == 1)
            putchar('y');
        if (putchar('\n') == EOF)
            return 1;
    }
}
