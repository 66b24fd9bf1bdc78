/* Ring 3 to ring 0 and back by INT 0x80 and IRETQ. */
        .text
        .globl  run
run:    mov     %rdi, iterations_left
        mov     $handler, %edi
        mov     $0x80, %esi
        call    set_gate_user
        mov     $user, %edi
        jmp     call_user

user:   mov     iterations_left, %rbx
        xor     %eax, %eax
        test    %rbx, %rbx
        jz      3f
1:      mov     $1000, %r12d
2:      mov     %rbx, %rdi
        int     $0x80
        dec     %r12d
        jnz     2b
        dec     %rbx
        jnz     1b
3:      int     $0x81

handler:
        push    %rcx
        lea     1(%rax,%rax,4), %rcx
        lea     (%rcx,%rdi), %rax
        pop     %rcx
        iretq

        .data
        .balign 8
iterations_left:
        .quad   0
