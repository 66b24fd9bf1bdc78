/* Keep the state of entry for report.c, before any of it changes. */
        .intel_syntax noprefix
        .text
        .globl  _start
_start: mov     [rip + state], rax
        lea     rax, [rip + state]
        mov     [rax + 8], rbx
        mov     [rax + 16], rcx
        mov     [rax + 24], rdx
        mov     [rax + 32], rsi
        mov     [rax + 40], rdi
        mov     [rax + 48], rbp
        mov     [rax + 56], rsp
        mov     [rax + 64], r8
        mov     [rax + 72], r15
        mov     rbx, [rsp]
        mov     [rax + 80], rbx
        pushfq
        pop     qword ptr [rax + 88]
        mov     rbx, cr0
        mov     [rax + 96], rbx
        mov     rbx, cr3
        mov     [rax + 104], rbx
        mov     rbx, cr4
        mov     [rax + 112], rbx
        mov     ecx, 0xC0000080
        rdmsr
        mov     edi, eax
        lea     rax, [rip + state]
        mov     [rax + 120], rdi
        xor     ebx, ebx
        mov     bx, cs
        mov     [rax + 128], rbx
        mov     bx, ss
        mov     [rax + 136], rbx
        sgdt    [rax + 144]
        in      al, 0x21
        mov     ah, al
        in      al, 0xA1
        movzx   eax, ax
        mov     [rip + state + 160], rax
        call    report
        mov     dx, 0x604
        mov     ax, 0x2000
        out     dx, ax
1:      hlt
        jmp     1b
        .section .note.GNU-stack, "", @progbits
