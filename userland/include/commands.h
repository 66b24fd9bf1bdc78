/* Commands that are programs and that the shell has built in, too. */
#pragma once

int echo_command(int argc, char *argv[]);
int kill_command(int argc, char *argv[]);
int printf_command(int argc, char *argv[]);
int test_command(int argc, char *argv[]);

/* Read the escape sequence behind a backslash; return what follows, and -1 in *c for \c. */
const char *read_escape(const char *s, int *c, int leading_zero);
