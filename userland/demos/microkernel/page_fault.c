/* page_fault MIB: write to so much memory, more than there is, and find it all again (MIC-10, MIC-15). */
#include "lib/task.h"

static unsigned long pattern(unsigned long page)
{
    return page * 0x9E3779B97F4A7C15ul ^ 0x5A;
}

int main(int argc, char **argv)
{
    unsigned long size = (argc == 2 ? number(argv[1]) : 1) << 20, pages = size / PAGE_SIZE, wrong = 0;
    long where = sys_mmap(0, size, 3, 0x22, -1, 0);

    if (where < 0)
        return 2;
    for (unsigned long page = 0; page < pages; page++) {
        unsigned long *words = (unsigned long *)(where + page * PAGE_SIZE);
        words[page % 512] = pattern(page);
    }
    for (unsigned long page = 0; page < pages; page++) {
        unsigned long *words = (unsigned long *)(where + page * PAGE_SIZE);
        wrong += words[page % 512] != pattern(page) || words[(page + 1) % 512] != 0;
    }
    if (wrong) {
        print("page_fault: ", wrong, " pages have lost their content\n");
        return 1;
    }
    print("page_fault: ", pages, " pages written and found again\n");
    return 0;
}
