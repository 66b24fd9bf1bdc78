/* A stack overflow is handled on another stack. */
#include "guest.h"
#include <sys/resource.h>

static sigjmp_buf back;
static char other[65536];
static int here;

static void overflow(int number, siginfo_t *info, void *context)
{
    (void)context;
    char local;
    stack_t now;
    sigaltstack(0, &now);
    SAY("%s: on the other stack %d, SS_ONSTACK %d, near the stack %d", sigabbrev_np(number),
        &local >= other && &local < other + sizeof other, now.ss_flags == SS_ONSTACK,
        labs((char *)info->si_addr - (char *)&here) > 1 << 20);
    stack_t none = { .ss_flags = SS_DISABLE };
    SHOW(sigaltstack(&none, 0));
    siglongjmp(back, 1);
}

static int __attribute__((noinline)) deeper(int n)
{
    volatile char room[4096];
    room[0] = n;
    return n < 1 << 30 ? deeper(n + 1) + room[0] : 0;
}

int main(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_STACK, &limit);
    SAY("limit %ld", (long)limit.rlim_cur);
    stack_t stack = { .ss_sp = other, .ss_size = sizeof other }, old;
    stack_t small = { .ss_sp = other, .ss_size = 100 }, odd = { .ss_flags = 64 };
    SHOW(sigaltstack(&small, 0));
    SHOW(sigaltstack(&odd, 0));
    SHOW(sigaltstack(&stack, 0));
    SHOW(sigaltstack(0, &old));
    SAY("%d %ld %d", old.ss_sp == other, (long)old.ss_size, old.ss_flags);
    struct sigaction action = { .sa_sigaction = overflow, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    sigaction(SIGSEGV, &action, 0);
    for (int i = 0; i < 2; i++)
        if (!sigsetjmp(back, 1))
            deeper(0);
    SHOW(sigaltstack(0, &old));
    SAY("%d", old.ss_flags);
    /* Without another stack the handler has no room: the process is killed. */
    stack_t none = { .ss_flags = SS_DISABLE };
    sigaltstack(&none, 0);
    pid_t child = fork();
    if (!child)
        return deeper(0);
    say_status("overflow", wait_for(child));
    return 0;
}
