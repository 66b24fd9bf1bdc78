# Included by protected.S.

.macro LOAD name, reg, sel
    CASE "\name"
    mov eax, \sel
    mov \reg, ax
    mov ax, \reg
    call hex16
    DONE
.endm

tests:
    # ---- segment loads in ring 0
    LOAD "ds null", ds, 0
    LOAD "ds null rpl3", ds, 3
    LOAD "ds data0", ds, 0x10
    LOAD "ds data0 rpl3", ds, 0x13
    LOAD "ds data3", ds, 0x23
    LOAD "ds data1 rpl2", ds, 0xC2
    LOAD "ds code0", ds, 8
    LOAD "ds execute-only", ds, 0x68
    LOAD "ds conforming rpl3", ds, 0x4B
    LOAD "ds absent", ds, 0x58
    LOAD "ds absent dpl2 rpl3", ds, 0xF3
    LOAD "ds absent execute-only", ds, 0x50
    LOAD "ds tss", ds, 0x38
    LOAD "ds beyond", ds, 0x200
    LOAD "ds ldt", ds, 4
    LOAD "ds ldt beyond", ds, 0x44
    LOAD "ss null", ss, 0
    LOAD "ss read-only", ss, 0x60
    LOAD "ss code", ss, 8
    LOAD "ss rpl3", ss, 0x13
    LOAD "ss data3", ss, 0x23
    LOAD "ss absent", ss, 0x58
    LOAD "ss ldt", ss, 4
    LOAD "fs read-only", fs, 0x60
    LOAD "gs beyond", gs, 0xFFFF

    CASE "accessed bit"
    mov byte ptr [gdt + 0xC8 + 5], 0x92
    mov ax, 0xC8
    mov fs, ax
    mov al, [gdt + 0xC8 + 5]
    call hex8
    DONE
    CASE "limit read"
    mov ax, 0xC8
    mov fs, ax
    mov al, fs:[0xFF]
    mov eax, fs:[0xFD]
    DONE
    CASE "limit write"
    mov ax, 0xC8
    mov fs, ax
    mov fs:[0x100], al
    DONE
    CASE "read-only write"
    mov ax, 0x60
    mov fs, ax
    mov eax, fs:[0x48000]
    mov fs:[0x48000], eax
    DONE
    CASE "null access"
    xor ax, ax
    mov fs, ax
    mov eax, fs:[0x48000]
    DONE
    CASE "code write"
    mov cs:[scratch], eax
    DONE
    CASE "execute-only read"
    ljmp 0x68, offset 1f
1:  mov eax, cs:[scratch]
    DONE
    ljmp CODE0, offset 1f
1:
    CASE "expand-down inside"
    mov ax, 0x70
    mov fs, ax
    mov eax, fs:[0x1000]
    DONE
    CASE "expand-down below"
    mov ax, 0x70
    mov fs, ax
    mov eax, fs:[0xFFF]
    DONE
    CASE "ss limit"
    mov ax, 0xC8
    mov ss, ax
    mov ebx, esp
    mov esp, 0x80
    mov eax, [esp + 0x80]
    mov ax, DATA0
    mov ss, ax
    mov esp, ebx
    DONE
    CASE "mov cs"
    .byte 0x8E, 0xC8
    DONE
    CASE "mov seg 6"
    .byte 0x8C, 0xF0
    DONE
    CASE "pop ds"
    push 0x60
    pop ds
    mov ax, ds
    call hex16
    SHOW esp
    DONE
    CASE "pop ds bad"
    push 0x200
    pop ds
    DONE
    CASE "push seg width"
    mov dword ptr [esp - 4], 0x55555555
    push ds
    mov eax, [esp]
    and eax, 0xFFFF
    call hex32
    pop eax
    DONE
    CASE "les"
    mov dword ptr [far_ptr], 0x11223344
    mov word ptr [far_ptr + 4], 0x60
    les ebx, [far_ptr]
    SHOW ebx
    mov ax, es
    call hex16
    DONE
    CASE "les bad"
    mov word ptr [far_ptr + 4], 0x50
    les ebx, [far_ptr]
    DONE
    CASE "lss bad"
    mov word ptr [far_ptr + 4], 0x60
    lss ebx, [far_ptr]
    DONE
    CASE "lss register"
    .byte 0x0F, 0xB2, 0xC0
    DONE

    # ---- looking at descriptors
    .macro LOOK op, sel
    CASE "\op \sel"
    mov eax, \sel
    xor ebx, ebx
    \op ebx, eax
    pushfd
    pop eax
    and eax, 0x40
    call hex8
    SHOW ebx
    DONE
    .endm
    .irp sel, 0, 8, 0x10, 0x1B, 0x38, 0x40, 0x4B, 0x50, 0x78, 0x88, 0xA8, 0xB0, 0x13, 0x200, 4, 0xC8, 0x70
    LOOK lar, \sel
    LOOK lsl, \sel
    .endr
    .macro VERIFY op, sel
    CASE "\op \sel"
    mov eax, \sel
    \op ax
    pushfd
    pop eax
    and eax, 0x40
    call hex8
    DONE
    .endm
    .irp sel, 0, 8, 0x10, 0x13, 0x23, 0x38, 0x4B, 0x60, 0x68, 0x50, 0x58, 0x200
    VERIFY verr, \sel
    VERIFY verw, \sel
    .endr
    CASE "arpl"
    mov eax, 0x10
    mov ebx, 3
    arpl ax, bx
    pushfd
    call hex16
    pop eax
    and eax, 0x40
    call hex8
    mov ax, 0x13
    mov bx, 1
    arpl ax, bx
    pushfd
    call hex16
    pop eax
    and eax, 0x40
    call hex8
    DONE

    # ---- descriptor tables
    CASE "sgdt sldt str smsw"
    sgdt [scratch]
    SHOW [scratch]
    sldt eax
    call hex32
    str ax
    call hex16
    smsw eax
    and eax, 0x8000003F
    call hex32
    DONE
    CASE "lldt tss"
    mov ax, 0x38
    lldt ax
    DONE
    CASE "lldt beyond"
    mov ax, 0x200
    lldt ax
    DONE
    CASE "lldt in ldt"
    mov ax, 0x44
    lldt ax
    DONE
    CASE "lldt null"
    xor ax, ax
    lldt ax
    mov ax, 4
    mov fs, ax
    DONE
    mov ax, 0x40
    lldt ax
    CASE "ltr busy"
    mov ax, 0x38
    ltr ax
    DONE
    CASE "ltr absent"
    mov ax, 0xE0
    ltr ax
    DONE
    CASE "ltr data"
    mov ax, 0x10
    ltr ax
    DONE
    CASE "busy bit"
    mov al, [gdt + 0x38 + 5]
    call hex8
    DONE

    # ---- software interrupts and faults in ring 0
    .macro INTERRUPT name, vector
    CASE "\name"
    int \vector
    DONE
    .endm
    INTERRUPT "int 41", 0x41
    INTERRUPT "int absent", 0x42
    INTERRUPT "int null cs", 0x43
    INTERRUPT "int absent cs", 0x44
    INTERRUPT "int data cs", 0x45
    INTERRUPT "int trap gate", 0x46
    INTERRUPT "int conforming", 0x49
    INTERRUPT "int no type", 0x4A
    INTERRUPT "int beyond gdt", 0x4B
    INTERRUPT "int inner from 0 to 1", 0x4C
    INTERRUPT "int beyond idt", 0x50
    CASE "int 16-bit gate"
    int 0x47
    DONE
    CASE "int3"
    int3
    DONE
    CASE "into"
    mov al, 0x7F
    add al, 1
    into
    DONE
    CASE "into not"
    xor eax, eax
    into
    DONE
    CASE "int1"
    .byte 0xF1
    DONE
    CASE "ud2"
    ud2
    DONE
    CASE "divide"
    xor ecx, ecx
    div ecx
    DONE
    CASE "bound"
    mov dword ptr [scratch], 1
    mov dword ptr [scratch + 4], 5
    mov eax, 6
    bound eax, [scratch]
    DONE
    CASE "int with IF"
    sti
    int 0x46
    DONE
    CASE "fault with IF NT"
    pushfd
    or dword ptr [esp], 0x4200
    popfd
    ud2
    DONE

    # ---- far transfers in ring 0
    .macro FARJUMP name, sel
    CASE "jmp \name"
    ljmp \sel, offset 1f
1:  mov ax, cs
    call hex16
    DONE
    ljmp CODE0, offset 2f
2:
    CASE "call \name"
    lcall \sel, offset 3f
    jmp 4f
3:  mov ax, cs
    call hex16
    SHOW [esp + 4]
    retf
4:
    DONE
    ljmp CODE0, offset 5f
5:
    .endm
    FARJUMP "null", 0
    FARJUMP "code0", 8
    FARJUMP "code0 rpl3", 0xB
    FARJUMP "code3", 0x1B
    FARJUMP "conforming", 0x48
    FARJUMP "conforming rpl3", 0x4B
    FARJUMP "conforming dpl3", 0xD0
    FARJUMP "absent", 0x50
    FARJUMP "data", 0x10
    FARJUMP "beyond", 0x200
    FARJUMP "ldt code", 0xC
    FARJUMP "ldt selector", 0x40
    FARJUMP "gate absent", 0x90
    FARJUMP "gate null", 0x98
    FARJUMP "gate absent code", 0x100
    FARJUMP "gate data", 0x108
    FARJUMP "busy tss", 0x38
    FARJUMP "small code", 0xE8
    FARJUMP "absent tss", 0xE0
    FARJUMP "small tss", 0xD8
    CASE "accessed code"
    mov al, [gdt + 0x48 + 5]
    call hex8
    DONE
    CASE "call gate"
    lcall 0x78, 0
    DONE
    CASE "call gate rpl3"
    lcall 0x7B, 0
    DONE
    CASE "call gate params same level"
    push 0x111
    push 0x222
    lcall 0x80, 0
    SHOW esp
    DONE
    CASE "call gate 16"
    push 0x3333
    lcall 0x88, 0
    SHOW esp
    DONE
    CASE "indirect far call"
    mov dword ptr [far_ptr], offset gate_conforming
    mov word ptr [far_ptr + 4], 0x48
    lcall [far_ptr]
    DONE
    CASE "retf 16-bit operand"
    push 0x00080000 + 0
    mov eax, offset 1f
    mov word ptr [esp], ax
    data16 retf
1:  DONE
    CASE "retf inner"
    push 8
    push offset 1f
    retf
1:  SHOW esp
    DONE
    CASE "retf null"
    push 0
    push offset 1f
    retf
1:  DONE
    CASE "retf data"
    push 0x10
    push offset 1f
    retf
1:  DONE
    CASE "retf absent"
    push 0x50
    push offset 1f
    retf
1:  DONE
    CASE "retf outer null ss"
    push 0
    push USER_STACK
    push CODE3
    push offset 1f
    retf
1:  DONE
    CASE "retf outer bad ss"
    push 0x10
    push USER_STACK
    push CODE3
    push offset 1f
    retf
1:  DONE
    CASE "retf outer"
    mov ax, DATA0
    mov fs, ax
    mov ax, 0x48
    mov gs, ax
    mov ax, DATA3
    mov es, ax
    push DATA3
    push USER_STACK
    push CODE3
    push offset 1f
    retf
1:  mov ax, ds
    call hex16
    mov ax, es
    call hex16
    mov ax, fs
    call hex16
    mov ax, gs
    call hex16
    mov ax, ss
    call hex16
    mov eax, esp
    call hex32
    ENDUSER
    CASE "retf outer imm"
    push DATA3
    push USER_STACK
    push 0x999
    push CODE3
    push offset 1f
    retf 4
1:  mov eax, esp
    call hex32
    ENDUSER

    # ---- IRET
    CASE "iret same"
    pushfd
    push 8
    push offset 1f
    iretd
1:  SHOW esp
    DONE
    CASE "iret null"
    pushfd
    push 0
    push offset 1f
    iretd
1:  DONE
    CASE "iret to ring 1"
    push 0xC1
    push 0x5A000
    pushfd
    push 0xB9
    push offset 1f
    iretd
1:  mov ax, cs
    int 0x4C                    # ring 1 handler, same level: DPL 3 gate
    DONE
    CASE "iret 16"
    pushfw
    push word ptr 8
    mov eax, offset 1f
    push ax
    data16 iret
1:  SHOW esp
    DONE
    CASE "iret flags"
    push 0x3F7FD7 - 0x20000 - 0x4000 - 0x100
    push 8
    push offset 1f
    iretd
1:  pushfd
    pop eax
    and eax, 0x3FFFFF
    call hex32
    DONE

    # ---- ring 3
    CASE "user flags"
    USER
    push 0x3F7FD7 - 0x20000 - 0x4000 - 0x100
    popfd
    pushfd
    pop eax
    call hex32
    ENDUSER
    CASE "user iret flags"
    USER
    push 0x3F7FD7 - 0x20000 - 0x4000 - 0x100
    push CODE3
    push offset 1f
    iretd
1:  pushfd
    pop eax
    call hex32
    ENDUSER
    .macro USERFAULT name, insn:vararg
    CASE "user \name"
    USER
    \insn
    ENDUSER
    .endm
    USERFAULT "hlt", hlt
    USERFAULT "cli", cli
    USERFAULT "sti", sti
    USERFAULT "mov cr0", mov eax, cr0
    USERFAULT "mov cr3", mov cr3, eax
    USERFAULT "mov dr7", mov eax, dr7
    USERFAULT "lgdt", lgdt [gdtr]
    USERFAULT "lidt", lidt [idtr]
    USERFAULT "ltr", ltr ax
    USERFAULT "lldt", lldt ax
    USERFAULT "clts", clts
    USERFAULT "invlpg", invlpg [eax]
    USERFAULT "wbinvd", wbinvd
    USERFAULT "lmsw", lmsw ax
    USERFAULT "rdmsr", rdmsr
    USERFAULT "wrmsr", wrmsr
    USERFAULT "in closed", in al, 0x80
    USERFAULT "in open", in al, 0x84
    USERFAULT "in word half open", in ax, 0x83
    USERFAULT "in dword open", in eax, 0x84
    USERFAULT "in dword half", in eax, 0x85
    USERFAULT "int 41", int 0x41
    USERFAULT "int 46", int 0x46
    USERFAULT "int absent", int 0x42
    USERFAULT "int conforming", int 0x49
    USERFAULT "int 16-bit", int 0x47
    USERFAULT "int ring 3 code", int 0x4D
    USERFAULT "int3", int3
    USERFAULT "int1", .byte 0xF1
    USERFAULT "ud2", ud2
    CASE "user ds data0"
    USER
    mov eax, DATA0
    mov ds, eax
    ENDUSER
    CASE "user retf inner"
    USER
    push CODE0
    push 0
    retf
    ENDUSER
    CASE "user iret inner"
    USER
    pushfd
    push CODE0
    push 0
    iretd
    ENDUSER
    USERFAULT "call gate dpl0", lcall 0x78, 0
    USERFAULT "call gate ring 1", lcall 0x118, 0
    USERFAULT "call gate conforming", lcall 0x110, 0
    USERFAULT "jmp gate", ljmp 0x80, 0
    USERFAULT "jmp gate conforming", ljmp 0x110, 0
    USERFAULT "call tss dpl0", lcall 0xA0, 0
    CASE "user call gate params"
    USER
    push 0x111
    push 0x222
    lcall 0x83, 0
    mov eax, esp
    call hex32
    mov ax, ds
    call hex16
    ENDUSER
    CASE "user call gate 16"
    USER
    push word ptr 0x4444
    lcall 0x8B, 0
    ENDUSER
    CASE "user look"
    USER
    mov eax, 0x10
    xor ebx, ebx
    lar ebx, eax
    setz al
    call hex8
    mov eax, 0x1B
    lsl ebx, eax
    setz al
    call hex8
    mov eax, ebx
    call hex32
    ENDUSER
    # bad stacks in the TSS
    .macro BADSTACK name, sel, esp
    CASE "tss \name"
    mov dword ptr [0x40008], \sel
    mov dword ptr [0x40004], \esp
    mov dword ptr [0x4000C], KERNEL_STACK - 0x800
    USER
    int 0x4E
    ENDUSER
    mov dword ptr [0x40004], KERNEL_STACK - 0x1000
    mov dword ptr [0x40008], DATA0
    mov dword ptr [0x4000C], 0x59000
    .endm

    # ---- single step and breakpoints
    CASE "single step"
    pushfd
    or dword ptr [esp], 0x100
    popfd
    nop
    nop
    DONE
    CASE "breakpoint"
    mov eax, offset 1f
    mov dr0, eax
    mov eax, 0x402
    mov dr7, eax
    nop
1:  nop
    DONE
    xor eax, eax
    mov dr7, eax
    CASE "watch"
    mov eax, offset scratch
    mov dr1, eax
    mov eax, 0xD00408
    mov dr7, eax
    mov dr6, eax
    mov dword ptr [scratch], 1
    nop
    DONE
    xor eax, eax
    mov dr7, eax
    CASE "general detect"
    mov eax, 0x2400
    mov dr7, eax
    mov eax, dr0
    DONE
    CASE "general detect cleared"
    mov eax, dr7
    call hex32
    DONE

    # ---- paging
.include "paging_tests.S"

    # ---- virtual-8086 mode, virtual interrupts
.include "v86_tests.S"

    # ---- task switches
.include "task_tests.S"
