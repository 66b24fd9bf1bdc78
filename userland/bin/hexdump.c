/* hexdump: bytes of files in hexadecimal and as text (as hexdump -C); -n BYTES, -s SKIP. */
#include <ctype.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void print_line(unsigned long offset, const unsigned char *bytes, size_t size)
{
    printf("%08lx  ", offset);
    for (size_t i = 0; i < 16; i++) {
        if (i < size)
            printf("%02x ", bytes[i]);
        else
            printf("   ");
        if (i == 7)
            putchar(' ');
    }
    printf(" |");
    for (size_t i = 0; i < size; i++)
        putchar(isprint(bytes[i]) ? bytes[i] : '.');
    puts("|");
}

static void dump(FILE *file, unsigned long skip, unsigned long limit)
{
    unsigned char bytes[16], before[16];
    unsigned long offset = 0;
    int repeated = 0;
    size_t size;

    for (; offset < skip; offset++)
        if (fgetc(file) == EOF)
            return;
    for (int first = 1;; first = 0) {
        unsigned long left = limit - (offset - skip);
        size = fread(bytes, 1, left < 16 ? left : 16, file);
        if (!size)
            break;
        if (!first && size == 16 && !memcmp(bytes, before, 16)) {
            if (!repeated)
                puts("*");
            repeated = 1;
        } else {
            print_line(offset, bytes, size);
            repeated = 0;
        }
        memcpy(before, bytes, 16);
        offset += size;
    }
    printf("%08lx\n", offset);
}

int main(int argc, char *argv[])
{
    unsigned long skip = 0, limit = -1UL;

    for (int option; (option = getopt(argc, argv, "Cn:s:")) != -1;)
        switch (option) {
        case 'C': break;
        case 'n': limit = strtoul(optarg, NULL, 0); break;
        case 's': skip = strtoul(optarg, NULL, 0); break;
        default: return 1;
        }
    if (optind == argc)
        dump(stdin, skip, limit);
    for (; optind < argc; optind++) {
        FILE *file = fopen(argv[optind], "r");
        if (!file)
            err(1, "%s", argv[optind]);
        dump(file, skip, limit);
        fclose(file);
    }
    return 0;
}
