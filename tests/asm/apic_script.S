# A ROM that drives the interrupt controllers by a script: the same script is run on pykern's
# controllers, and what both print is compared (tests/pykern_c/test_apic_qemu.py).
#
# Script at 100000h, records of three 32-bit words: kind, address, value.
#   0 end    1 read memory: prints 'R' and the 4 bytes    2 write memory
#   3 enable interrupts for a moment: prints 'A' and the vector of each, then 'E'
#   4 write a byte to a port
# Output goes to the debug console, port E9h; the end writes to the exit device at port F4h.

        .set    SCRIPT, 0x100000
        .set    IDT, 0x10000

        .code16
rom:
        cli
        lgdtl   %cs:(gdtr - rom)
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $8, $protected

        .balign 8
gdt:    .quad   0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF
gdtr:   .word   . - gdt - 1
        .long   gdt
idtr:   .word   256 * 8 - 1
        .long   IDT

        .code32
protected:
        movw    $16, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movl    $0x8000, %esp
        movl    $IDT, %edi
        movl    $stubs, %eax
        movl    $256, %ecx
1:      movw    %ax, (%edi)
        movw    $8, 2(%edi)
        movw    $0x8E00, 4(%edi)
        movl    %eax, %edx
        shrl    $16, %edx
        movw    %dx, 6(%edi)
        addl    $16, %eax
        addl    $8, %edi
        loop    1b
        lidt    idtr
        movl    $SCRIPT, %esi

next:
        lodsl
        movl    %eax, %ecx
        lodsl
        movl    %eax, %ebx
        lodsl
        jecxz   finish
        decl    %ecx
        jz      read
        decl    %ecx
        jz      write
        decl    %ecx
        jz      enable
        movl    %ebx, %edx
        outb    %al, %dx
        jmp     next
write:
        movl    %eax, (%ebx)
        jmp     next
read:
        movb    $'R', %al
        outb    %al, $0xE9
        movl    (%ebx), %eax
        movl    $4, %ecx
1:      outb    %al, $0xE9
        shrl    $8, %eax
        loop    1b
        jmp     next
enable:
        sti
        .rept   16
        nop
        .endr
        cli
        movb    $'E', %al
        outb    %al, $0xE9
        jmp     next
finish:
        movb    $0, %al
        outb    %al, $0xF4
1:      hlt
        jmp     1b

        .balign 16
stubs:
        .set    vector, 0
        .rept   256
        .balign 16
        pushl   $vector
        jmp     interrupt
        .set    vector, vector + 1
        .endr
        .balign 16
interrupt:
        pushl   %eax
        movb    $'A', %al
        outb    %al, $0xE9
        movb    4(%esp), %al
        outb    %al, $0xE9
        popl    %eax
        addl    $4, %esp
        iret

        .org    rom + 0xFFF0
        .code16
        jmp     rom
        .org    rom + 0x10000
