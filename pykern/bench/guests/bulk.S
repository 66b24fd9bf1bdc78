/* One string instruction over and over: arguments are the operation, source, destination and count of elements.
 *
 * Operations: 0 MOVSB, 1 MOVSQ, 2 STOSB, 3 STOSQ, 4 MOVSB with DF set. The checksum folds memory. */
#include "layout.h"
        .text
        .globl  run
run:    push    %rbx
        push    %rbp
        mov     %rdi, %rbx
        mov     %rsi, %rbp
        mov     $HEAP, %edi             /* something to copy: 4 MiB of a counter */
        xor     %eax, %eax
1:      mov     %rax, (%rdi)
        add     $0x01020305, %rax
        add     $8, %rdi
        cmp     $HEAP + 0x400000, %rdi
        jb      1b

        test    %rbx, %rbx
        jz      done
next:   mov     (%rbp), %edx
        mov     8(%rbp), %rsi
        mov     16(%rbp), %rdi
        mov     24(%rbp), %rcx
        mov     %rbx, %rax
        jmp     *operations(,%rdx,8)
movsb:  rep movsb
        jmp     1f
movsq:  rep movsq
        jmp     1f
stosb:  rep stosb
        jmp     1f
stosq:  rep stosq
        jmp     1f
backward:
        std
        rep movsb
        cld
1:      dec     %rbx
        jnz     next

done:   mov     $HEAP, %edi             /* the sum takes every word of the first 2.5 MiB, then a few */
        xor     %eax, %eax
2:      rol     $5, %rax
        xor     (%rdi), %rax
        add     $8, %rdi
        cmp     $HEAP + 0x280000, %rdi
        jb      2b
3:      rol     $5, %rax
        xor     (%rdi), %rax
        add     $0x388, %rdi
        cmp     $RAM_SIZE - 8, %rdi
        jb      3b
        pop     %rbp
        pop     %rbx
        ret

        .data
        .balign 8
operations:
        .quad   movsb, movsq, stosb, stosq, backward
