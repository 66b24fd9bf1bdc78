#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <sys/types.h>

#define EOF (-1)
#define BUFSIZ 4096

#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2

typedef struct File FILE;

extern FILE *const stdin;
extern FILE *const stdout;
extern FILE *const stderr;

FILE *fopen(const char *restrict path, const char *restrict mode);
FILE *fdopen(int fd, const char *mode);
int fclose(FILE *file);
int fflush(FILE *file); /* NULL: all that were opened for writing */
int fileno(FILE *file);
int feof(FILE *file);
int ferror(FILE *file);
void clearerr(FILE *file);
int fseek(FILE *file, long offset, int whence);
long ftell(FILE *file);
void rewind(FILE *file);

int fgetc(FILE *file);
int getc(FILE *file);
int getchar(void);
int ungetc(int c, FILE *file);
char *fgets(char *restrict s, int size, FILE *restrict file);
ssize_t getdelim(char **restrict line, size_t *restrict room, int delimiter, FILE *restrict file);
ssize_t getline(char **restrict line, size_t *restrict room, FILE *restrict file);
size_t fread(void *restrict to, size_t size, size_t count, FILE *restrict file);

int fputc(int c, FILE *file);
int putc(int c, FILE *file);
int putchar(int c);
int fputs(const char *restrict s, FILE *restrict file);
int puts(const char *s);
size_t fwrite(const void *restrict from, size_t size, size_t count, FILE *restrict file);

#define PRINTF(format_at, first_at) __attribute__((format(printf, format_at, first_at)))

PRINTF(1, 2) int printf(const char *restrict format, ...);
PRINTF(2, 3) int fprintf(FILE *restrict file, const char *restrict format, ...);
PRINTF(2, 3) int dprintf(int fd, const char *restrict format, ...);
PRINTF(2, 3) int sprintf(char *restrict s, const char *restrict format, ...);
PRINTF(3, 4) int snprintf(char *restrict s, size_t size, const char *restrict format, ...);
PRINTF(2, 3) int asprintf(char **restrict s, const char *restrict format, ...);
PRINTF(2, 0) int vfprintf(FILE *restrict file, const char *restrict format, va_list arguments);
PRINTF(3, 0)
int vsnprintf(char *restrict s, size_t size, const char *restrict format, va_list arguments);

void perror(const char *what);
int rename(const char *from, const char *to);
int remove(const char *path);
