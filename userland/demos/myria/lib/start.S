/* A Myria program begins at its first byte; main() takes no arguments. Nothing here knows where. */
#include <myria/syscalls.h>

        .section .text.start, "ax"
        .globl  _start
        .type   _start, @function
_start: .cfi_startproc
        .cfi_undefined rip
        xor     %ebp, %ebp
        and     $-16, %rsp
        call    main
        mov     %eax, %edi
        mov     $SYS_exit, %eax
        syscall
        ud2
        .cfi_endproc
        .size   _start, . - _start

        .section .note.GNU-stack, "", @progbits
