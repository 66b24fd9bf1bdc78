# A kernel with a PVH note, entered in 32-bit protected mode: prints its command line.
.include "console.inc"
    .section .note.pvh, "a", @note
    .long 4, 4, 18
    .asciz "Xen"
    .long _start
    .section .text
    .code32
    .globl _start
_start:
    cmpl $0x336EC578, (%ebx)
    jne fail
    mov 24(%ebx), %esi
1:  lodsb
    or %al, %al
    jz 2f
    PUTC
    jmp 1b
2:  EXIT 0x10
fail:
    EXIT 0x7F
