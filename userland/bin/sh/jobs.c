/* Jobs: pipelines, as process groups where there is a terminal to share. */
#include "sh.h"

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

struct Job *jobs; /* the newest first */

int wait_status(int status)
{
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    return 128 + (WIFSTOPPED(status) ? WSTOPSIG(status) : WTERMSIG(status));
}

struct Job *job_make(const char *source, int background)
{
    struct Job *job = calloc(1, sizeof *job);

    if (!job)
        err(2, "out of memory");
    job->number = 1;
    for (struct Job *other = jobs; other; other = other->next)
        if (other->number >= job->number)
            job->number = other->number + 1;
    job->source = strdup(source);
    job->background = background;
    job->next = jobs;
    return jobs = job;
}

void job_remove(struct Job *job)
{
    struct Job **link = &jobs;

    while (*link && *link != job)
        link = &(*link)->next;
    if (*link)
        *link = job->next;
    while (job->processes) {
        struct Process *next = job->processes->next;
        free(job->processes);
        job->processes = next;
    }
    free(job->source);
    free(job);
}

void jobs_forget(void)
{
    while (jobs)
        job_remove(jobs);
}

static void give_terminal(pid_t pgid)
{
    tcsetpgrp(shell.terminal, pgid);
}

static void in_child(struct Job *job)
{
    static const int ignored[] = {SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGTERM};

    if (job && shell.monitor) {
        pid_t pgid = job->pgid ? job->pgid : getpid();
        setpgid(0, pgid);
        if (!job->background)
            give_terminal(pgid);
    }
    for (size_t i = 0; shell.interactive && i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_DFL);
    reset_traps();
    jobs_forget();
    shell.monitor = shell.interactive = 0;
    shell.top = NULL;
}

pid_t job_fork(struct Job *job)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        in_child(job);
        return 0;
    }
    if (pid < 0 || !job)
        return pid;
    if (shell.monitor) { /* parent and child do it both: whoever comes first */
        if (!job->pgid)
            job->pgid = pid;
        setpgid(pid, job->pgid);
    }
    struct Process *process = calloc(1, sizeof *process);
    process->pid = pid;
    process->next = job->processes;
    job->processes = process;
    return pid;
}

int job_done(const struct Job *job)
{
    for (const struct Process *process = job->processes; process; process = process->next)
        if (process->state != DONE)
            return 0;
    return 1;
}

static int job_stopped(const struct Job *job)
{
    int stopped = 0;

    for (const struct Process *process = job->processes; process; process = process->next) {
        if (process->state == RUNNING)
            return 0;
        stopped |= process->state == STOPPED;
    }
    return stopped;
}

int job_status(const struct Job *job)
{
    return job->processes ? wait_status(job->processes->status) : shell.status;
}

static void note(pid_t pid, int status)
{
    for (struct Job *job = jobs; job; job = job->next)
        for (struct Process *process = job->processes; process; process = process->next) {
            if (process->pid != pid)
                continue;
            process->status = status;
            process->state = WIFSTOPPED(status) ? STOPPED : WIFCONTINUED(status) ? RUNNING : DONE;
            return;
        }
}

void jobs_collect(void)
{
    int status;

    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0;)
        note(pid, status);
}

static const char *state_text(const struct Job *job)
{
    static char text[40];
    int status = job->processes ? job->processes->status : 0;

    if (job_stopped(job))
        return "Stopped";
    if (!job_done(job))
        return "Running";
    if (WIFSIGNALED(status))
        return strsignal(WTERMSIG(status));
    if (WEXITSTATUS(status) == 0)
        return "Done";
    snprintf(text, sizeof text, "Done(%d)", WEXITSTATUS(status));
    return text;
}

void job_print(const struct Job *job, int with_pids)
{
    char mark = job == jobs ? '+' : jobs && job == jobs->next ? '-' : ' ';

    printf("[%d]%c  ", job->number, mark);
    if (with_pids)
        printf("%d ", job->pgid ? job->pgid : job->processes->pid);
    printf("%-26s %s\n", state_text(job), job->source);
}

void jobs_report(void)
{
    jobs_collect();
    for (struct Job *job = jobs, *next; job; job = next) {
        next = job->next;
        if (!job_done(job))
            continue;
        if (shell.interactive)
            job_print(job, 0);
        job_remove(job);
    }
    fflush(stdout);
}

/* Tell why a foreground job ended, where the reason is not known to whoever watches. */
static void explain(const struct Job *job)
{
    int status = job->processes ? job->processes->status : 0;

    if (!WIFSIGNALED(status) || WTERMSIG(status) == SIGPIPE)
        return;
    if (WTERMSIG(status) == SIGINT) {
        if (shell.interactive)
            putc('\n', stderr);
        return;
    }
    fprintf(stderr, "%s%s\n", strsignal(WTERMSIG(status)),
            WCOREDUMP(status) ? " (core dumped)" : "");
}

/* Take the terminal back. What a program that ended well set is kept; what one that was killed or
 * stopped left is undone. */
static void take_terminal(const struct Job *job)
{
    int status = job->processes ? job->processes->status : 0;

    give_terminal(shell.pid);
    if (WIFEXITED(status))
        tcgetattr(shell.terminal, &shell.modes);
    else
        tcsetattr(shell.terminal, TCSADRAIN, &shell.modes);
}

int job_wait(struct Job *job)
{
    int status;

    job->background = 0;
    while (!job_done(job) && !job_stopped(job)) {
        pid_t pid = waitpid(-1, &status, WUNTRACED);
        if (pid > 0)
            note(pid, status);
        else if (errno != EINTR)
            break;
    }
    if (shell.monitor)
        take_terminal(job);
    int result = job_status(job);
    if (job_stopped(job)) {
        putchar('\n');
        job_print(job, 0);
        fflush(stdout);
        return result;
    }
    explain(job);
    job_remove(job);
    return result;
}

int job_continue(struct Job *job, int background)
{
    for (struct Process *process = job->processes; process; process = process->next)
        if (process->state == STOPPED)
            process->state = RUNNING;
    job->background = background;
    if (!background && shell.monitor)
        give_terminal(job->pgid);
    killpg(job->pgid, SIGCONT);
    return background ? 0 : job_wait(job);
}

/* %1, %%, %+, %-, %name, or the pid of a process. */
struct Job *job_named(const char *name)
{
    if (!name || !strcmp(name, "%%") || !strcmp(name, "%+") || !strcmp(name, "%"))
        return jobs;
    if (!strcmp(name, "%-"))
        return jobs && jobs->next ? jobs->next : jobs;
    char *end;
    long number = strtol(name + (*name == '%'), &end, 10);
    for (struct Job *job = jobs; job; job = job->next) {
        if (*end && *name == '%' && !strncmp(job->source, name + 1, strlen(name + 1)))
            return job;
        if (!*end && *name == '%' && job->number == number)
            return job;
        for (struct Process *process = job->processes; process; process = process->next)
            if (!*end && *name != '%' && process->pid == number)
                return job;
    }
    return NULL;
}
