/* What a FILE is made of; private to stdio. */
#pragma once

#include <stdio.h>

enum FileFlag {
    FILE_READ = 1,
    FILE_WRITE = 2,
    FILE_LINES = 4,      /* written out at the end of a line */
    FILE_UNBUFFERED = 8, /* written out at the end of a call */
    FILE_END = 16,
    FILE_ERROR = 32,
    FILE_IS_WRITING = 64, /* the buffer holds what is to be written, not what was read */
    FILE_APPEND = 128,
};

struct File {
    int fd;
    unsigned flags;
    size_t at, end;     /* reading: what of the buffer is unread; writing: `at` bytes are pending */
    struct File *next;  /* of all open files */
    unsigned char buffer[BUFSIZ];
};

extern struct File *open_files;

/* Write out what is pending. */
int file_flush(FILE *file);
/* Put bytes into the buffer of a file, writing it out when it is full. */
int file_put(FILE *file, const char *from, size_t size);
/* At the end of a call: write out a line, or all of an unbuffered file. */
int file_settle(FILE *file, int saw_newline);
