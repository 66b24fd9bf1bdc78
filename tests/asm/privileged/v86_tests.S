# Included by protected_tests.S. Virtual-8086 code ends with INT3, whose handler prints BX.

.macro V86 name, flags
    CASE "v86 \name"
    xor ebx, ebx
    push 0x10                   # GS FS DS ES
    push 0x20
    push 0
    push 0
    push 0x5000
    push 0xF000
    push \flags
    push 0
    push offset 96f
    iretd
    .code16
96:
.endm
.macro ENDV86
    int3
    .code32
99: call finish
.endm
.macro V86FAULT name, flags, insn:vararg
    V86 "\name", \flags
    \insn
    ENDV86
.endm
.equ VM, 0x20002
.equ VM3, 0x23002
.equ VIF, 0x80000
.equ VIP, 0x100000

    # Interrupt vectors of the 8086 program, and which of them are redirected to it
    mov eax, offset v86_handler
    mov [0x60 * 4], eax
    mov [0x61 * 4], eax
    mov byte ptr [0x40000 + 0x68 + 0x60 / 8], 0x02      # 61h goes to the monitor
    IDTGATE 0x4E, stub_21, CODE0, 0xEE
    jmp v86_tests

    .code16
v86_handler:
    push bp
    mov bp, sp
    mov bx, [bp + 6]            # the flags image
    pop bp
    iret
    .code32

v86_tests:
    V86FAULT "nothing", VM, nop
    V86FAULT "gs", VM, mov bx, gs
    V86FAULT "stack", VM, mov bx, sp
    .irp flags, VM, VM3
    V86FAULT "cli \flags", \flags, cli
    V86FAULT "sti \flags", \flags, sti
    V86FAULT "pushf \flags", \flags, pushf
    V86FAULT "popf \flags", \flags, popf
    V86FAULT "pushfd \flags", \flags, pushfd
    V86FAULT "int 40 \flags", \flags, int 0x40
    V86FAULT "int 41 \flags", \flags, int 0x41
    V86FAULT "int 49 \flags", \flags, int 0x49
    V86FAULT "int 4c \flags", \flags, int 0x4C
    V86FAULT "int1 \flags", \flags, .byte 0xF1
    V86FAULT "hlt \flags", \flags, hlt
    V86FAULT "in closed \flags", \flags, in al, 0x80
    V86FAULT "in open \flags", \flags, in al, 0x84
    .endr
    V86FAULT "iret", VM, iret
    V86FAULT "ud2", VM, ud2
    V86FAULT "lar", VM, lar bx, ax
    V86FAULT "arpl", VM, .byte 0x63, 0xD8
    V86FAULT "str", VM, .byte 0x0F, 0x00, 0xC8
    V86FAULT "lldt", VM, .byte 0x0F, 0x00, 0xD0
    V86FAULT "smsw", VM, smsw bx
    V86FAULT "mov cr0", VM, mov eax, cr0
    V86FAULT "mov dr0", VM, mov eax, dr0
    V86FAULT "clts", VM, clts
    V86FAULT "lgdt", VM, lgdt [0]
    V86FAULT "rdtsc", VM, rdtsc
    V86FAULT "invlpg", VM, invlpg [0]
    V86FAULT "limit", VM, mov eax, [0xFFFD]
    V86FAULT "segment", VM, mov ds, bx
    V86FAULT "cmpxchg lock", VM, .byte 0xF0, 0x90
    V86 "far call", VM
    mov bx, sp
    lcall 0x100, offset 1f - 0x1000
1:  mov bx, cs
    ENDV86
    V86 "pushf iopl 3", 0x23202
    pushf
    pop bx
    ENDV86
    V86 "popf iopl 3", VM3
    push 0x3ED7
    popf
    pushf
    pop bx
    ENDV86
    V86 "popfd iopl 3", VM3
    push 0x3F
    push 0x0200
    popfd
    pushfd
    pop ax
    pop bx
    ENDV86
    V86 "iret iopl 3", VM3
    push 0x0246
    push 0
    push offset 1f
    iret
1:  pushf
    pop bx
    ENDV86
    V86 "fault in step", 0x20102
    nop
    nop
    ENDV86

    # ---- CR4.VME
    mov eax, cr4
    or eax, 1
    mov cr4, eax
    V86 "vme int redirected", 0xa0002
    int 0x60
    ENDV86
    V86 "vme int redirected vif clear", VM
    int 0x60
    ENDV86
    V86 "vme int redirected iopl 3", 0x23202
    int 0x60
    ENDV86
    V86FAULT "vme int monitor", VM, int 0x61
    V86FAULT "vme int monitor iopl 3", VM3, int 0x61
    V86FAULT "vme cli", 0xa0002, cli
    V86FAULT "vme sti", VM, sti
    V86FAULT "vme sti vip", 0x120002, sti
    V86FAULT "vme cli iopl 3", 0xa3202, cli
    V86 "vme pushf", 0xa0002
    pushf
    pop bx
    ENDV86
    V86 "vme pushf vif clear", 0x20202
    pushf
    pop bx
    ENDV86
    V86FAULT "vme pushfd", VM, pushfd
    V86 "vme popf", VM
    push 0x3ED7
    popf
    ENDV86
    V86 "vme popf tf", VM
    push 0x0100
    popf
    ENDV86
    V86 "vme popf vip", 0x120002
    push 0x0200
    popf
    ENDV86
    V86 "vme popf vip if clear", 0x1a0002
    push 0x0000
    popf
    ENDV86
    V86 "vme iret", VM
    push 0x0246
    push 0
    push offset 1f
    iret
1:  pushf
    pop bx
    ENDV86
    V86 "vme iret tf", VM
    push 0x0146
    push 0
    push offset 1f
    iret
1:  nop
    ENDV86
    V86FAULT "vme iretd", VM, iretd

    # ---- CR4.PVI
    mov eax, 2
    mov cr4, eax
    USERFAULT "pvi cli", cli
    USERFAULT "pvi sti", sti
    CASE "pvi sti vip"
    push DATA3
    push USER_STACK
    push 0x100002
    push CODE3
    push offset 1f
    iretd
1:  sti
    ENDUSER
    CASE "pvi flags"
    push DATA3
    push USER_STACK
    push 0x2
    push CODE3
    push offset 1f
    iretd
1:  sti
    pushfd
    pop eax
    call hex32
    cli
    pushfd
    pop eax
    call hex32
    ENDUSER
    xor eax, eax
    mov cr4, eax
