/* str…() */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

size_t strlen(const char *s)
{
    const char *end = s;

    while (*end)
        end++;
    return end - s;
}

size_t strnlen(const char *s, size_t size)
{
    const char *end = memchr(s, 0, size);

    return end ? (size_t)(end - s) : size;
}

char *stpcpy(char *restrict to, const char *restrict from)
{
    size_t length = strlen(from);

    memcpy(to, from, length + 1);
    return to + length;
}

char *strcpy(char *restrict to, const char *restrict from)
{
    stpcpy(to, from);
    return to;
}

char *strncpy(char *restrict to, const char *restrict from, size_t size)
{
    size_t length = strnlen(from, size);

    memcpy(to, from, length);
    memset(to + length, 0, size - length);
    return to;
}

size_t strlcpy(char *restrict to, const char *restrict from, size_t size)
{
    size_t length = strlen(from);

    if (size) {
        size_t copied = length < size ? length : size - 1;
        memcpy(to, from, copied);
        to[copied] = 0;
    }
    return length;
}

char *strcat(char *restrict to, const char *restrict from)
{
    strcpy(to + strlen(to), from);
    return to;
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t size)
{
    for (; size && *a && *a == *b; size--)
        a++, b++;
    return size ? (unsigned char)*a - (unsigned char)*b : 0;
}

int strcasecmp(const char *a, const char *b)
{
    while (*a && tolower(*a) == tolower(*b))
        a++, b++;
    return tolower((unsigned char)*a) - tolower((unsigned char)*b);
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)s;
        if (!*s)
            return NULL;
    }
}

char *strrchr(const char *s, int c)
{
    const char *found = NULL;

    do
        if (*s == (char)c)
            found = s;
    while (*s++);
    return (char *)found;
}

char *strstr(const char *s, const char *part)
{
    size_t length = strlen(part);

    for (; strncmp(s, part, length); s++)
        if (!*s)
            return NULL;
    return (char *)s;
}

size_t strspn(const char *s, const char *accept)
{
    size_t length = 0;

    while (s[length] && strchr(accept, s[length]))
        length++;
    return length;
}

size_t strcspn(const char *s, const char *reject)
{
    size_t length = 0;

    while (s[length] && !strchr(reject, s[length]))
        length++;
    return length;
}

char *strpbrk(const char *s, const char *accept)
{
    s += strcspn(s, accept);
    return *s ? (char *)s : NULL;
}

char *strsep(char **s, const char *separators)
{
    char *token = *s;

    if (!token)
        return NULL;
    *s = strpbrk(token, separators);
    if (*s)
        *(*s)++ = 0;
    return token;
}

char *strtok_r(char *restrict s, const char *restrict separators, char **restrict rest)
{
    if (s)
        *rest = s;
    if (!*rest)
        return NULL;
    *rest += strspn(*rest, separators);
    return **rest ? strsep(rest, separators) : NULL;
}

char *strndup(const char *s, size_t size)
{
    size_t length = strnlen(s, size);
    char *copy = malloc(length + 1);

    if (!copy)
        return NULL;
    copy[length] = 0;
    return memcpy(copy, s, length);
}

char *strdup(const char *s)
{
    return strndup(s, strlen(s));
}
