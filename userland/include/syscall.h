/* The system calls as the kernel sees them: `sys_read(fd, buf, count)` returns -EBADF, not -1.
 *
 * The numbers and the sys_…() macros are generated from the ABI tables while building. */
#pragma once

#include <syscall_gate.h>

/* Turn a result into what POSIX wants: -1 and errno. */
long syscall_result(long result);

#include <pykern/syscalls.h>
