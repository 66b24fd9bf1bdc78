/* Reading /proc. */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <proc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_SIZE 4096

ssize_t file_read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY);
    size_t done = 0;
    ssize_t part;

    if (fd < 0)
        return -1;
    while (done + 1 < size && (part = read(fd, text + done, size - 1 - done)) > 0)
        done += part;
    close(fd);
    text[done] = 0;
    return done;
}

/* The fields of /proc/PID/stat behind the name, which may contain anything. */
static int parse_stat(char *text, struct ProcessInfo *info)
{
    char *open = strchr(text, '('), *close = strrchr(text, ')');
    unsigned long fields[40] = {0};

    if (!open || !close || !close[1])
        return -1;
    *close = 0;
    strlcpy(info->name, open + 1, sizeof info->name);
    info->state = close[2];
    char *at = close + 3;
    for (int field = 4; field < 40 && *at; field++) /* numbered as in proc(5) */
        fields[field] = strtoul(at, &at, 10);
    info->ppid = fields[4];
    info->pgid = fields[5];
    info->sid = fields[6];
    info->user_ticks = fields[14];
    info->system_ticks = fields[15];
    info->threads = fields[20];
    info->start_ticks = fields[22];
    info->virtual_size = fields[23];
    info->resident_size = fields[24] * PAGE_SIZE;
    info->cpu = fields[39];
    return 0;
}

static void read_command(struct ProcessInfo *info)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/cmdline", info->pid);
    ssize_t size = file_read_text(path, info->command, sizeof info->command);
    if (size <= 0) {
        snprintf(info->command, sizeof info->command, "[%s]", info->name);
        return;
    }
    for (ssize_t i = 0; i < size - 1; i++) /* arguments end with zeros */
        if (!isprint(info->command[i]))
            info->command[i] = ' ';
}

static int process_read(pid_t pid, struct ProcessInfo *info)
{
    char path[64], text[1024];
    struct stat status;

    memset(info, 0, sizeof *info);
    info->pid = pid;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    if (file_read_text(path, text, sizeof text) < 0 || parse_stat(text, info) < 0)
        return -1; /* it ended while we were looking */
    if (stat(path, &status) == 0)
        info->uid = status.st_uid;
    read_command(info);
    return 0;
}

static int compare(const void *a, const void *b)
{
    return ((const struct ProcessInfo *)a)->pid - ((const struct ProcessInfo *)b)->pid;
}

long processes_read(struct ProcessInfo **processes)
{
    DIR *directory = opendir("/proc");
    long count = 0;

    *processes = NULL;
    if (!directory)
        return -1;
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (!isdigit(entry->d_name[0]))
            continue;
        if (count % 32 == 0)
            *processes = realloc(*processes, (count + 32) * sizeof **processes);
        if (!*processes)
            break;
        if (process_read(atoi(entry->d_name), *processes + count) == 0)
            count++;
    }
    closedir(directory);
    qsort(*processes, count, sizeof **processes, compare);
    return count;
}
