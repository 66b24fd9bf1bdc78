/* Page faults at ring 3: the handler maps the page that was missing and unmaps the one before it. */
#include "layout.h"

#define FIRST           0x1000000
#define PAGES           64
#define PTE_OF_FIRST    (PT_LOW + (FIRST >> 12) * 8)

        .text
        .globl  run
run:    mov     %rdi, iterations_left
        mov     $handler, %edi
        mov     $14, %esi
        call    set_gate_kernel
        xor     %ecx, %ecx
1:      andq    $~PTE_P, PTE_OF_FIRST(,%rcx,8)
        mov     %rcx, %rax
        shl     $12, %rax
        invlpg  FIRST(%rax)
        inc     %ecx
        cmp     $PAGES, %ecx
        jb      1b
        mov     $user, %edi
        jmp     call_user

user:   mov     iterations_left, %rbx
        xor     %eax, %eax
        test    %rbx, %rbx
        jz      4f
1:      mov     $10, %r12d
2:      mov     $FIRST, %edi
3:      add     %rdi, (%rdi)            /* faults, and is restarted */
        lea     (%rax,%rax,2), %rax
        add     (%rdi), %rax
        add     $0x1000, %rdi
        cmp     $FIRST + PAGES * 0x1000, %rdi
        jb      3b
        dec     %r12d
        jnz     2b
        dec     %rbx
        jnz     1b
4:      add     faults, %rax
        int     $0x81

handler:
        push    %rax
        push    %rcx
        mov     mapped, %rcx
        test    %rcx, %rcx
        jz      1f
        mov     %rcx, %rax
        shr     $9, %rax
        andq    $~PTE_P, PT_LOW(%rax)
        invlpg  (%rcx)
1:      mov     %cr2, %rcx
        and     $~0xFFF, %rcx
        mov     %rcx, mapped
        mov     %rcx, %rax
        shr     $9, %rax
        orq     $PTE_P, PT_LOW(%rax)
        incq    faults
        pop     %rcx
        pop     %rax
        add     $8, %rsp                /* the error code */
        iretq

        .data
        .balign 8
iterations_left:
        .quad   0
mapped: .quad   0
faults: .quad   0
