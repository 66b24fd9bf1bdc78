/* External interrupts: the CPU sends itself IPIs through its local APIC; the handler saves registers and writes EOI. */
#include "layout.h"

#define SPURIOUS        0xF0
#define EOI             0xB0
#define ICR_LOW         0x300
#define VECTOR          0x40
#define TO_SELF         0x44000         /* destination shorthand "self", level assert, fixed */

        .text
        .globl  run
run:    push    %rbx
        push    %rbp
        mov     %rdi, %rbx
        mov     $handler, %edi
        mov     $VECTOR, %esi
        call    set_gate_kernel
        mov     $LOCAL_APIC, %ebp
        movl    $0x1FF, SPURIOUS(%rbp)  /* APIC software enable */
        xor     %eax, %eax
        test    %rbx, %rbx
        jz      4f
1:      mov     $1000, %ecx
2:      mov     %rax, %rdx
        movl    $TO_SELF + VECTOR, ICR_LOW(%rbp)
        sti
3:      cmp     %rdx, %rax              /* the handler changes RAX */
        je      3b
        cli
        dec     %ecx
        jnz     2b
        dec     %rbx
        jnz     1b
4:      pop     %rbp
        pop     %rbx
        ret

handler:
        push    %rcx
        push    %rdx
        push    %rdi
        inc     %rax
        mov     $LOCAL_APIC, %edi
        movl    $0, EOI(%rdi)
        pop     %rdi
        pop     %rdx
        pop     %rcx
        iretq
