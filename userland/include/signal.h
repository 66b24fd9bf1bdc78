#pragma once

#include <stdint.h>
#include <sys/types.h>

#define SIGHUP 1
#define SIGINT 2
#define SIGQUIT 3
#define SIGILL 4
#define SIGTRAP 5
#define SIGABRT 6
#define SIGBUS 7
#define SIGFPE 8
#define SIGKILL 9
#define SIGUSR1 10
#define SIGSEGV 11
#define SIGUSR2 12
#define SIGPIPE 13
#define SIGALRM 14
#define SIGTERM 15
#define SIGSTKFLT 16
#define SIGCHLD 17
#define SIGCONT 18
#define SIGSTOP 19
#define SIGTSTP 20
#define SIGTTIN 21
#define SIGTTOU 22
#define SIGURG 23
#define SIGXCPU 24
#define SIGXFSZ 25
#define SIGVTALRM 26
#define SIGPROF 27
#define SIGWINCH 28
#define SIGIO 29
#define SIGPWR 30
#define SIGSYS 31
#define NSIG 65

typedef uint64_t sigset_t;
typedef int sig_atomic_t;
typedef void (*sighandler_t)(int);

#define SIG_DFL ((sighandler_t)0)
#define SIG_IGN ((sighandler_t)1)
#define SIG_ERR ((sighandler_t)-1)

#define SA_NOCLDSTOP 0x00000001
#define SA_SIGINFO 0x00000004
#define SA_RESTORER 0x04000000
#define SA_ONSTACK 0x08000000
#define SA_RESTART 0x10000000
#define SA_NODEFER 0x40000000

#define SIG_BLOCK 0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

typedef struct {
    int si_signo;
    int si_errno;
    int si_code;
    int reserved;
    void *si_addr; /* of SIGSEGV, SIGBUS, SIGILL, SIGFPE; si_pid and si_uid of kill() */
    uint8_t other[104];
} siginfo_t;

/* Linux, struct sigaction of the kernel on x86-64: not the order of POSIX's members. */
struct sigaction {
    union {
        sighandler_t sa_handler;
        void (*sa_sigaction)(int, siginfo_t *, void *);
    };
    uint64_t sa_flags;
    void (*sa_restorer)(void);
    sigset_t sa_mask;
};

int sigaction(int signal, const struct sigaction *restrict action, struct sigaction *restrict old);
sighandler_t signal(int signal, sighandler_t handler);
int sigprocmask(int how, const sigset_t *restrict set, sigset_t *restrict old);
int sigsuspend(const sigset_t *mask);
int kill(pid_t pid, int signal);
int killpg(pid_t pgid, int signal);
int raise(int signal);

static inline int sigemptyset(sigset_t *set) { return *set = 0, 0; }
static inline int sigfillset(sigset_t *set) { return *set = ~0UL, 0; }
static inline int sigaddset(sigset_t *set, int signal) { return *set |= 1UL << (signal - 1), 0; }
static inline int sigdelset(sigset_t *set, int signal) { return *set &= ~(1UL << (signal - 1)), 0; }
static inline int sigismember(const sigset_t *set, int signal) { return *set >> (signal - 1) & 1; }

/* INT for SIGINT; 0 for a name that is none. */
const char *signal_name(int signal);
int signal_number(const char *name);
