/* Redirections, and how they are undone for what runs inside the shell. */
#include "sh.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_COPY 10 /* descriptors that scripts do not use */

struct SavedFd {
    struct SavedFd *next;
    int fd, copy; /* copy -1: it was closed */
};

static struct SavedFd *saved;

static void save(int fd)
{
    struct SavedFd *entry = malloc(sizeof *entry);

    entry->fd = fd;
    entry->copy = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_COPY);
    entry->next = saved;
    saved = entry;
}

struct SavedFd *redirect_mark(void)
{
    return saved;
}

void redirect_undo(struct SavedFd *mark)
{
    fflush(stdout);
    while (saved != mark) {
        struct SavedFd *entry = saved;
        saved = entry->next;
        if (entry->copy >= 0) {
            dup2(entry->copy, entry->fd);
            close(entry->copy);
        } else {
            close(entry->fd);
        }
        free(entry);
    }
}

/* A pipe to read the document from; a process of its own writes what a pipe may not hold. */
static int here_document(const char *text)
{
    int fds[2];
    size_t size = strlen(text);

    if (pipe(fds) < 0)
        return -1;
    if (size <= PIPE_BUF) {
        write_all(fds[1], text, size);
    } else if (job_fork(NULL) == 0) {
        close(fds[0]);
        write_all(fds[1], text, size);
        _exit(0);
    }
    close(fds[1]);
    return fds[0];
}

static int open_target(const struct Redirection *redirection, const char *target)
{
    switch (redirection->kind) {
    case REDIRECT_IN: return open(target, O_RDONLY);
    case REDIRECT_OUT: return open(target, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    case REDIRECT_APPEND: return open(target, O_WRONLY | O_CREAT | O_APPEND, 0666);
    case REDIRECT_BOTH: return open(target, O_RDWR | O_CREAT, 0666);
    default: return here_document(target);
    }
}

static int duplicate(int fd, const char *target)
{
    if (!strcmp(target, "-")) {
        close(fd);
        return 0;
    }
    if (!isdigit(*target) || target[strspn(target, "0123456789")])
        fail("%s: bad file descriptor", target);
    int from = atoi(target);
    if (from == fd ? fcntl(fd, F_GETFD) < 0 : dup2(from, fd) < 0) {
        fprintf(stderr, "%s: %s: %s\n", shell.name, target, strerror(errno));
        return -1;
    }
    return 0;
}

static int move(int fd, int to)
{
    if (fd == to)
        return 0;
    int result = dup2(fd, to);
    close(fd);
    return result < 0 ? -1 : 0;
}

static int redirect_one(const struct Redirection *redirection, int undoable)
{
    int here = redirection->kind == REDIRECT_HERE;
    const char *target = here && redirection->quoted ? redirection->target
                         : here                      ? expand_here(redirection->target)
                                                     : expand_string(redirection->target);

    if (undoable)
        save(redirection->fd);
    if (redirection->kind == REDIRECT_DUPLICATE)
        return duplicate(redirection->fd, target);
    int fd = open_target(redirection, target);
    if (fd < 0) {
        const char *why = redirection->kind == REDIRECT_IN ? "open" : "create";
        fprintf(stderr, "%s: can't %s %s: %s\n", shell.name, why, target, strerror(errno));
        return -1;
    }
    return move(fd, redirection->fd);
}

int redirect(const struct Redirection *redirections, int undoable)
{
    fflush(stdout);
    for (; redirections; redirections = redirections->next)
        if (redirect_one(redirections, undoable) < 0)
            return -1;
    return 0;
}
