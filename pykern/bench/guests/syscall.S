/* Ring 3 to ring 0 and back by SYSCALL and SYSRET, with SWAPGS, a stack switch and a table of calls. */
#include "layout.h"
        .text
        .globl  run
run:    push    %rdi
        mov     $0xC0000082, %ecx       /* IA32_LSTAR */
        mov     $entry_syscall, %eax
        xor     %edx, %edx
        wrmsr
        mov     $0xC0000102, %ecx       /* IA32_KERNEL_GS_BASE */
        mov     $per_cpu, %eax
        xor     %edx, %edx
        wrmsr
        pop     iterations_left
        mov     $user, %edi
        jmp     call_user

user:   mov     iterations_left, %rbx
        xor     %ebp, %ebp
        test    %rbx, %rbx
        jz      3f
1:      mov     $1000, %r12d
2:      mov     $1, %eax
        mov     %rbx, %rdi
        mov     %rbp, %rsi
        syscall
        mov     %rax, %rbp
        dec     %r12d
        jnz     2b
        dec     %rbx
        jnz     1b
3:      mov     %rbp, %rax
        int     $0x81

entry_syscall:
        swapgs
        mov     %rsp, %gs:8
        mov     %gs:0, %rsp
        push    %rcx
        push    %r11
        cmp     $2, %rax
        jae     1f
        call    *calls(,%rax,8)
        pop     %r11
        pop     %rcx
        mov     %gs:8, %rsp
        swapgs
        sysretq
1:      ud2

call_add:
        lea     1(%rsi,%rsi,4), %rax
        add     %rdi, %rax
        ret

        .data
        .balign 8
calls:  .quad   0, call_add
per_cpu:
        .quad   SYSCALL_STACK, 0
iterations_left:
        .quad   0
