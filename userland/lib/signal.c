/* Signals. */
#include <signal.h>
#include <syscall.h>
#include <unistd.h>

void signal_return(void); /* signal_return.S */

int sigaction(int signal, const struct sigaction *restrict action, struct sigaction *restrict old)
{
    struct sigaction own;

    if (action) {
        own = *action;
        own.sa_flags |= SA_RESTORER;
        own.sa_restorer = signal_return;
        action = &own;
    }
    return syscall_result(sys_rt_sigaction(signal, action, old, sizeof(sigset_t)));
}

sighandler_t signal(int signal, sighandler_t handler)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART}, old;

    return sigaction(signal, &action, &old) < 0 ? SIG_ERR : old.sa_handler;
}

int sigprocmask(int how, const sigset_t *restrict set, sigset_t *restrict old)
{
    return syscall_result(sys_rt_sigprocmask(how, set, old, sizeof(sigset_t)));
}

int sigsuspend(const sigset_t *mask)
{
    return syscall_result(sys_rt_sigsuspend(mask, sizeof(sigset_t)));
}

int kill(pid_t pid, int signal)
{
    return syscall_result(sys_kill(pid, signal));
}

int killpg(pid_t pgid, int signal)
{
    return kill(-pgid, signal);
}

int raise(int signal)
{
    return kill(getpid(), signal);
}

int pause(void)
{
    return syscall_result(sys_pause());
}

unsigned alarm(unsigned seconds)
{
    return sys_alarm(seconds);
}
