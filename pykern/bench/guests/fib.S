/* Calls and returns: Fibonacci numbers by double recursion. */
        .text
        .globl  run
run:    push    %rbx
        push    %rbp
        xor     %ebp, %ebp
        mov     %rdi, %rbx
        test    %rbx, %rbx
        jz      2f
1:      mov     $20, %edi
        call    fib
        lea     (%rbp,%rbp,2), %rbp
        add     %rax, %rbp
        dec     %rbx
        jnz     1b
2:      mov     %rbp, %rax
        pop     %rbp
        pop     %rbx
        ret

/* fib(n) = n < 2 ? n : fib(n - 1) + fib(n - 2) */
fib:    mov     %rdi, %rax
        cmp     $2, %rdi
        jb      1f
        push    %rbx
        push    %rdi
        dec     %rdi
        call    fib
        pop     %rdi
        mov     %rax, %rbx
        sub     $2, %rdi
        call    fib
        add     %rbx, %rax
        pop     %rbx
1:      ret
