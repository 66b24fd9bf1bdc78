/* The first and last instructions of a MelloOS program; main() takes no arguments. */
#include <mellos/syscalls.h>

        .text
        .globl  _start
        .type   _start, @function
_start: .cfi_startproc
        .cfi_undefined rip
        xor     %ebp, %ebp
        and     $-16, %rsp
        call    main
        mov     %eax, %edi
        mov     $SYS_EXIT, %eax
        int     $0x80
        ud2
        .cfi_endproc
        .size   _start, . - _start

        .section .note.GNU-stack, "", @progbits
