#include <rmp/syscalls.h>
#include <program_start.h>

        PROGRAM_START SYS_exit

        .section .note.GNU-stack, "", @progbits
