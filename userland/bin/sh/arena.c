/* Memory that is freed all at once. */
#include "sh.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

struct Chunk {
    struct Chunk *before;
    size_t used, size;
    _Alignas(16) char bytes[];
};

struct Arena scratch;

static void add_chunk(struct Arena *arena, size_t size)
{
    size_t room = size > 4000 ? size : 4000;
    struct Chunk *chunk = malloc(sizeof *chunk + room);

    if (!chunk)
        err(2, "out of memory");
    *chunk = (struct Chunk){.before = arena->chunk, .size = room};
    arena->chunk = chunk;
}

void *arena_take(struct Arena *arena, size_t size)
{
    size = (size + 15) & -16UL;
    if (!arena->chunk || arena->chunk->used + size > arena->chunk->size)
        add_chunk(arena, size);
    void *bytes = arena->chunk->bytes + arena->chunk->used;
    arena->chunk->used += size;
    return memset(bytes, 0, size);
}

char *arena_copy(struct Arena *arena, const char *s, size_t size)
{
    return memcpy(arena_take(arena, size + 1), s, size);
}

struct ArenaMark arena_mark(const struct Arena *arena)
{
    return (struct ArenaMark){arena->chunk, arena->chunk ? arena->chunk->used : 0};
}

void arena_release(struct Arena *arena, struct ArenaMark mark)
{
    while (arena->chunk != mark.chunk) {
        struct Chunk *before = arena->chunk->before;
        free(arena->chunk);
        arena->chunk = before;
    }
    if (arena->chunk)
        arena->chunk->used = mark.used;
}
