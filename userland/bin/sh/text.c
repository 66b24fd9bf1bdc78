/* Strings that grow. */
#include "sh.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

void text_add(struct Text *text, const char *s, size_t size)
{
    if (text->size + size + 1 > text->room) {
        text->room = 2 * (text->size + size) + 64;
        text->chars = realloc(text->chars, text->room);
        if (!text->chars)
            err(2, "out of memory");
    }
    memcpy(text->chars + text->size, s, size);
    text->size += size;
    text->chars[text->size] = 0;
}

void text_put(struct Text *text, char c)
{
    text_add(text, &c, 1);
}

void text_free(struct Text *text)
{
    free(text->chars);
    *text = (struct Text){0};
}
