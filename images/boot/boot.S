/* The boot record: 16-bit code that a BIOS enters, the way to 32-bit C, and from there to the kernel.
 *
 *   real mode   0000:7C00, DL = drive. Loads the rest of this file with INT 13h.
 *   protected   flat segments; loader_main() in C. BIOS services through bios_interrupt().
 *   long        enter_kernel(): paging on, the kernel's GDT and stack, jump to its entry.
 *
 * Memory: stack below 7C00, this image from 7C00, disk buffer at 20000 (32 KiB).
 * References: "El Torito" specification, Booting Catalog; BIOS Enhanced Disk Drive Specification,
 * Extended Read; mkisofs(8), EL TORITO BOOT INFO TABLE; SDM Vol. 3A, Mode Switching.
 */
        .set    SECTOR, 2048
        .set    CODE16, 0x08            /* the order is what the Limine boot protocol asks for */
        .set    DATA16, 0x10
        .set    CODE32, 0x18
        .set    DATA32, 0x20
        .set    CODE64, 0x28
        .set    DATA64, 0x30
        .set    CR0_PE, 1
        .set    CR0_WP_PG, 0x80010000
        .set    CR4_PAE, 0x20
        .set    EFER, 0xC0000080
        .set    EFER_LME, 0x100
        .set    COM1, 0x3F8

        .section .start, "awx"
        .code16
        .globl  _start
_start: jmp     begin

        /* Filled in by whoever writes the image (-boot-info-table). */
        .org    8
        .globl  boot_info_table
boot_info_table:
bi_pvd:      .long 0
bi_file:     .long 0
bi_length:   .long 0
bi_checksum: .long 0
        .org    64

begin:  cli
        cld
        ljmp    $0, $1f
1:      xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    $_start, %sp
        sti
        movb    %dl, boot_drive

        movb    $0x41, %ah              /* are the extensions there? */
        movw    $0x55AA, %bx
        int     $0x13
        movw    $no_extensions, %si
        jc      fail_16
        cmpw    $0xAA55, %bx
        jne     fail_16

        movl    bi_length, %ecx
        movw    $no_table, %si
        testl   %ecx, %ecx
        jz      fail_16
        addl    $SECTOR - 1, %ecx
        shrl    $11, %ecx               /* sectors of this file; the first is here already */
        movl    bi_file, %eax
        movw    $(0x7C00 + SECTOR) >> 4, %bx
2:      decw    %cx
        jz      loaded
        incl    %eax
        movl    %eax, packet_lba
        movw    %bx, packet_segment
        pushal
        movw    $packet, %si
        movb    boot_drive, %dl
        movb    $0x42, %ah
        int     $0x13
        popal
        movw    $read_failed, %si
        jc      fail_16
        addw    $SECTOR >> 4, %bx
        jmp     2b

loaded: cli
        cld
        call    to_protected
        .code32
        movl    $bss_start, %edi
        movl    $bss_end, %ecx
        subl    %edi, %ecx
        xorl    %eax, %eax
        rep     stosb
        movzbl  boot_drive, %eax
        pushl   %eax
        call    loader_main             /* does not return */

        /* Say what is wrong, on the screen and the first serial port, and stop. */
        .code16
fail_16:
        lodsb
        testb   %al, %al
        jz      1f
        movb    $0x0E, %ah
        movw    $7, %bx
        pushw   %ax
        int     $0x10
        popw    %ax
        movw    $COM1, %dx
        outb    %al, %dx
        jmp     fail_16
1:      cli
        hlt
        jmp     1b

/* Switch modes. Called by a near call of the one mode, they return to the code behind it in the
 * other. The stack stays where it is, below 64 KiB. */
to_protected:
        popw    %ax
        lgdtl   gdtr
        movl    %cr0, %ebx
        orb     $CR0_PE, %bl
        movl    %ebx, %cr0
        ljmpl   $CODE32, $1f
        .code32
1:      movw    $DATA32, %bx
        movw    %bx, %ds
        movw    %bx, %es
        movw    %bx, %fs
        movw    %bx, %gs
        movw    %bx, %ss
        movzwl  %sp, %esp
        movzwl  %ax, %eax
        jmp     *%eax

to_real:
        popl    %eax
        ljmp    $CODE16, $1f
        .code16
1:      movw    $DATA16, %bx
        movw    %bx, %ds
        movw    %bx, %es
        movw    %bx, %fs
        movw    %bx, %gs
        movw    %bx, %ss
        lidtl   real_idtr
        movl    %cr0, %ebx
        andb    $~CR0_PE, %bl
        movl    %ebx, %cr0
        ljmp    $0, $2f
2:      xorw    %bx, %bx
        movw    %bx, %ds
        movw    %bx, %es
        movw    %bx, %fs
        movw    %bx, %gs
        movw    %bx, %ss
        jmp     *%ax

/* void bios_interrupt(int vector): registers come from and go to `bios`. */
        .code32
        .globl  bios_interrupt
bios_interrupt:
        pushal
        movb    36(%esp), %al
        movb    %al, vector + 1
        call    to_real
        .code16
        pushfw
        sti
        movl    bios + 4, %ebx
        movl    bios + 8, %ecx
        movl    bios + 12, %edx
        movl    bios + 16, %esi
        movl    bios + 20, %edi
        movl    bios + 24, %ebp
        movw    bios + 28, %es
        movl    bios, %eax
        jmp     vector                  /* what was decoded ahead must see the vector */
vector: int     $0
        movl    %eax, %cs:bios
        pushfl
        popl    %cs:bios + 32
        movw    %es, %cs:bios + 28
        movw    %cs, %ax
        movw    %ax, %ds
        movl    %ebx, bios + 4
        movl    %ecx, bios + 8
        movl    %edx, bios + 12
        movl    %esi, bios + 16
        movl    %edi, bios + 20
        movl    %ebp, bios + 24
        cli
        cld
        popfw
        call    to_protected
        .code32
        popal
        ret

/* void enter_kernel(const struct handoff *): fields as in loader.h; does not return. */
        .globl  enter_kernel
enter_kernel:
        movl    4(%esp), %esi
        movb    $0xFF, %al              /* the protocol wants every IRQ of the PICs masked */
        outb    %al, $0x21
        outb    %al, $0xA1
        movl    %cr4, %eax
        orl     $CR4_PAE, %eax
        movl    %eax, %cr4
        movl    (%esi), %eax
        movl    %eax, %cr3
        movl    $EFER, %ecx
        rdmsr
        orl     $EFER_LME, %eax
        orl     4(%esi), %eax           /* NXE where there is such a bit */
        wrmsr
        movl    %cr0, %eax
        orl     $CR0_WP_PG, %eax
        movl    %eax, %cr0
        ljmp    $CODE64, $1f
        .code64
1:      movl    %esi, %esi
        lgdt    40(%rsi)
        movl    $DATA64, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %fs
        movl    %eax, %gs
        movl    %eax, %ss
        movq    16(%rsi), %rsp
        movq    24(%rsi), %rdi
        pushq   $0                      /* the return address of the entry point */
        pushq   8(%rsi)
        pushq   $2
        popfq
        xorl    %eax, %eax
        xorl    %ebx, %ebx
        xorl    %ecx, %ecx
        xorl    %edx, %edx
        xorl    %esi, %esi
        xorl    %ebp, %ebp
        xorl    %r8d, %r8d
        xorl    %r9d, %r9d
        xorl    %r10d, %r10d
        xorl    %r11d, %r11d
        xorl    %r12d, %r12d
        xorl    %r13d, %r13d
        xorl    %r14d, %r14d
        xorl    %r15d, %r15d
        ret                             /* leaves RSP at the zero */

        .balign 8
        .globl  gdt, gdt_end
gdt:    .quad   0
        .quad   0x00009B000000FFFF      /* 16-bit code */
        .quad   0x000093000000FFFF      /* 16-bit data */
        .quad   0x00CF9B000000FFFF      /* 32-bit code */
        .quad   0x00CF93000000FFFF      /* 32-bit data */
        .quad   0x00209B0000000000      /* 64-bit code */
        .quad   0x0000930000000000      /* 64-bit data */
gdt_end:
gdtr:   .word   gdt_end - gdt - 1
        .long   gdt
real_idtr:
        .word   0x3FF
        .long   0

        .balign 4
packet: .byte   16, 0
        .word   1
        .word   0
packet_segment:
        .word   0
packet_lba:
        .quad   0
boot_drive:
        .byte   0
no_extensions:
        .asciz  "pykern: the BIOS has no INT 13h extensions for the boot drive\r\n"
no_table:
        .asciz  "pykern: no boot information table; write the image with -boot-info-table\r\n"
read_failed:
        .asciz  "pykern: INT 13h could not read the loader from the boot drive\r\n"
        .balign 4
        .globl  bios
bios:   .skip   36
        .globl  start_end
start_end:
        .section .note.GNU-stack, "", @progbits
