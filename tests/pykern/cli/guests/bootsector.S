# A boot sector: says how it was entered, then runs the verb at its end.
.include "console.inc"
    .code16
    .globl _start
_start:
    cmp $0x80, %dl
    jne fail
    mov %cs, %ax
    or %ax, %ax
    jnz fail
    call here
here:
    pop %ax                     # the address we run at
    cmp $here, %ax
    jne fail
    int $0x10                   # no BIOS: must come back
    mov $text, %si
next:
    lodsb
    or %al, %al
    jz done
    PUTC
    jmp next
done:
    VERB
fail:
    EXIT 0x7F
text:
    .asciz "sector\r\n"
    .org 510
    .word 0xAA55
