# A boot sector that prints the first 8 bytes of the disk's sector 1, and fills sector 2 with "W".
.include "console.inc"
    .code16
    .globl _start
_start:
    mov $0x20, %al              # READ SECTORS
    mov $1, %bl
    call command
    mov $8, %cx
1:  mov $0x1F0, %dx
    in %dx, %ax
    cmp $4, %cx
    jbe 2f
    push %ax
    PUTC
    pop %ax
    mov %ah, %al
    PUTC
2:  loop 1b
    mov $248, %cx               # the rest of the sector
    mov $0x1F0, %dx
    mov $0x8000, %di
    push %ds
    pop %es
    cld
    rep insw
    mov $0x30, %al              # WRITE SECTORS
    mov $2, %bl
    call command
    mov $0x1F0, %dx
    mov $256, %cx
    mov $0x5757, %ax
3:  out %ax, %dx
    loop 3b
    mov $0x1F7, %dx
4:  in %dx, %al
    test $0x80, %al
    jnz 4b
    test $0x01, %al
    jnz fail
    VERB
fail:
    EXIT 0x7F

command:                        # AL to sector BL; back when data can flow
    mov %al, %ah
    mov $0x1F6, %dx
    mov $0xE0, %al
    out %al, %dx
    mov $0x1F2, %dx
    mov $1, %al
    out %al, %dx
    inc %dx
    mov %bl, %al
    out %al, %dx
    xor %al, %al
    inc %dx
    out %al, %dx
    inc %dx
    out %al, %dx
    mov $0x1F7, %dx
    mov %ah, %al
    out %al, %dx
5:  in %dx, %al
    and $0x88, %al
    cmp $0x08, %al
    jne 5b
    ret
    .org 510
    .word 0xAA55
