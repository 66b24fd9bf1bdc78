#include <microkernel/syscalls.h>
#include <program_start.h>

        PROGRAM_START SYS_exit_group

        .section .note.GNU-stack, "", @progbits
