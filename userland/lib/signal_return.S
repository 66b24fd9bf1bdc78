/* Where a signal handler returns to: the kernel restores what the signal interrupted. */
#include <pykern/syscalls.h>

        .text
        .globl  signal_return
        .type   signal_return, @function
        nop                     /* gdb knows the frame by the two instructions below */
signal_return:
        mov     $SYS_rt_sigreturn, %rax
        syscall
        .size   signal_return, . - signal_return

        .section .note.GNU-stack, "", @progbits
