# A high-half 64-bit kernel: prints its command line twice, through both mappings; a call is a C call.
.include "console.inc"
    .section .text
    .globl _start
_start:
    cmp $0x336EC578, %esi
    jne fail
    cmp %esi, (%rdi)
    jne fail
    mov %rsp, %rax
    and $15, %eax
    cmp $8, %eax
    jne fail
    lea _start(%rip), %rax
    sar $63, %rax               # all ones in the high half
    inc %rax
    jnz fail
    movabs $0xFFFFFFFF80000000, %rbx
    lea value(%rip), %rcx
    sub %rbx, %rcx              # the same through the identity mapping
    cmpq $0x1234, (%rcx)
    jne fail
    mov 24(%rdi), %rsi          # cmdline_paddr
    call line
    VERB
fail:
    EXIT 0x7F
line:
    lodsb
    or %al, %al
    jz 1f
    PUTC
    jmp line
1:  mov $'\n', %al
    PUTC
    ret
    .data
value:
    .quad 0x1234
