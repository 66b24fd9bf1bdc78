/* Large code: functions called at random through a table. functions.py generates the functions and the table.
 *
 * Every iteration starts from the same state, so that it takes the same branches and instructions count linearly. */
#include "layout.h"

#define SCRATCH_WORDS   512             /* as in functions.py */

        .text
        .globl  run
run:    push    %rbx
        push    %rbp
        push    %r12
        push    %r13
        push    %r14
        mov     %rdi, %rbp
        mov     $HEAP, %ebx             /* the functions' scratch memory */
        xor     %r14d, %r14d
        test    %rbp, %rbp
        jz      4f
1:      mov     %rbx, %rdi
        mov     $SCRATCH_WORDS, %ecx
        xor     %eax, %eax
        rep stosq
        xor     %edx, %edx
        xor     %esi, %esi
        xor     %edi, %edi
        xor     %r8d, %r8d
        xor     %r9d, %r9d
        xor     %r10d, %r10d
        mov     $1, %r12d               /* state of the random choice */
        mov     $100000, %r13d
2:      imul    $0x19660D, %r12d, %r12d /* linear congruential generator */
        add     $0x3C6EF35F, %r12d
        mov     %r12, %r11
        imul    $FUNCTIONS, %r11, %r11
        shr     $32, %r11
        call    *functions(,%r11,8)
        dec     %r13d
        jnz     2b
        add     %rax, %r14
        xor     %ecx, %ecx
3:      rol     $7, %r14
        add     (%rbx,%rcx,8), %r14
        inc     %ecx
        cmp     $SCRATCH_WORDS, %ecx
        jb      3b
        dec     %rbp
        jnz     1b
4:      mov     %r14, %rax
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbp
        pop     %rbx
        ret
