/* ps: all processes, from /proc. */
#include <err.h>
#include <proc.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    struct ProcessInfo *processes;
    long count = processes_read(&processes);

    if (count < 0)
        err(1, "/proc");
    puts("  PID  PPID  PGID S CPU   TIME    RSS COMMAND");
    for (long i = 0; i < count; i++) {
        const struct ProcessInfo *p = &processes[i];
        unsigned long seconds = (p->user_ticks + p->system_ticks) / TICKS_PER_SECOND;
        printf("%5d %5d %5d %c %3d %3lu:%02lu %5luk %s\n", p->pid, p->ppid, p->pgid, p->state,
               p->cpu, seconds / 60, seconds % 60, p->resident_size / 1024, p->command);
    }
    free(processes);
    return 0;
}
