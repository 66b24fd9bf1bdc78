# A Multiboot kernel: prints command line, first module's string and contents, and the memory map.
.include "console.inc"
    .code32
    .section .text
    .align 4
    .long 0x1BADB002, 3, -(0x1BADB002 + 3)
    .globl _start
_start:
    cmp $0x2BADB002, %eax
    jne fail
    mov $stack, %esp
    mov %ebx, %ebp
    mov 16(%ebp), %esi          # cmdline
    call line
    mov 24(%ebp), %edi          # mods_addr
    mov 8(%edi), %esi
    call line
    mov (%edi), %esi
    mov 4(%edi), %ecx
    sub %esi, %ecx
1:  lodsb
    PUTC
    loop 1b
    call newline
    mov 44(%ebp), %ecx          # mmap_length
    mov 48(%ebp), %edi
2:  mov 4(%edi), %eax           # base_addr
    call hex
    mov 12(%edi), %eax          # length
    call hex
    mov 20(%edi), %eax          # type
    call hex
    call newline
    mov (%edi), %eax
    add $4, %eax
    add %eax, %edi
    sub %eax, %ecx
    ja 2b
    EXIT 0x10
fail:
    EXIT 0x7F

line:
    lodsb
    or %al, %al
    jz newline
    PUTC
    jmp line
newline:
    mov $'\n', %al
    PUTC
    ret
hex:                            # EAX as eight digits and a space
    push %ecx
    mov %eax, %ebx
    mov $8, %ecx
1:  rol $4, %ebx
    mov %bl, %al
    and $15, %al
    cmp $10, %al
    jb 2f
    add $'a' - '0' - 10, %al
2:  add $'0', %al
    PUTC
    loop 1b
    mov $' ', %al
    PUTC
    pop %ecx
    ret
    .bss
    .skip 4096
stack:
