/* The table of built-in commands. */
#pragma once

#include "sh.h"

struct BuiltinEntry {
    const char *name;
    Builtin *run;
    int special; /* assignments before it stay (POSIX, Special Built-In Utilities) */
    const char *usage, *help;
};

extern const struct BuiltinEntry builtins[];
extern const size_t builtin_count;
