/* Programs of the Myria profile: position independent, SYSCALL, and nothing else. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <syscall_gate.h>
#include <myria/syscalls.h>

#define STDOUT 1
#define SUCCESS 99

/* Write text to the console. */
#define print(text) sys_write(STDOUT, text, sizeof(text) - 1)
