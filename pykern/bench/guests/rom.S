/* Firmware in place of a BIOS: from the reset vector to the Multiboot 1 entry state.
 *
 * The ROM ends at 4 GiB. Its last 64 KiB are this file; the flat image lies at its beginning. */
#include "layout.h"

        .section .rom, "ax"
        .code16
rom:    cli
        lgdtl   %cs:(gdtr - rom)
        mov     %cr0, %eax
        or      $1, %al                 /* PE */
        mov     %eax, %cr0
        ljmpl   $0x08, $0xFFFF0000 + (protected - rom)

        .code32
protected:
        mov     $0x10, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        mov     %eax, %fs
        mov     %eax, %gs
        mov     0xFFFF0000 + (image_address - rom), %esi
        mov     0xFFFF0000 + (image_words - rom), %ecx
        mov     $0x100000, %edi
        cld
        rep movsl
        mov     $0x2BADB002, %eax       /* Multiboot 1, "Machine state" */
        xor     %ebx, %ebx
        mov     0xFFFF0000 + (image_entry - rom), %edx
        jmp     *%edx

        .balign 8
gdt:    .quad   0
        .quad   0x00CF9B000000FFFF
        .quad   0x00CF93000000FFFF
gdtr:   .word   . - gdt - 1
        .long   0xFFFF0000 + (gdt - rom)

        .org    0xFFE0                  /* filled in by the builder */
image_address:
        .long   0
image_words:
        .long   0
image_entry:
        .long   0
        .org    0xFFF0
        .code16
        jmp     rom
        .org    0x10000
