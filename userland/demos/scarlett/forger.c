/* forger: answers calls that were made to others; its status is how many it could (SCA-24). */
#include "lib/scarlett.h"

int main(void)
{
    struct ipc_message answer = {.inline_data = "forged"};
    int forged = 0;

    for (uint64_t msg_id = 0; msg_id < 64; msg_id++)
        forged += sys_ipc_reply(msg_id, &answer) == 0;
    return forged;
}
