/* stdio on files, directories and pipes; the same as with the host's C library. Needs an empty
 * working directory. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void streams(void)
{
    FILE *file = fopen("stream", "w+");
    char line[16];

    for (int i = 0; i < 3000; i++)
        fprintf(file, "%d\n", i);
    fseek(file, 0, SEEK_SET);
    printf("%s", fgets(line, sizeof line, file));
    printf("%ld ", ftell(file));
    fseek(file, 5000, SEEK_SET);
    printf("%s", fgets(line, sizeof line, file));
    ungetc('X', file);
    printf("%c %ld\n", fgetc(file), ftell(file));
    fseek(file, 0, SEEK_END);
    printf("%ld %d %d\n", ftell(file), fgetc(file), feof(file) != 0);
    fputs("end", file);
    rewind(file);
    long count = 0, sum = 0;
    for (int c; (c = fgetc(file)) != EOF; count++)
        sum += c;
    printf("%ld %ld\n", count, sum);
    fclose(file);
    file = fopen("stream", "a");
    fputs("more", file);
    fclose(file);
    struct stat status;
    stat("stream", &status);
    printf("%ld %o\n", (long)status.st_size, status.st_mode & ~0777);
    file = fopen("missing", "r");
    printf("%d %d\n", file == NULL, errno);
}

static void lines(void)
{
    char *line = NULL;
    size_t room = 0;
    FILE *file = fopen("lines", "w");

    for (int i = 0; i < 5; i++) {
        for (int j = 0; j < i * 100; j++)
            fputc('a' + i, file);
        fputc('\n', file);
    }
    fputs("no newline", file);
    fclose(file);
    file = fopen("lines", "r");
    for (ssize_t size; (size = getline(&line, &room, file)) > 0;)
        printf("%ld %c\n", (long)size, *line);
    free(line);
    fclose(file);
}

static void directories(void)
{
    int found = 0, dots = 0;

    mkdir("many", 0755);
    for (int i = 0; i < 200; i++) {
        char path[32];
        snprintf(path, sizeof path, "many/file%03d", i);
        close(open(path, O_CREAT | O_WRONLY, 0600));
    }
    DIR *directory = opendir("many");
    for (struct dirent *entry; (entry = readdir(directory));) {
        found += !strncmp(entry->d_name, "file", 4) && entry->d_type == DT_REG;
        dots += entry->d_name[0] == '.';
    }
    closedir(directory);
    printf("%d %d\n", found, dots);
    int result = rmdir("many");
    printf("%d %d\n", result, errno);
}

static void pipes(void)
{
    int fds[2], status;
    char buffer[64];

    pipe(fds);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fds[1], 1);
        char *argv[] = {"sh", "-c", "echo from the child; exit 7", NULL};
        execv("/bin/sh", argv);
        _exit(127);
    }
    close(fds[1]);
    FILE *file = fdopen(fds[0], "r");
    printf("%s", fgets(buffer, sizeof buffer, file));
    waitpid(pid, &status, 0);
    printf("%d %d\n", WIFEXITED(status), WEXITSTATUS(status));
}

int main(void)
{
    streams();
    lines();
    directories();
    pipes();
    return 0;
}
