/* jobs, fg, bg, wait, kill. */
#include "sh.h"

#include <commands.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static struct Job *named(const char *command, const char *name)
{
    struct Job *job = job_named(name);

    if (!job)
        fprintf(stderr, "%s: %s: %s: no such job\n", shell.name, command, name ? name : "current");
    return job;
}

static void list(struct Job *job, int with_pids)
{
    if (!job)
        return;
    list(job->next, with_pids); /* the oldest first */
    job_print(job, with_pids);
}

int builtin_jobs(int argc, char *argv[])
{
    jobs_collect();
    list(jobs, argc > 1 && !strcmp(argv[1], "-l"));
    for (struct Job *job = jobs, *next; job; job = next) {
        next = job->next;
        if (job_done(job))
            job_remove(job);
    }
    return 0;
}

int builtin_fg(int argc, char *argv[])
{
    struct Job *job = named("fg", argc > 1 ? argv[1] : NULL);

    if (!job)
        return 2;
    printf("%s\n", job->source);
    fflush(stdout);
    return job_continue(job, 0);
}

int builtin_bg(int argc, char *argv[])
{
    struct Job *job = named("bg", argc > 1 ? argv[1] : NULL);

    if (!job)
        return 2;
    printf("[%d] %s\n", job->number, job->source);
    return job_continue(job, 1);
}

/* Wait until a job is done, or a signal is to be handled. */
static int wait_for(struct Job *job)
{
    struct Process *process;
    int status;

    for (process = job->processes; process; process = process->next)
        while (process->state == RUNNING) {
            if (waitpid(process->pid, &status, 0) == process->pid) {
                process->status = status;
                process->state = DONE;
            } else if (errno != EINTR) {
                process->state = DONE;
            } else if (shell.interrupted || !shell.interactive) {
                return 130;
            }
        }
    status = job_status(job);
    job_remove(job);
    return status;
}

int builtin_wait(int argc, char *argv[])
{
    int status = 0;

    for (struct Job *job = jobs, *next; argc == 1 && job; job = next) {
        next = job->next;
        if (!job_done(job) && wait_for(job) == 130)
            return 130;
    }
    for (int i = 1; i < argc; i++) {
        struct Job *job = job_named(argv[i]);
        status = job ? wait_for(job) : 127;
    }
    return status;
}

/* As the program, but %1 is a job: its process group. */
int builtin_kill(int argc, char *argv[])
{
    static char number[24];
    char **copy = arena_take(&scratch, (argc + 2) * sizeof *copy), **to = copy;

    for (int i = 0; i < argc; i++) {
        *to = argv[i];
        if (argv[i][0] == '%') {
            struct Job *job = named("kill", argv[i]);
            if (!job)
                return 1;
            long target = job->pgid ? -job->pgid : job->processes->pid;
            snprintf(number, sizeof number, "%ld", target);
            *to = arena_copy(&scratch, number, strlen(number));
            if (i == 1) { /* else -pgid would be taken for a signal */
                to[1] = *to;
                *to++ = "--";
            }
        }
        to++;
    }
    return kill_command(to - copy, copy);
}
