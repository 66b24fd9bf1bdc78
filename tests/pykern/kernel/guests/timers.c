/* timer_create: signals, values, overruns, threads; what exec and fork leave of timers. */
#include "guest.h"
#include <sys/signalfd.h>

#define RT (SIGRTMIN + 2)

static volatile int seen, value, code, overrun, most, fired;

static void note(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    seen++;
    value = info->si_value.sival_int;
    code = info->si_code;
    overrun = info->si_overrun;
    most = overrun > most ? overrun : most;
}

static void set(timer_t timer, int flags, long ns, long interval_ns)
{
    struct itimerspec spec = { { interval_ns / 1000000000, interval_ns % 1000000000 },
                               { ns / 1000000000, ns % 1000000000 } };
    SHOW(timer_settime(timer, flags, &spec, 0));
}

static void until(int count)
{
    while (seen < count)
        sleep_ms(1);
}

static void *waiter(void *argument)
{
    siginfo_t info;
    int got = sigwaitinfo(argument, &info);
    SAY("thread: %d %d %d", got - SIGRTMIN, info.si_code, info.si_value.sival_int);
    return 0;
}

static void notified(union sigval given)
{
    fired = given.sival_int;
}

int main(int argc, char **argv)
{
    struct sigaction action = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = RT,
                              .sigev_value.sival_int = 1234 };
    struct itimerspec spec, old;
    timer_t one, two;
    if (argc > 1) {
        SHOW(timer_gettime((timer_t)0, &spec));
        return 0;
    }
    sigaction(RT, &action, 0);
    sigaction(SIGALRM, &action, 0);
    SHOW(timer_create(CLOCK_MONOTONIC, &event, &one));
    SHOW(timer_gettime(one, &spec));
    SAY("%ld %ld", (long)spec.it_value.tv_sec, spec.it_value.tv_nsec);
    set(one, 0, 5000000, 0);
    until(1);
    SAY("value %d code %d overrun %d", value, code, overrun);
    SHOW(timer_gettime(one, &spec));
    SAY("%ld %ld", (long)spec.it_value.tv_sec, spec.it_value.tv_nsec);
    set(one, 0, 1000000, 1000000);
    until(6);
    spec = (struct itimerspec){ 0 };
    SHOW(timer_settime(one, 0, &spec, &old));
    SAY("interval %ld, running %d", old.it_interval.tv_nsec, old.it_value.tv_nsec > 0);
    sleep_ms(10);
    int now = seen;
    sleep_ms(10);
    SAY("stopped %d", seen == now);
    /* Blocked, it overruns. */
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, RT);
    sigprocmask(SIG_BLOCK, &mask, 0);
    set(one, 0, 1000000, 1000000);
    sleep_ms(30);
    seen = 0;
    sigprocmask(SIG_UNBLOCK, &mask, 0);
    until(1);
    SHOW(timer_settime(one, 0, &spec, 0));
    SAY("overrun %d, told %d", most >= 20, timer_getoverrun(one) >= 0);
    SHOW(timer_create(CLOCK_REALTIME, 0, &two));
    clock_gettime(CLOCK_REALTIME, &spec.it_value);
    spec.it_value.tv_sec -= 10;
    seen = 0;
    SHOW(timer_settime(two, TIMER_ABSTIME, &spec, 0));
    until(1);
    SAY("in the past: code %d value is the timer %d", code, value == (int)(intptr_t)two);
    clock_gettime(CLOCK_REALTIME, &spec.it_value);
    spec.it_value.tv_nsec += 10000000;
    if (spec.it_value.tv_nsec >= 1000000000)
        spec.it_value.tv_sec++, spec.it_value.tv_nsec -= 1000000000;
    SHOW(timer_settime(two, TIMER_ABSTIME, &spec, 0));
    until(2);
    event.sigev_notify = SIGEV_NONE;
    timer_t quiet;
    SHOW(timer_create(CLOCK_MONOTONIC, &event, &quiet));
    set(quiet, 0, 60000000000, 0);
    SHOW(timer_gettime(quiet, &spec));
    SAY("left %d", spec.it_value.tv_sec >= 50);
    /* For one thread, and as a file. */
    pthread_t thread;
    sigprocmask(SIG_BLOCK, &mask, 0);
    pthread_create(&thread, 0, waiter, &mask);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_value.sival_int = 77;
    timer_t three;
    SHOW(timer_create(CLOCK_MONOTONIC, &event, &three));
    set(three, 0, 2000000, 0);
    pthread_join(thread, 0);
    int fd = signalfd(-1, &mask, 0);
    struct signalfd_siginfo record;
    set(three, 0, 2000000, 0);
    SHOW(read(fd, &record, sizeof record));
    SAY("record %d %d %d tid %d", (int)record.ssi_signo - SIGRTMIN, record.ssi_code,
        record.ssi_int, (int)record.ssi_overrun);
    event = (struct sigevent){ .sigev_notify = SIGEV_THREAD, .sigev_value.sival_int = 55,
                               .sigev_notify_function = notified };
    timer_t helper;
    SHOW(timer_create(CLOCK_MONOTONIC, &event, &helper));
    set(helper, 0, 2000000, 0);
    for (int i = 0; i < 2000 && !fired; i++)
        sleep_ms(1);
    SAY("helper thread: %d", fired);
    spec = (struct itimerspec){ .it_value.tv_nsec = 1000000000 };
    SHOW(timer_settime(one, 0, &spec, 0));
    SHOW(timer_settime(one, 0, 0, 0));
    SHOW(syscall(SYS_timer_settime, 999, 0, &old, 0));
    SHOW(syscall(SYS_timer_gettime, 999, &old));
    SHOW(syscall(SYS_timer_getoverrun, 999));
    SHOW(syscall(SYS_timer_delete, 999));
    SHOW(syscall(SYS_timer_create, 99, 0, &old));
    event = (struct sigevent){ .sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65 };
    SHOW(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &old));
    event = (struct sigevent){ .sigev_notify = 9, .sigev_signo = RT };
    SHOW(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &old));
    SHOW(syscall(SYS_timer_create, CLOCK_MONOTONIC, 0, NOWHERE));
    SHOW(timer_delete(two));
    SHOW(timer_delete(two));
    set(one, 0, 20000000, 0);
    pid_t child = fork();
    if (!child) {
        SHOW(syscall(SYS_timer_gettime, one, &old));
        _exit(0);
    }
    say_status("child", wait_for(child));
    fflush(stdout);
    execl(argv[0], argv[0], "after", (char *)0);
    return 1;
}
