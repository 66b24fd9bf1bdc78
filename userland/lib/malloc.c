/* The heap: blocks with their size before and after them, free ones in lists by size.
 *
 *     +--------+--------+------------------------+--------+--------+---
 *     | before | size|f | payload …              | before | size|f |
 *     +--------+--------+------------------------+--------+--------+---
 *     ^ block           ^ what malloc() returned  ^ block + size: the next block
 *
 * `before` is the size of the block before, valid while that one is free, so that free() can join
 * both neighbours in constant time. Small blocks come from brk(); large ones get a mapping each. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ALIGNMENT 16UL
#define HEADER 16UL
#define SMALLEST 32UL
#define MAPPED_FROM (256UL << 10)
#define GROW_BY (64UL << 10)
#define PAGE 4096UL

enum { USED = 1, BEFORE_USED = 2, MAPPED = 4, FLAGS = 15 };

struct Block {
    size_t before;
    size_t size_and_flags;
    struct Block *next, *previous; /* in the list; part of the payload of a used block */
};

#define LISTS 48
static struct Block *lists[LISTS]; /* list n: sizes 2^n to 2^(n+1) - 1 */
static struct Block *end_of_heap;  /* a used block of size 0 that stops joining */

static size_t size_of(const struct Block *block)
{
    return block->size_and_flags & ~(size_t)FLAGS;
}

static struct Block *after(struct Block *block)
{
    return (struct Block *)((char *)block + size_of(block));
}

static struct Block *block_of(void *payload)
{
    return (struct Block *)((char *)payload - HEADER);
}

static int list_of(size_t size)
{
    return 63 - __builtin_clzl(size);
}

static void take_from_list(struct Block *block)
{
    if (block->previous)
        block->previous->next = block->next;
    else
        lists[list_of(size_of(block))] = block->next;
    if (block->next)
        block->next->previous = block->previous;
}

static void put_into_list(struct Block *block)
{
    struct Block **head = &lists[list_of(size_of(block))];

    block->previous = NULL;
    block->next = *head;
    if (*head)
        (*head)->previous = block;
    *head = block;
}

/* Make the block free, joined with its free neighbours. */
static void release(struct Block *block)
{
    size_t size = size_of(block);
    struct Block *next = after(block);

    if (!(next->size_and_flags & USED)) {
        take_from_list(next);
        size += size_of(next);
    }
    if (!(block->size_and_flags & BEFORE_USED)) {
        block = (struct Block *)((char *)block - block->before);
        take_from_list(block);
        size += size_of(block);
    }
    block->size_and_flags = size | BEFORE_USED; /* two free blocks never touch */
    next = after(block);
    next->before = size;
    next->size_and_flags &= ~(size_t)BEFORE_USED;
    put_into_list(block);
}

/* Cut what is beyond `size` off a used block and free it. */
static void trim(struct Block *block, size_t size)
{
    size_t rest = size_of(block) - size;

    if (rest < SMALLEST)
        return;
    block->size_and_flags -= rest;
    struct Block *tail = after(block);
    tail->size_and_flags = rest | USED | BEFORE_USED;
    after(tail)->size_and_flags |= BEFORE_USED;
    release(tail);
}

/* Get at least `size` more bytes from the kernel, as a free block. */
static int grow(size_t size)
{
    size_t more = (size + 2 * HEADER + GROW_BY - 1) & -GROW_BY;
    char *start = sbrk(more);
    struct Block *block;

    if (start == (void *)-1)
        return -1;
    if (end_of_heap && start == (char *)end_of_heap + HEADER) {
        block = end_of_heap;
        block->size_and_flags += more;
    } else { /* the first time, or somebody else called sbrk() */
        size_t skip = -(uintptr_t)start & (ALIGNMENT - 1);
        block = (struct Block *)(start + skip);
        block->size_and_flags = ((more - skip - HEADER) & -ALIGNMENT) | USED | BEFORE_USED;
    }
    end_of_heap = after(block);
    end_of_heap->size_and_flags = USED | BEFORE_USED;
    release(block);
    return 0;
}

/* The first block of a list that is large enough, looking into larger lists as well. */
static struct Block *find(size_t size)
{
    for (int list = list_of(size); list < LISTS; list++)
        for (struct Block *block = lists[list]; block; block = block->next)
            if (size_of(block) >= size)
                return block;
    return NULL;
}

static void *map(size_t size)
{
    size_t total = (size + PAGE - 1) & -PAGE;
    struct Block *block =
        mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (block == MAP_FAILED)
        return NULL;
    block->size_and_flags = total | USED | MAPPED;
    return (char *)block + HEADER;
}

void *malloc(size_t wanted)
{
    if (wanted > SIZE_MAX / 2) {
        errno = ENOMEM;
        return NULL;
    }
    size_t size = (wanted + HEADER + ALIGNMENT - 1) & -ALIGNMENT;
    if (size < SMALLEST)
        size = SMALLEST;
    if (size >= MAPPED_FROM)
        return map(size);

    struct Block *block = find(size);
    if (!block && grow(size) == 0)
        block = find(size);
    if (!block) {
        errno = ENOMEM;
        return NULL;
    }
    take_from_list(block);
    block->size_and_flags |= USED;
    after(block)->size_and_flags |= BEFORE_USED;
    trim(block, size);
    return (char *)block + HEADER;
}

void free(void *payload)
{
    if (!payload)
        return;
    struct Block *block = block_of(payload);
    if (!(block->size_and_flags & USED))
        abort(); /* freed twice, or never allocated */
    if (block->size_and_flags & MAPPED)
        munmap(block, size_of(block));
    else
        release(block);
}

void *calloc(size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    void *payload = malloc(total);
    return payload ? memset(payload, 0, total) : NULL;
}

void *realloc(void *payload, size_t size)
{
    if (!payload)
        return malloc(size);
    size_t room = size_of(block_of(payload)) - HEADER;
    if (size <= room && (size >= room / 2 || room < 128))
        return payload;
    void *moved = malloc(size);
    if (!moved)
        return NULL;
    memcpy(moved, payload, size < room ? size : room);
    free(payload);
    return moved;
}
