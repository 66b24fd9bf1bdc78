/* Save and restore the registers that a function must keep (x86-64 psABI, Registers). */
        .text
        .globl  setjmp, longjmp
        .type   setjmp, @function
        .type   longjmp, @function
setjmp: mov     %rbx, (%rdi)
        mov     %rbp, 8(%rdi)
        mov     %r12, 16(%rdi)
        mov     %r13, 24(%rdi)
        mov     %r14, 32(%rdi)
        mov     %r15, 40(%rdi)
        lea     8(%rsp), %rax           /* RSP after the return */
        mov     %rax, 48(%rdi)
        mov     (%rsp), %rax
        mov     %rax, 56(%rdi)
        xor     %eax, %eax
        ret
        .size   setjmp, . - setjmp

longjmp:
        mov     (%rdi), %rbx
        mov     8(%rdi), %rbp
        mov     16(%rdi), %r12
        mov     24(%rdi), %r13
        mov     32(%rdi), %r14
        mov     40(%rdi), %r15
        mov     48(%rdi), %rsp
        mov     %esi, %eax
        cmp     $1, %eax                /* setjmp() must not return 0 the second time */
        adc     $0, %eax
        jmp     *56(%rdi)
        .size   longjmp, . - longjmp

        .section .note.GNU-stack, "", @progbits
