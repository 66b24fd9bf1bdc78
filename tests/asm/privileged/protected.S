# Segment loads, gates, faults, IRET and task switches in 32-bit protected mode, and real mode.
#
# A boot sector that logs to port 0xE9; the same image runs on pykern, on QEMU and on Bochs.
# Each test prints its name, then what it saw: "ok", or the exception with its error code, and
# where relevant the interrupted CS, EIP (from the start of the test), EFLAGS, SS and ESP.

.intel_syntax noprefix
.equ CODE0, 0x08
.equ DATA0, 0x10
.equ CODE3, 0x1B
.equ DATA3, 0x23
.equ USER_STACK, 0x60000
.equ KERNEL_STACK, 0x50000
.equ TASK_STACK, 0x58000
.equ IDT, 0x70000

.include "boot.S"

# ------------------------------------------------------------------------------------------
# Real mode; entered at 0000:7E00
main:
    cli
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x7C00

    mov al, ':'
    out 0xE9, al
    mov al, ' '
    out 0xE9, al
    # INT n through the vector table: flags, CS, IP on the stack; IF and TF clear inside.
    mov word ptr [0x60 * 4], offset real_handler
    mov word ptr [0x60 * 4 + 2], 0
    push 0x202
    popf
    int 0x60
    cli
    # divide error: the return address is the instruction itself
    mov word ptr [0], offset real_divide
    mov word ptr [2], 0
    xor dx, dx
    mov ax, 1
    xor cx, cx
    div cx
    # far call and return, and a segment that differs from its selector's alias
    push 0xFFFF
    mov ax, 0x7E0
    mov ds, ax
    mov bx, word ptr ds:[real_word - 0x7E00]
    xor ax, ax
    mov ds, ax
    call rhex16_bx
    pop ax
    lcall 0x7E0, offset far_routine - 0x7E00
    mov al, '\n'
    out 0xE9, al

    in al, 0x92
    or al, 2
    out 0x92, al
    lgdt [gdtr]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    ljmp CODE0, offset protected

real_word: .word 0x1234
far_routine:
    pop bx
    pop cx
    push cx
    push bx
    mov bx, cx                  # CS of the caller
    call rhex16_bx_far
    retf
real_handler:
    mov bp, sp
    mov bx, [bp + 4]            # flags
    and bx, 0xF200
    call rhex16_bx
    pushf
    pop bx
    and bx, 0x0300
    call rhex16_bx
    mov bx, [bp + 2]
    call rhex16_bx
    iret
real_divide:
    mov bp, sp
    mov bx, [bp]
    sub bx, 0x7E00
    add word ptr [bp], 2        # behind DIV
    mov bx, [bp + 2]
    call rhex16_bx
    iret

rhex16_bx:                      # prints BX and a blank
    push ax
    push cx
    mov cx, 4
1:  rol bx, 4
    mov al, bl
    and al, 15
    add al, '0'
    cmp al, '9'
    jbe 2f
    add al, 7
2:  out 0xE9, al
    loop 1b
    mov al, ' '
    out 0xE9, al
    pop cx
    pop ax
    ret
rhex16_bx_far:
    push ax
    push cx
    mov cx, 4
1:  rol bx, 4
    mov al, bl
    and al, 15
    add al, '0'
    cmp al, '9'
    jbe 2f
    add al, 7
2:  out 0xE9, al
    loop 1b
    mov al, ' '
    out 0xE9, al
    pop cx
    pop ax
    ret

# ------------------------------------------------------------------------------------------
.macro DESC base, limit, access, flags
    .word (\limit) & 0xFFFF
    .word (\base) & 0xFFFF
    .byte ((\base) >> 16) & 0xFF
    .byte \access
    .byte (((\limit) >> 16) & 0xF) | ((\flags) << 4)
    .byte ((\base) >> 24) & 0xFF
.endm
.macro GATE sel, access, count
    .word 0                     # offset: filled in at run time
    .word \sel
    .byte \count
    .byte \access
    .word 0
.endm

.balign 16
gdt:
    .quad 0
    DESC 0, 0xFFFFF, 0x9B, 0xC          # 08 code, ring 0
    DESC 0, 0xFFFFF, 0x93, 0xC          # 10 data, ring 0
    DESC 0, 0xFFFFF, 0xFB, 0xC          # 18 code, ring 3
    DESC 0, 0xFFFFF, 0xF3, 0xC          # 20 data, ring 3
    DESC 0, 0xFFFF, 0x9B, 0x0           # 28 16-bit code
    DESC 0, 0xFFFF, 0x93, 0x0           # 30 16-bit data
    DESC 0x40000, 0x20FF, 0x89, 0x0     # 38 TSS
    DESC 0x44000, 0x3F, 0x82, 0x0       # 40 LDT
    DESC 0, 0xFFFFF, 0x9E, 0xC          # 48 conforming code, not accessed
    DESC 0, 0xFFFFF, 0x1A, 0xC          # 50 code, not present
    DESC 0, 0xFFFFF, 0x12, 0xC          # 58 data, not present
    DESC 0, 0xFFFFF, 0x90, 0xC          # 60 read-only data
    DESC 0, 0xFFFFF, 0x98, 0xC          # 68 execute-only code
    DESC 0, 0x00FFF, 0x96, 0x4          # 70 expand-down data
    GATE CODE0, 0x8C, 0                 # 78 call gate, DPL 0
    GATE CODE0, 0xEC, 2                 # 80 call gate, DPL 3, two parameters
    GATE CODE0, 0xE4, 1                 # 88 16-bit call gate, DPL 3
    GATE CODE0, 0x6C, 0                 # 90 call gate, not present
    GATE 0, 0xEC, 0                     # 98 call gate to the null selector
    DESC 0x46000, 0x67, 0x89, 0x0       # A0 TSS of the other task
    GATE 0xA0, 0xE5, 0                  # A8 task gate, DPL 3
    DESC 0x47000, 0x2B, 0x81, 0x0       # B0 16-bit TSS
    DESC 0, 0xFFFFF, 0xBA, 0xC          # B8 code, ring 1
    DESC 0, 0xFFFFF, 0xB2, 0xC          # C0 data, ring 1
    DESC 0x48000, 0x0FF, 0x92, 0x4      # C8 data, 256 bytes
    DESC 0, 0xFFFFF, 0xFE, 0xC          # D0 conforming code, DPL 3
    DESC 0x46000, 0x60, 0x89, 0x0       # D8 TSS that is too small
    DESC 0x46000, 0x67, 0x09, 0x0       # E0 TSS that is not present
    DESC 0, 0x0000F, 0x9A, 0x4          # E8 code, 16 bytes
    DESC 0, 0xFFFFF, 0x52, 0xC          # F0 data, DPL 2, not present
    DESC 0, 0xFFFFF, 0xB6, 0xC          # F8 expand-down data, ring 1
    GATE 0x50, 0xEC, 0                  # 100 call gate to absent code
    GATE DATA0, 0xEC, 0                 # 108 call gate to data
    GATE 0x48, 0xEC, 0                  # 110 call gate to conforming code
    GATE 0xB8, 0xEC, 0                  # 118 call gate to ring 1
gdt_end:
gdtr:
    .word gdt_end - gdt - 1
    .long gdt
idtr:
    .word 0x50 * 8 - 1
    .long IDT

.balign 4
resume_eip: .long 0
resume_esp: .long 0
test_base:  .long 0
scratch:    .long 0, 0, 0, 0
far_ptr:    .long 0
            .word 0
old_ds:     .long 0

# ------------------------------------------------------------------------------------------
.code32
.macro CASE name
    call puts
    .asciz "\name: "
    mov dword ptr [resume_eip], offset 99f
    mov [resume_esp], esp
    mov dword ptr [test_base], offset 98f
98:
.endm
.macro DONE
    call say_ok
99: call finish
.endm
.macro SHOW value
    push eax
    mov eax, \value
    call hex32
    pop eax
.endm
# Go to ring 3 at the next instruction; back with INT 40h.
.macro USER
    push DATA3
    push USER_STACK
    pushfd
    push CODE3
    push offset 96f
    iretd
96:
.endm
.macro ENDUSER
    int 0x40
99: call finish
.endm

putc:
    out 0xE9, al
    ret
puts:                           # prints the string behind the call
    pushfd
    push eax
    push esi
    mov esi, [esp + 12]
1:  mov al, cs:[esi]
    inc esi
    test al, al
    jz 2f
    out 0xE9, al
    jmp 1b
2:  mov [esp + 12], esi
    pop esi
    pop eax
    popfd
    ret
hex32:
    push ecx
    mov ecx, 8
hex_digits:
    push eax
    push edx
    mov edx, eax
1:  mov eax, ecx
    dec eax
    shl eax, 2
    xchg eax, ecx
    push edx
    shr edx, cl
    xchg eax, ecx
    mov al, dl
    pop edx
    and al, 15
    add al, '0'
    cmp al, '9'
    jbe 2f
    add al, 'a' - '9' - 1
2:  out 0xE9, al
    dec ecx
    jnz 1b
    mov al, ' '
    out 0xE9, al
    pop edx
    pop eax
    pop ecx
    ret
hex16:
    push ecx
    mov ecx, 4
    jmp hex_digits
hex8:
    push ecx
    mov ecx, 2
    jmp hex_digits
say_ok:
    call puts
    .asciz "ok"
    ret
finish:
    push eax
    mov ax, DATA0
    mov ds, ax
    mov es, ax
    mov ss, ax
    xor ax, ax
    mov fs, ax
    mov gs, ax
    push 2
    popfd
    mov al, '\n'
    out 0xE9, al
    pop eax
    ret

.altmacro
.macro STUB n
stub_\n:
    .if (\n == 8) || (\n >= 10 && \n <= 14) || (\n == 17)
    .else
    push 0
    .endif
    push \n
    jmp common
.endm
.set i, 0
.rept 32
    STUB %i
    .set i, i + 1
.endr
.macro STUBREF n
    .long stub_\n
.endm
stub_table:
.set i, 0
.rept 32
    STUBREF %i
    .set i, i + 1
.endr
.noaltmacro

common:                         # vector, error code, EIP, CS, EFLAGS (ESP, SS)
    cld
    mov bp, DATA0
    mov ds, bp
    mov es, bp
    mov al, '#'
    call putc
    mov eax, [esp]
    call hex8
    mov eax, [esp + 4]
    call hex16
    mov eax, [esp + 12]
    and eax, 0xFFFF
    call hex16
    mov eax, [esp + 8]
    test dword ptr [esp + 16], 0x20000
    jnz 1f
    sub eax, [test_base]
1:  call hex16
    mov eax, [esp + 16]
    and eax, 0x3F7700
    call hex32
    test dword ptr [esp + 16], 0x20000
    jnz 3f
    test byte ptr [esp + 12], 3
    jz 2f
3:  mov eax, [esp + 24]
    call hex16
    mov eax, [esp + 20]
    call hex32
    test dword ptr [esp + 16], 0x20000
    jz 2f
    mov ax, bx                  # what a virtual-8086 test wants to show
    call hex16
2:  cmp dword ptr [esp], 14
    jne 4f
    mov eax, cr2
    call hex32
4:  cmp dword ptr [esp], 1
    jne 5f
    mov eax, dr6
    and eax, 0xE00F
    call hex16
5:  mov ax, ss
    call hex16
    pushfd
    pop eax
    and eax, 0x3F7700
    call hex32
resume:
    mov ax, DATA0
    mov ss, ax
    mov esp, [resume_esp]
    jmp [resume_eip]

fill:                           # ECX doublewords of EAX at EDI
    mov [edi], eax
    add edi, 4
    dec ecx
    jnz fill
    ret

back_from_user:                 # INT 40h
    mov ax, DATA0
    mov ds, ax
    mov es, ax
    call say_ok
    jmp resume

# Fill an IDT gate: EDI vector, EAX offset, EBX selector, ECX access byte.
set_gate:
    push edi
    lea edi, [IDT + edi * 8]
    mov [edi], ax
    mov [edi + 2], bx
    mov byte ptr [edi + 4], 0
    mov [edi + 5], cl
    shr eax, 16
    mov [edi + 6], ax
    pop edi
    ret
.macro IDTGATE vector, target, sel, access
    mov edi, \vector
    mov eax, offset \target
    mov ebx, \sel
    mov ecx, \access
    call set_gate
.endm
.macro CALLGATE sel, target
    mov eax, offset \target
    mov [gdt + \sel], ax
    shr eax, 16
    mov [gdt + \sel + 6], ax
.endm

protected:
    mov ax, DATA0
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esp, KERNEL_STACK
    xor ax, ax
    mov fs, ax
    mov gs, ax
    # clear the tables in low memory
    cld
    mov edi, 0x40000
    mov ecx, (0x49000 - 0x40000) / 4
    xor eax, eax
    call fill
    mov edi, IDT
    mov ecx, 0x280 / 4 + 1
    call fill
    # exceptions
    xor edi, edi
1:  mov eax, [stub_table + edi * 4]
    mov ebx, CODE0
    mov ecx, 0x8E
    call set_gate
    inc edi
    cmp edi, 32
    jb 1b
    IDTGATE 3, stub_3, CODE0, 0xEE
    IDTGATE 4, stub_4, CODE0, 0xEE
    IDTGATE 0x40, back_from_user, CODE0, 0xEE
    IDTGATE 0x41, stub_21, CODE0, 0x8E          # DPL 0
    IDTGATE 0x42, stub_21, CODE0, 0x6E          # not present
    IDTGATE 0x43, stub_21, 0, 0xEE              # null selector
    IDTGATE 0x44, stub_21, 0x50, 0xEE           # absent code
    IDTGATE 0x45, stub_21, DATA0, 0xEE          # data
    IDTGATE 0x46, stub_21, CODE0, 0xEF          # trap gate
    IDTGATE 0x47, gate16, CODE0, 0xE6           # 16-bit interrupt gate
    IDTGATE 0x48, stub_21, 0xA0, 0xE5           # task gate
    IDTGATE 0x49, stub_21, 0x48, 0xEE           # conforming code
    IDTGATE 0x4A, stub_21, CODE0, 0x82          # no gate type
    IDTGATE 0x4B, stub_21, 0x200, 0xEE          # selector beyond the GDT
    IDTGATE 0x4C, stub_21, 0xB8, 0xEE           # ring 1
    IDTGATE 0x4D, stub_21, CODE3, 0xEE          # ring 3
    lidt [idtr]
    # TSS: stack of ring 0, of ring 1, I/O bit map that opens E9h only
    mov dword ptr [0x40000 + 4], KERNEL_STACK - 0x1000
    mov dword ptr [0x40000 + 8], DATA0
    mov dword ptr [0x40000 + 12], 0x59000
    mov dword ptr [0x40000 + 16], 0xC1
    mov word ptr [0x40000 + 102], 0x88          # 32 bytes of redirection map before it
    mov edi, 0x40000 + 0x88
    mov ecx, (0x2000 + 1) / 4
    mov eax, -1
    call fill
    mov byte ptr [0x40000 + 0x88 + 0xE9 / 8], 0xFD
    mov word ptr [0x40000 + 0x88 + 0x80 / 8], 0xFF0F        # 80h to 83h closed... 84h to 87h open
    mov byte ptr [0x40000 + 0x88 + 0x80 / 8], 0x0F
    mov ax, 0x38
    ltr ax
    # LDT: 04 data ring 0, 0C code ring 0, 14 data ring 3
    mov eax, [gdt + DATA0]
    mov [0x44000], eax
    mov eax, [gdt + DATA0 + 4]
    mov [0x44004], eax
    mov eax, [gdt + CODE0]
    mov [0x44008], eax
    mov eax, [gdt + CODE0 + 4]
    mov [0x4400C], eax
    mov eax, [gdt + (DATA3 & ~7)]
    mov [0x44010], eax
    mov eax, [gdt + (DATA3 & ~7) + 4]
    mov [0x44014], eax
    mov ax, 0x40
    lldt ax
    CALLGATE 0x78, gate_plain
    CALLGATE 0x80, gate_params
    CALLGATE 0x88, gate_params16
    CALLGATE 0x90, gate_plain
    CALLGATE 0x98, gate_plain
    CALLGATE 0x100, gate_plain
    CALLGATE 0x108, gate_plain
    CALLGATE 0x110, gate_conforming
    CALLGATE 0x118, gate_ring1
    jmp tests

gate_plain:
    SHOW [esp + 4]
    retf
gate_conforming:
    mov ax, cs
    call hex16
    SHOW [esp + 4]
    retf
gate_params:
    mov ax, DATA0
    mov ds, ax
    SHOW esp
    SHOW [esp]
    SHOW [esp + 4]
    SHOW [esp + 8]
    SHOW [esp + 12]
    SHOW [esp + 16]
    SHOW [esp + 20]
    retf 8
gate_params16:
    mov ax, DATA0
    mov ds, ax
    SHOW esp
    SHOW [esp]
    SHOW [esp + 4]
    SHOW [esp + 8]
    data16 retf 2
gate_ring1:
    mov ax, cs
    call hex16
    mov ax, ss
    call hex16
    SHOW esp
    SHOW [esp + 8]
    SHOW [esp + 12]
    retf
gate16:
    mov ax, DATA0
    mov ds, ax
    SHOW esp
    SHOW [esp]
    SHOW [esp + 4]
    data16 iret

.include "protected_tests.S"

    # Power off: the isa-debug-exit device of QEMU; elsewhere the HLT ends the run.
    call puts
    .asciz "end\n"
    mov al, 0x20
    out 0xF4, al
    lidt [null_idtr]
    cli
    hlt
null_idtr: .word 0
    .long 0
.balign 512
end:
.equ SECTORS, (end - _start) / 512 - 1
