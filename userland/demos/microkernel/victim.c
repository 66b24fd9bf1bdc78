/* victim: has a secret, waits for a message, and looks whether the secret is still there (MIC-06). */
#include "lib/task.h"

#define SECRET 0x5EC5E7ul

static volatile unsigned long secret[PAGE_SIZE / 8] = {SECRET};

int main(void)
{
    char buffer[MESSAGE_SIZE];
    unsigned long changed = 0;

    recv(buffer, sizeof buffer);
    for (unsigned long i = 0; i < PAGE_SIZE / 8; i++)
        changed += secret[i] != (i ? 0 : SECRET);
    print("victim: ", changed, " words have changed\n");
    return changed != 0;
}
