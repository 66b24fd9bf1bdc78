/* What a debugger looks at: a function that is called for ever, and counts its calls in RCX. */
        .text
        .globl  run, work
run:    xor     %ecx, %ecx
1:      call    work
        jmp     1b

work:   inc     %rcx
        mov     %rcx, counter
        mov     counter, %rax
        ret

        .data
        .balign 4096
counter:
        .quad   0
