/* The first instructions of a process: the kernel left argc, argv, envp and auxv on the stack.
 *
 * x86-64 psABI, Process Initialization: RSP points to argc and is a multiple of 16; RBP is to be
 * cleared, so that a debugger knows where the stack ends. */
        .globl  _start
        .type   _start, @function
_start: .cfi_startproc
        .cfi_undefined rip
        xor     %ebp, %ebp
        mov     %rsp, %rdi
        call    start_c
        ud2                     /* start_c() does not return */
        .cfi_endproc
        .size   _start, . - _start

        .section .note.GNU-stack, "", @progbits
