/* The first and last instructions of a Scarlett program, and of its threads. */
#include <scarlett/syscalls.h>

        .text
        .globl  _start
        .type   _start, @function
_start: .cfi_startproc
        .cfi_undefined rip
        xor     %ebp, %ebp
        mov     (%rsp), %rdi
        lea     8(%rsp), %rsi
        and     $-16, %rsp
        call    main
        mov     %eax, %edi
        mov     $SYS_exit, %eax
        syscall
        ud2
        .cfi_endproc
        .size   _start, . - _start

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
