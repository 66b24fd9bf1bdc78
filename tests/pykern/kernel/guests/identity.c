/* Users and groups: who may become whom, use which file, signal whom. Run as user 0. */
#include "guest.h"
#include <grp.h>
#include <sys/auxv.h>
#include <sys/fsuid.h>
#include <sys/resource.h>

#define RT (SIGRTMIN + 3)

static void ids(const char *what)
{
    unsigned u[3], g[3];
    syscall(SYS_getresuid, &u[0], &u[1], &u[2]);
    syscall(SYS_getresgid, &g[0], &g[1], &g[2]);
    SAY("%s: uid %u %u %u %u gid %u %u %u %u", what, u[0], u[1], u[2], setfsuid(-1), g[0], g[1],
        g[2], setfsgid(-1));
}

/* Run a function in a child, so that its parent stays who it is. */
static void in_child(const char *what, void (*body)(void))
{
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        body();
        fflush(stdout);
        _exit(0);
    }
    say_status(what, wait_for(child));
}

#define SETUID(...) SHOW(syscall(SYS_setuid, __VA_ARGS__))
#define SETREUID(...) SHOW(syscall(SYS_setreuid, __VA_ARGS__))
#define SETRESUID(...) SHOW(syscall(SYS_setresuid, __VA_ARGS__))

static void for_good(void)
{
    SETUID(1001);
    ids("setuid");
    SETUID(0);
    SETUID(1002);
    SETUID(-1);
    SETUID(1001);
    SHOW(syscall(SYS_setgid, 5));
    gid_t groups[2] = { 1, 2 };
    SHOW(syscall(SYS_setgroups, 2, groups));
    SHOW(setpriority(PRIO_PROCESS, 0, 5));
    SHOW(setpriority(PRIO_PROCESS, 0, 1));
    SHOW(chroot("/"));
}

static void for_a_while(void)
{
    SETRESUID(1001, 1002, 1003);
    ids("three");
    SETUID(1003);
    ids("saved");
    SETUID(1001);
    ids("real");
    SETRESUID(-1, 1004, -1);
    SETRESUID(1003, -1, -1);
    SETRESUID(1001, 1001, 1001);
    ids("all");
    SETRESUID(-1, 1003, -1);
}

static void swapped(void)
{
    SETREUID(1001, 0);
    ids("root yet");
    SETREUID(0, 1001);
    ids("swapped");
    SETREUID(-1, 0);
    ids("root again");
    SETREUID(-1, 1005);
    ids("other");
    SETREUID(1006, -1);
    SETREUID(1005, -1);
    ids("real");
    SETREUID(-1, -1);
    ids("same");
}

static void of_groups(void)
{
    gid_t groups[4] = { 30, 10, 20, 10 }, found[8];
    SHOW(syscall(SYS_setgroups, 3, groups));
    SHOW(getgroups(0, 0));
    SHOW(getgroups(2, found));
    int count = getgroups(8, found);
    for (int i = 0; i < count; i++)
        SAY("group %d", found[i]);
    SHOW(syscall(SYS_setgroups, 65537, groups));
    SHOW(syscall(SYS_setgroups, 2, NOWHERE));
    SHOW(syscall(SYS_setresgid, 7, 8, 9));
    ids("groups");
    SHOW(syscall(SYS_setregid, -1, 11));
    ids("effective");
    SHOW(syscall(SYS_setgid, 12));
    ids("all");
}

static void of_files(void)
{
    struct stat st;
    umask(0);
    SHOW(mkdir("closed", 0700));
    SHOW(close(creat("closed/file", 0644)));
    SHOW(close(creat("secret", 0600)));
    SHOW(close(creat("grouped", 0640)));
    SHOW(chown("grouped", 0, 77));
    SHOW(mkdir("open", 0777));
    SHOW(mkdir("sticky", 01777));
    SHOW(close(creat("sticky/mine", 0666)));
    gid_t groups[1] = { 77 };
    SHOW(syscall(SYS_setgroups, 1, groups));
    SHOW(syscall(SYS_setresgid, 50, 50, 50));
    SETRESUID(-1, 1001, -1);
    SHOW(access("secret", R_OK));
    SHOW(syscall(SYS_faccessat2, AT_FDCWD, "secret", R_OK, AT_EACCESS));
    SHOW(syscall(SYS_faccessat2, AT_FDCWD, "secret", R_OK, 1));
    SHOW(open("secret", O_RDONLY));
    SHOW(stat("secret", &st));
    SHOW(stat("closed/file", &st));
    SHOW(close(open("grouped", O_RDONLY)));
    SHOW(open("grouped", O_WRONLY));
    SHOW(truncate("secret", 0));
    SHOW(chmod("secret", 0777));
    SHOW(chown("secret", 1001, -1));
    SHOW(unlink("sticky/mine"));
    SHOW(rename("sticky/mine", "open/mine"));
    SHOW(close(creat("open/own", 0640)));
    SHOW(stat("open/own", &st));
    SAY("owner %d %d mode %o", st.st_uid, st.st_gid, st.st_mode);
    SHOW(chown("open/own", -1, 77));
    SHOW(chown("open/own", -1, 78));
    SHOW(chown("open/own", 0, -1));
    SHOW(chmod("open/own", 04755));
    SHOW(mknod("open/device", S_IFCHR | 0600, 0x103));
    SHOW(mkfifo("open/fifo", 0600));
    SHOW(utimensat(AT_FDCWD, "secret", 0, 0));
    SHOW(setfsuid(0));
    SHOW(close(open("secret", O_RDONLY)));
    SHOW(setfsuid(1001));
    SHOW(open("secret", O_RDONLY));
    SETRESUID(1001, 1001, 1001);
    SHOW(access("secret", R_OK));
    SHOW(access("grouped", R_OK));
    SHOW(access("grouped", W_OK));
    SHOW(setfsuid(0));
    SHOW(open("secret", O_RDONLY));
}

static void of_signals(void)
{
    pid_t root = getppid(), other = fork();
    if (!other) {
        syscall(SYS_setresuid, 1002, 1003, 1004);
        sleep_ms(300);
        _exit(0);
    }
    sleep_ms(50);
    SETRESUID(1001, 1001, 1001);
    SHOW(kill(root, 0));
    SHOW(kill(root, SIGTERM));
    SHOW(kill(root, SIGCONT));
    SHOW(kill(root, 65));
    SHOW(kill(other, 0));
    SHOW(sigqueue(other, SIGUSR1, (union sigval){ .sival_int = 1 }));
    SHOW(syscall(SYS_tgkill, other, other, 0));
    SHOW(getpriority(PRIO_PROCESS, other));
    SHOW(setpriority(PRIO_PROCESS, other, 10));
    SHOW(syscall(SYS_prlimit64, other, RLIMIT_CORE, 0, 0));
    say_status("other", wait_for(other));
}

static void its_owner(void)
{
    pid_t victim = fork();
    if (!victim) {
        syscall(SYS_setresuid, 1002, 1003, 1004);
        alarm(1);
        pause();
    }
    sleep_ms(50);
    pid_t child = fork();
    if (!child) {
        SETRESUID(1003, 1003, 1003);
        SHOW(kill(victim, 0));
        _exit(0);
    }
    wait_for(child);
    SETRESUID(1004, 1004, 1004);
    SHOW(kill(victim, SIGKILL));
    say_status("victim", wait_for(victim));
}

static char order[256];

static void note(int number, siginfo_t *info, void *context)
{
    (void)context;
    sprintf(order + strlen(order), "%d:%d:%d ", number - SIGRTMIN, info->si_code,
            info->si_value.sival_int);
}

static void limited(void)
{
    struct rlimit limit = { 4, 6 }, more = { 6, 7 }, wrong = { 9, 8 };
    struct sigaction action = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    action.sa_mask = all;
    for (int n = RT; n < RT + 2; n++)
        sigaction(n, &action, 0);
    sigaction(SIGUSR1, &action, 0);
    sigaction(SIGUSR2, &action, 0);
    SETUID(48711);
    SHOW(setrlimit(RLIMIT_SIGPENDING, &limit));
    SHOW(setrlimit(RLIMIT_SIGPENDING, &more));
    SHOW(setrlimit(RLIMIT_SIGPENDING, &wrong));
    SHOW(setrlimit(99, &limit));
    sigprocmask(SIG_SETMASK, &all, 0);
    for (int i = 0; i < 6; i++)
        SHOW(sigqueue(getpid(), RT, (union sigval){ .sival_int = i }));
    SHOW(kill(getpid(), RT + 1));
    SHOW(kill(getpid(), RT + 1));
    SHOW(kill(getpid(), SIGUSR1));
    SHOW(sigqueue(getpid(), SIGUSR2, (union sigval){ .sival_int = 1 }));
    sigprocmask(SIG_SETMASK, &none, 0);
    SAY("what there was room for: %s", order);
    limit.rlim_cur = 0;
    SHOW(setrlimit(RLIMIT_NPROC, &limit));
    SHOW(fork());
}

static char *self;

static void execed(void)
{
    SETRESUID(1001, 1001, 1001);
    SHOW(execl("plain", "plain", "show", (char *)0));
    SHOW(execl("owned", "owned", "show", (char *)0));
}

static void copy(const char *name, int mode, int uid, int gid)
{
    static char data[1 << 22];
    int in = open("/proc/self/exe", O_RDONLY), out = open(name, O_CREAT | O_WRONLY, 0600);
    long size = read(in, data, sizeof data), done = 0, part = 1;
    for (; size > 0; size = read(in, data, sizeof data))
        for (done = 0; done < size && part > 0; done += part)
            part = write(out, data + done, size - done);
    close(in);
    close(out);
    SHOW(chown(name, uid, gid));
    SHOW(chmod(name, mode));
}

static void capabilities(void)
{
    struct { unsigned version; int pid; } header = { 0x20080522, 0 };
    unsigned data[6];
    SHOW(syscall(SYS_capget, &header, data));
    SETRESUID(1001, 1001, 0);
    SHOW(syscall(SYS_capget, &header, data));
    SAY("effective %x %x", data[0], data[3]);
    header.version = 1;
    SHOW(syscall(SYS_capget, &header, 0));
    SHOW(syscall(SYS_capget, &header, data));
    SAY("version %x", header.version);
    header.pid = 1 << 22;
    SHOW(syscall(SYS_capget, &header, data));
}

int main(int argc, char **argv)
{
    self = argv[0];
    if (argc > 1) {
        ids("execed");
        SAY("auxv %ld %ld %ld %ld secure %ld", getauxval(AT_UID), getauxval(AT_EUID),
            getauxval(AT_GID), getauxval(AT_EGID), getauxval(AT_SECURE));
        return 0;
    }
    chmod(".", 0755);
    setpriority(PRIO_PROCESS, 0, 3);
    in_child("for good", for_good);
    in_child("for a while", for_a_while);
    in_child("swapped", swapped);
    in_child("groups", of_groups);
    in_child("files", of_files);
    in_child("signals", of_signals);
    in_child("owner", its_owner);
    in_child("limited", limited);
    in_child("capabilities", capabilities);
    copy("plain", 0755, 0, 0);
    copy("owned", 06755, 1007, 1008);
    in_child("exec", execed);
    SAY("still %d", getuid());
    return 0;
}
