/* `ls: /x: No such file or directory`: the name of the program, what went wrong, why. */
#pragma once

#include <stdio.h>

extern const char *program_name; /* last part of argv[0] */

PRINTF(1, 2) void warn(const char *format, ...);  /* with the text of errno */
PRINTF(1, 2) void warnx(const char *format, ...); /* without */
PRINTF(2, 3) _Noreturn void err(int status, const char *format, ...);
PRINTF(2, 3) _Noreturn void errx(int status, const char *format, ...);
