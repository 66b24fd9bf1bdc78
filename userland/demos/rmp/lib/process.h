/* Programs of the memory and process kernel: its own system calls, and nothing else. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <syscall_gate.h>
#include <rmp/syscalls.h>

#define PAGE_SIZE 4096
