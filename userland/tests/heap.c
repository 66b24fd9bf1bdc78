/* malloc() and free(), at random: blocks keep what was written, do not overlap, and are reused. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS 300

static struct {
    unsigned char *bytes;
    size_t size;
    unsigned char mark;
} blocks[BLOCKS];

static int intact(int i)
{
    for (size_t at = 0; at < blocks[i].size; at++)
        if (blocks[i].bytes[at] != blocks[i].mark)
            return 0;
    return 1;
}

static size_t random_size(void)
{
    int kind = rand() % 100;

    return kind < 70 ? rand() % 200 : kind < 95 ? rand() % 5000 : rand() % 600000;
}

static void fill(int i, size_t size)
{
    blocks[i].size = size;
    blocks[i].mark = rand();
    memset(blocks[i].bytes, blocks[i].mark, size);
}

static int step(void)
{
    int i = rand() % BLOCKS;
    size_t size = random_size() + 1;

    if (!intact(i))
        return 0;
    if (blocks[i].bytes && rand() % 3 == 0) {
        size_t kept = size < blocks[i].size ? size : blocks[i].size;
        blocks[i].bytes = realloc(blocks[i].bytes, size);
        blocks[i].size = kept;
        if (!intact(i))
            return 0;
    } else {
        free(blocks[i].bytes);
        blocks[i].bytes = malloc(size);
    }
    if (!blocks[i].bytes || (uintptr_t)blocks[i].bytes % 16)
        return 0;
    fill(i, size);
    return 1;
}

int main(void)
{
    for (int round = 0; round < 20000; round++)
        if (!step()) {
            printf("broken in round %d\n", round);
            return 1;
        }
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i].bytes);
    /* All is joined again: a block of nearly the whole heap fits where the small ones were. */
    char *first = malloc(100);
    free(first);
    char *second = malloc(200000);
    int *zeros = calloc(1000, sizeof *zeros);
    for (int i = 0; i < 1000; i++)
        if (zeros[i])
            return 2;
    printf("intact %d %d\n", second == first, calloc(SIZE_MAX / 2, 4) == NULL);
    return 0;
}
