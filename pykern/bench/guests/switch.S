/* Context switches between two threads in two address spaces: general registers, FXSAVE and FXRSTOR, MOV CR3.
 *
 * Each thread touches eight pages of its own and uses SSE registers between switches, so that the cost of
 * filling the TLB again counts. */
#include "layout.h"

#define PAGES           8
#define CONTEXT_SIZE    544             /* FXSAVE area, then RSP and CR3 */
#define CONTEXT_RSP     512
#define CONTEXT_CR3     520

        .text
        .globl  run
run:    push    %rbx
        push    %rbp
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        mov     %rdi, %rbx
        fxsave64 contexts
        fxsave64 contexts + CONTEXT_SIZE
        movq    $PML4, contexts + CONTEXT_CR3
        movq    $SPARE_TABLES, contexts + CONTEXT_SIZE + CONTEXT_CR3
        movq    $second_stack_top - 7 * 8, contexts + CONTEXT_SIZE + CONTEXT_RSP
        xor     %eax, %eax
        xor     %r15d, %r15d
        test    %rbx, %rbx
        jz      3f
1:      mov     $500, %r12d
2:      mov     $HEAP, %edi
        call    work
        mov     $contexts, %edi
        mov     $contexts + CONTEXT_SIZE, %esi
        call    switch_to
        dec     %r12d
        jnz     2b
        dec     %rbx
        jnz     1b
3:      mov     %r15, %rax
        mov     HEAP + 0x100000, %rcx
        lea     (%rax,%rcx,4), %rax
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbp
        pop     %rbx
        ret

second_thread:
        xor     %r15d, %r15d
1:      mov     $HEAP + 0x100000, %edi
        call    work
        mov     %r15, HEAP + 0x100000
        mov     $contexts + CONTEXT_SIZE, %edi
        mov     $contexts, %esi
        call    switch_to
        jmp     1b

/* Touch PAGES pages from RDI on; R15 and XMM1 carry state across switches. */
work:   mov     $PAGES, %ecx
1:      add     $3, %r15
        cvtsi2sd %r15, %xmm0
        addsd   %xmm0, %xmm1
        movsd   %xmm1, 8(%rdi)
        add     %r15, 16(%rdi)
        add     16(%rdi), %r15
        add     $0x1040, %rdi
        dec     %ecx
        jnz     1b
        and     $0xFFFFFF, %r15d
        ret

/* switch_to(old, new) */
switch_to:
        push    %rbx
        push    %rbp
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        fxsave64 (%rdi)
        mov     %rsp, CONTEXT_RSP(%rdi)
        mov     CONTEXT_CR3(%rsi), %rax
        mov     %rax, %cr3
        mov     CONTEXT_RSP(%rsi), %rsp
        fxrstor64 (%rsi)
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbp
        pop     %rbx
        ret

        .data
        .balign 16
second_stack:
        .fill   4096 - 8, 1, 0
        .quad   second_thread
second_stack_top:

        .bss
        .balign 64
        .lcomm  contexts_storage, 2 * CONTEXT_SIZE + 64
        .set    contexts, contexts_storage
