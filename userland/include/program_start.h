/* For start.S of programs without the library: `PROGRAM_START EXIT` is their first and last
 * instructions, main(argc, argv) between them, whose value system call EXIT is given. */
#pragma once

        .macro  PROGRAM_START exit
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
        mov     $\exit, %eax
        syscall
        ud2
        .cfi_endproc
        .size   _start, . - _start
        .endm
