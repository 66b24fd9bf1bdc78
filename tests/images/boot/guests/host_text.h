/* The loader's text.c in plain C, for programs of the host. */
#include <stdio.h>
#include <stdlib.h>

#include "loader.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

int same_text(const char *one, const char *other, u32 size, int fold_case)
{
    for (u32 i = 0; i < size; i++)
        if (fold_case ? lower(one[i]) != lower(other[i]) : one[i] != other[i])
            return 0;
    return 1;
}

void *memset(void *to, int value, u32 size)
{
    for (u32 i = 0; i < size; i++)
        ((volatile u8 *)to)[i] = (u8)value;
    return to;
}

void *memcpy(void *to, const void *from, u32 size)
{
    for (u32 i = 0; i < size; i++)
        ((volatile u8 *)to)[i] = ((const u8 *)from)[i];
    return to;
}

int memcmp(const void *one, const void *other, u32 size)
{
    for (u32 i = 0; i < size; i++)
        if (((const u8 *)one)[i] != ((const u8 *)other)[i])
            return 1;
    return 0;
}

u32 strlen(const char *t)
{
    u32 size = 0;
    while (((volatile const char *)t)[size])
        size++;
    return size;
}

void fail(const char *what, const char *name)
{
    printf("fail %s: %s\n", name ? name : "", what);
    exit(0);
}
