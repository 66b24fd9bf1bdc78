/* The first and last instructions of a task: main(argc, argv), its value is the exit status. */
#include <microkernel/syscalls.h>

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
        mov     $SYS_exit_group, %eax
        syscall
        ud2
        .cfi_endproc
        .size   _start, . - _start

        .section .note.GNU-stack, "", @progbits
