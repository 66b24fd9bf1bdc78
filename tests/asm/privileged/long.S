# Exceptions, IRET, system calls, paging faults and register checks in IA-32e mode.
#
# The output is made as in protected.S: the name of the test, then "ok" or the exception with its
# error code, CS, RIP (from the start of the test), RFLAGS, SS and RSP.

.intel_syntax noprefix
.equ CODE64, 0x08
.equ DATA0, 0x10
.equ UCODE32, 0x1B
.equ UDATA, 0x23
.equ UCODE64, 0x2B
.equ CODE32, 0x30
.equ USER_STACK, 0x60000
.equ KERNEL_STACK, 0x50000
.equ TSS, 0x40000
.equ IDT, 0x70000
.equ PAGES, 0x100000            # page tables
.equ WINDOW, 0x400000           # 4 KiB pages of all kinds

.include "boot.S"

main:
    cli
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x7C00
    in al, 0x92
    or al, 2
    out 0x92, al
    lgdt [gdtr]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    ljmp CODE32, offset protected

.macro DESC base, limit, access, flags
    .word (\limit) & 0xFFFF
    .word (\base) & 0xFFFF
    .byte ((\base) >> 16) & 0xFF
    .byte \access
    .byte (((\limit) >> 16) & 0xF) | ((\flags) << 4)
    .byte ((\base) >> 24) & 0xFF
.endm
.macro GATE sel, access, count
    .word 0
    .word \sel
    .byte \count
    .byte \access
    .word 0
    .quad 0
.endm
.balign 16
gdt:
    .quad 0
    DESC 0, 0xFFFFF, 0x9B, 0xA          # 08 64-bit code, ring 0
    DESC 0, 0xFFFFF, 0x93, 0xC          # 10 data, ring 0
    DESC 0, 0xFFFFF, 0xFB, 0xC          # 18 32-bit code, ring 3
    DESC 0, 0xFFFFF, 0xF3, 0xC          # 20 data, ring 3
    DESC 0, 0xFFFFF, 0xFB, 0xA          # 28 64-bit code, ring 3
    DESC 0, 0xFFFFF, 0x9B, 0xC          # 30 32-bit code, ring 0
    DESC 0, 0xFFFF, 0x9B, 0x0           # 38 16-bit code, ring 0
    DESC TSS, 0x20FF, 0x89, 0x0         # 40 TSS
    .quad 0
    DESC 0x44000, 0x3F, 0x82, 0x0       # 50 LDT
    .quad 0
    GATE CODE64, 0xEC, 0                # 60 call gate, DPL 3
    GATE CODE64, 0x8C, 0                # 70 call gate, DPL 0
    GATE CODE32, 0xEC, 0                # 80 call gate to 32-bit code
    DESC 0, 0xFFFFF, 0x9B, 0xE          # 90 code with L and D
    DESC 0, 0xFFFFF, 0x9F, 0xA          # 98 conforming 64-bit code
    DESC TSS, 0x67, 0x89, 0x0           # A0 TSS whose upper half has a type
    .quad 0x0000010000000000
    DESC 0, 0xFFFFF, 0x1B, 0xA          # B0 absent 64-bit code
    DESC 0, 0xFFFFF, 0x13, 0xC          # B8 absent data
    DESC 0, 0xFFFFF, 0xB3, 0xC          # C0 data, ring 1
    DESC 0, 0xFFFFF, 0xBB, 0xA          # C8 64-bit code, ring 1
    DESC 0x1000, 0x00FFF, 0x93, 0x4     # D0 data at 1000h, 4 KiB
gdt_end:
gdtr:
    .word gdt_end - gdt - 1
    .quad gdt
idtr:
    .word 0x50 * 16 - 1
    .quad IDT
bad_idtr:
    .word 0xFFF
    .quad 0x8000000000000000

.balign 8
resume_rip: .quad 0
resume_rsp: .quad 0
test_base:  .quad 0
scratch:    .quad 0, 0, 0, 0
far_ptr:    .quad 0
            .word 0

.code32
protected:
    mov ax, DATA0
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esp, KERNEL_STACK
    # clear 40000h-49000h, the IDT, and the page tables
    mov edi, 0x40000
    mov ecx, 0x9000 / 4
    call fill32
    mov edi, IDT
    mov ecx, 0x510 / 4
    call fill32
    mov edi, PAGES
    mov ecx, 0x8000 / 4
    call fill32
    # PML4 → PDPT → PD: 1 GiB of 2 MiB pages for everybody; one PDE leads to a page table
    mov dword ptr [PAGES], PAGES + 0x1007
    mov dword ptr [PAGES + 0x1000], PAGES + 0x2007
    mov edi, PAGES + 0x2000
    mov eax, 0x87
    mov ecx, 512
1:  mov [edi], eax
    mov dword ptr [edi + 4], 0
    add eax, 0x200000
    add edi, 8
    dec ecx
    jnz 1b
    mov dword ptr [PAGES + 0x2000 + 16], PAGES + 0x3007
    # window: 0 RW user, 1 absent, 2 read-only user, 3 RW supervisor, 4 read-only supervisor,
    # 5 NX user, 6 reserved bit, 7 RW user code
    mov dword ptr [PAGES + 0x3000], 0x400007
    mov dword ptr [PAGES + 0x3010], 0x402005
    mov dword ptr [PAGES + 0x3018], 0x403003
    mov dword ptr [PAGES + 0x3020], 0x404001
    mov dword ptr [PAGES + 0x3028], 0x405007
    mov dword ptr [PAGES + 0x302C], 0x80000000
    mov dword ptr [PAGES + 0x3030], 0x406007
    mov dword ptr [PAGES + 0x3034], 0x00080000
    mov dword ptr [PAGES + 0x3038], 0x407007
    mov eax, PAGES
    mov cr3, eax
    mov eax, 0x6B0                      # PSE PAE PGE OSFXSR OSXMMEXCPT
    mov cr4, eax
    mov ecx, 0xC0000080
    mov eax, 0x901                      # SCE LME NXE
    xor edx, edx
    wrmsr
    mov eax, 0x80010031
    mov cr0, eax
    ljmp CODE64, offset long_start

fill32:
    mov dword ptr [edi], 0
    add edi, 4
    dec ecx
    jnz fill32
    ret

.code64
.macro CASE name
    call puts
    .asciz "\name: "
    mov qword ptr [resume_rip], offset 99f
    mov [resume_rsp], rsp
    mov qword ptr [test_base], offset 98f
98:
.endm
.macro DONE
    call say_ok
99: call finish
.endm
.macro SHOW value
    push rax
    mov rax, \value
    call hex64
    pop rax
.endm
.macro USER
    push UDATA
    push USER_STACK
    push 2
    push UCODE64
    push offset 96f
    iretq
96:
.endm
.macro ENDUSER
    int 0x40
99: call finish
.endm
.macro FAULTING name, insn:vararg
    CASE "\name"
    \insn
    DONE
.endm
.macro USERFAULT name, insn:vararg
    CASE "user \name"
    USER
    \insn
    ENDUSER
.endm

puts:
    pushfq
    push rax
    push rsi
    mov rsi, [rsp + 24]
1:  mov al, cs:[rsi]
    inc rsi
    test al, al
    jz 2f
    out 0xE9, al
    jmp 1b
2:  mov [rsp + 24], rsi
    pop rsi
    pop rax
    popfq
    ret
hex64:
    push rcx
    mov ecx, 64
hex_digits:
    push rax
    push rdx
    mov rdx, rax
1:  sub ecx, 4
    mov rax, rdx
    shr rax, cl
    and al, 15
    add al, '0'
    cmp al, '9'
    jbe 2f
    add al, 'a' - '9' - 1
2:  out 0xE9, al
    test ecx, ecx
    jnz 1b
    mov al, ' '
    out 0xE9, al
    pop rdx
    pop rax
    pop rcx
    ret
hex32:
    push rcx
    mov ecx, 32
    jmp hex_digits
hex16:
    push rcx
    mov ecx, 16
    jmp hex_digits
hex8:
    push rcx
    mov ecx, 8
    jmp hex_digits
say_ok:
    call puts
    .asciz "ok"
    ret
finish:
    push rax
    mov ax, DATA0
    mov ds, ax
    mov es, ax
    mov ss, ax
    push 2
    popfq
    mov al, '\n'
    out 0xE9, al
    pop rax
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
    .quad stub_\n
.endm
.balign 8
stub_table:
.set i, 0
.rept 32
    STUBREF %i
    .set i, i + 1
.endr
.noaltmacro

common:                         # vector, error code, RIP, CS, RFLAGS, RSP, SS
    mov al, '#'
    out 0xE9, al
    mov rax, [rsp]
    call hex8
    mov rax, [rsp + 8]
    call hex16
    mov rax, [rsp + 24]
    call hex16
    mov rax, [rsp + 16]
    sub rax, [test_base]
    call hex32
    mov rax, [rsp + 32]
    and eax, 0x3F7700
    call hex32
    mov rax, [rsp + 48]
    call hex16
    mov rax, [rsp + 40]
    sub rax, [resume_rsp]
    call hex32
    cmp dword ptr [rsp], 14
    jne 4f
    mov rax, cr2
    call hex64
4:  cmp dword ptr [rsp], 1
    jne 5f
    mov rax, dr6
    and eax, 0xE00F
    call hex16
5:  mov ax, ss
    call hex16
    mov rax, rsp
    call hex32
    pushfq
    pop rax
    and eax, 0x3F7700
    call hex32
resume:
    mov ax, DATA0
    mov ss, ax
    mov ds, ax
    mov rsp, [resume_rsp]
    jmp [resume_rip]
back_from_user:
    call say_ok
    jmp resume
.macro IDTGATE vector, target, sel, access, ist=0
    mov edi, \vector
    mov rax, offset \target
    mov ebx, \sel
    mov ecx, \access
    mov edx, \ist
    call set_gate
.endm
set_gate:
    shl edi, 4
    add edi, IDT
    mov [rdi], ax
    mov [rdi + 2], bx
    mov byte ptr [rdi + 4], dl
    mov [rdi + 5], cl
    shr rax, 16
    mov [rdi + 6], ax
    shr rax, 16
    mov [rdi + 8], eax
    ret
.macro CALLGATE sel, target
    mov rax, offset \target
    mov [gdt + \sel], ax
    shr rax, 16
    mov [gdt + \sel + 6], ax
.endm
.macro WRITEMSR index, low, high
    mov ecx, \index
    mov eax, \low
    mov edx, \high
    wrmsr
.endm

long_start:
    mov ax, DATA0
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov rsp, KERNEL_STACK
    xor ax, ax
    mov fs, ax
    mov gs, ax
    xor esi, esi
1:  mov rax, [stub_table + rsi * 8]
    mov edi, esi
    mov ebx, CODE64
    mov ecx, 0x8E
    xor edx, edx
    call set_gate
    inc esi
    cmp esi, 32
    jb 1b
    IDTGATE 3, stub_3, CODE64, 0xEE
    IDTGATE 8, stub_8, CODE64, 0x8E, 2
    IDTGATE 0x40, back_from_user, CODE64, 0xEE
    IDTGATE 0x41, stub_21, CODE64, 0x8E
    IDTGATE 0x42, stub_21, CODE64, 0x6E
    IDTGATE 0x43, stub_21, CODE32, 0xEE
    IDTGATE 0x44, stub_21, 0xB0, 0xEE
    IDTGATE 0x45, stub_21, CODE64, 0xE6
    IDTGATE 0x46, stub_21, CODE64, 0xEF
    IDTGATE 0x47, stub_21, CODE64, 0xEE, 1
    IDTGATE 0x48, stub_21, CODE64, 0xEE, 3
    IDTGATE 0x49, stub_21, 0x98, 0xEE
    IDTGATE 0x4A, stub_21, 0, 0xEE
    IDTGATE 0x4B, stub_21, UCODE64, 0xEE
    IDTGATE 0x4C, stub_21, 0x90, 0xEE
    IDTGATE 0x4D, stub_21, CODE64, 0xEE, 4
    lidt [idtr]
    mov qword ptr [TSS + 4], KERNEL_STACK - 0x1000
    mov qword ptr [TSS + 0x24], KERNEL_STACK - 0x1808       # IST1: not aligned
    mov qword ptr [TSS + 0x2C], KERNEL_STACK - 0x2000       # IST2
    mov rax, 0x0000800000000000
    mov [TSS + 0x34], rax                                   # IST3: not canonical
    mov qword ptr [TSS + 0x3C], WINDOW + 0x1100             # IST4: absent page
    mov word ptr [TSS + 102], 0x68
    mov edi, TSS + 0x68
    mov ecx, 0x2000
2:  mov byte ptr [rdi], 0xFF
    inc edi
    dec ecx
    jnz 2b
    mov byte ptr [TSS + 0x68 + 0xE9 / 8], 0xFD
    mov ax, 0x40
    ltr ax
    mov ax, 0x50
    lldt ax
    CALLGATE 0x60, gate64
    CALLGATE 0x70, gate64
    CALLGATE 0x80, gate64
    WRITEMSR 0xC0000081, 0, 0x00180008              # STAR: SYSCALL 08, SYSRET 18
    mov rax, offset syscall_entry
    mov ecx, 0xC0000082
    xor edx, edx
    wrmsr
    WRITEMSR 0xC0000084, 0x4700, 0
    jmp tests
gate64:
    SHOW [rsp + 8]
    mov ax, ss
    call hex16
    mov rax, rsp
    call hex32
    retfq
syscall_entry:
    mov rdx, rsp
    mov rsp, KERNEL_STACK - 0x3000
    push rcx
    push r11
    mov ax, cs
    call hex16
    mov ax, ss
    call hex16
    pushfq
    pop rax
    and eax, 0x3F7700
    call hex32
    mov rax, r11
    and eax, 0x3F7700
    call hex32
    mov rax, rdx
    call hex32
    pop r11
    pop rcx
    mov rsp, rdx
    sysretq

.include "long_tests.S"

    call puts
    .asciz "end\n"
    mov al, 0x20
    out 0xF4, al
    cli
    hlt
.balign 512
end:
.equ SECTORS, (end - _start) / 512 - 1
