/* How Scarlett programs begin and end, and their threads. */
#include <program_start.h>
#include <scarlett/syscalls.h>

        PROGRAM_START SYS_exit

        .globl  thread_start
        .type   thread_start, @function
thread_start:                   /* RDI: struct thread, whose first field is the function */
        .cfi_startproc
        .cfi_undefined rip
        xor     %ebp, %ebp
        and     $-16, %rsp
        mov     (%rdi), %rax
        mov     8(%rdi), %rdi
        call    *%rax
        xor     %edi, %edi
        mov     $SYS_thread_exit, %eax
        syscall
        ud2
        .cfi_endproc
        .size   thread_start, . - thread_start

        .section .note.GNU-stack, "", @progbits
