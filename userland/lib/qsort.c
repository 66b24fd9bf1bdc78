/* Heap sort: in place, never worse than n log n, no recursion. */
#include <stdlib.h>

typedef int Compare(const void *, const void *);

static void swap(char *a, char *b, size_t size)
{
    while (size--) {
        char kept = *a;
        *a++ = *b;
        *b++ = kept;
    }
}

static void sift_down(char *base, size_t root, size_t count, size_t size, Compare *compare)
{
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && compare(base + child * size, base + (child + 1) * size) < 0)
            child++;
        if (compare(base + root * size, base + child * size) >= 0)
            return;
        swap(base + root * size, base + child * size, size);
    }
}

void qsort(void *array, size_t count, size_t size, Compare *compare)
{
    char *base = array;

    for (size_t root = count / 2; root--;)
        sift_down(base, root, count, size, compare);
    for (size_t end = count; end-- > 1;) {
        swap(base, base + end * size, size);
        sift_down(base, 0, end, size, compare);
    }
}

void *bsearch(const void *key, const void *array, size_t count, size_t size, Compare *compare)
{
    const char *base = array;

    while (count) {
        const char *middle = base + count / 2 * size;
        int order = compare(key, middle);
        if (order == 0)
            return (void *)middle;
        if (order > 0) {
            base = middle + size;
            count--;
        }
        count /= 2;
    }
    return NULL;
}
