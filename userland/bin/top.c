/* top: what uses the processors. -b for output that is kept, -n N rounds, -d SECONDS between them;
 * q leaves. */
#include <err.h>
#include <poll.h>
#include <proc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysinfo.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define MOST_CPUS 64

struct CpuTimes {
    unsigned long busy, total; /* ticks */
};

struct Sample {
    struct ProcessInfo *processes;
    long count;
    struct CpuTimes cpus[MOST_CPUS];
    int cpu_count;
    long time_ms;
};

static struct termios cooked;

static void restore_terminal(void)
{
    tcsetattr(STDIN_FILENO, TCSANOW, &cooked);
}

/* The lines `cpuN user nice system idle …` of /proc/stat. */
static void read_cpus(struct Sample *sample)
{
    static char text[16384];
    char *rest = text, *line;

    sample->cpu_count = 0;
    if (file_read_text("/proc/stat", text, sizeof text) < 0)
        return;
    while ((line = strsep(&rest, "\n")) && sample->cpu_count < MOST_CPUS) {
        if (strncmp(line, "cpu", 3) || line[3] == ' ')
            continue;
        char *at = strchr(line, ' ');
        struct CpuTimes *times = &sample->cpus[sample->cpu_count++];
        *times = (struct CpuTimes){0};
        for (int field = 0; field < 8 && at && *at; field++) {
            unsigned long ticks = strtoul(at, &at, 10);
            times->total += ticks;
            if (field != 3 && field != 4) /* idle, waiting for a disk */
                times->busy += ticks;
        }
    }
}

static void take(struct Sample *sample)
{
    struct timespec now;

    sample->count = processes_read(&sample->processes);
    if (sample->count < 0)
        err(1, "/proc");
    read_cpus(sample);
    clock_gettime(CLOCK_MONOTONIC, &now);
    sample->time_ms = now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static unsigned long ticks_of(const struct ProcessInfo *process)
{
    return process->user_ticks + process->system_ticks;
}

static unsigned long ticks_before(const struct Sample *before, pid_t pid)
{
    for (long i = 0; i < before->count; i++)
        if (before->processes[i].pid == pid)
            return ticks_of(&before->processes[i]);
    return 0;
}

struct Row {
    const struct ProcessInfo *process;
    unsigned long ticks; /* since the last sample */
};

static int by_use(const void *a, const void *b)
{
    const struct Row *x = a, *y = b;

    if (x->ticks != y->ticks)
        return x->ticks < y->ticks ? 1 : -1;
    return x->process->pid - y->process->pid;
}

static void print_cpus(const struct Sample *before, const struct Sample *now)
{
    for (int i = 0; i < now->cpu_count; i++) {
        int known = i < before->cpu_count;
        unsigned long total = now->cpus[i].total - (known ? before->cpus[i].total : 0);
        unsigned long busy = now->cpus[i].busy - (known ? before->cpus[i].busy : 0);
        int last = i % 4 == 3 || i == now->cpu_count - 1;
        printf("CPU%-2d %3lu%%%s", i, total ? busy * 100 / total : 0, last ? "\n" : "   ");
    }
}

static int print_header(const struct Sample *before, const struct Sample *now)
{
    struct sysinfo info;
    long running = 0;

    for (long i = 0; i < now->count; i++)
        running += now->processes[i].state == 'R';
    sysinfo(&info);
    unsigned long unit = info.mem_unit;
    printf("up %ld:%02ld, %ld processes, %ld running\n", info.uptime / 3600,
           info.uptime / 60 % 60, now->count, running);
    printf("Mem %lu MiB, %lu MiB free\n", info.totalram * unit >> 20, info.freeram * unit >> 20);
    print_cpus(before, now);
    return 4 + (now->cpu_count + 3) / 4;
}

static void print_processes(const struct Sample *before, const struct Sample *now, long rows)
{
    struct Row *table = calloc(now->count + 1, sizeof *table);
    long interval = now->time_ms - before->time_ms;

    for (long i = 0; i < now->count; i++) {
        const struct ProcessInfo *process = &now->processes[i];
        unsigned long earlier = ticks_before(before, process->pid);
        table[i] = (struct Row){process, ticks_of(process) - earlier};
    }
    qsort(table, now->count, sizeof *table, by_use);
    puts("  PID  PPID S CPU  %CPU    RSS COMMAND");
    for (long i = 0; i < now->count && i < rows; i++) {
        const struct ProcessInfo *p = table[i].process;
        unsigned long use = interval > 0 ? table[i].ticks * 100000 / TICKS_PER_SECOND / interval : 0;
        printf("%5d %5d %c %3d %4lu%% %5luk %.50s\n", p->pid, p->ppid, p->state, p->cpu, use,
               p->resident_size / 1024, p->command);
    }
    free(table);
}

/* Wait for the next round; 1 if somebody pressed q. */
static int wait_or_quit(double seconds, int batch)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char c;

    if (batch) {
        usleep(seconds * 1e6);
        return 0;
    }
    return poll(&input, 1, seconds * 1000) > 0 && (read(STDIN_FILENO, &c, 1) < 1 || c == 'q');
}

static void set_up_terminal(void)
{
    struct termios raw;

    if (tcgetattr(STDIN_FILENO, &cooked) < 0)
        return;
    atexit(restore_terminal);
    raw = cooked;
    raw.c_lflag &= ~(ICANON | ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

static long window_rows(int batch)
{
    struct winsize window;

    if (batch)
        return 1L << 30;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_row ? window.ws_row : 24;
}

int main(int argc, char *argv[])
{
    struct Sample before = {0}, now;
    int batch = !isatty(STDOUT_FILENO);
    long rounds = -1;
    double seconds = 2;

    for (int option; (option = getopt(argc, argv, "bn:d:")) != -1;)
        switch (option) {
        case 'b': batch = 1; break;
        case 'n': rounds = atol(optarg); break;
        case 'd': seconds = strtod(optarg, NULL); break;
        default: return 2;
        }
    if (!batch)
        set_up_terminal();
    for (long round = 0; rounds < 0 || round < rounds; round++) {
        if (round && wait_or_quit(seconds, batch))
            break;
        take(&now);
        if (!batch)
            printf("\033[H\033[J");
        int used = print_header(&before, &now);
        print_processes(&before, &now, window_rows(batch) - used);
        fflush(stdout);
        free(before.processes);
        before = now;
    }
    return 0;
}
