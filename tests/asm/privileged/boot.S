# The boot sector: loads the rest to 7E00h and goes there, to `main`.

.code16
.globl _start
_start:
    ljmp 0, offset boot
boot:
    cli
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x7C00
    mov si, offset packet
    mov ah, 0x42
    int 0x13
    jc 1f
    jmp main
1:  mov al, '!'
    out 0xE9, al
    cli
    hlt
.balign 4
packet:
    .byte 16, 0
    .word SECTORS
    .word 0x7E00, 0
    .quad 1
. = _start + 510
    .word 0xAA55

