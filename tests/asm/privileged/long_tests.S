# Included by long.S.

tests:
    # ---- exceptions and software interrupts in ring 0
    FAULTING "ud2", ud2
    CASE "unaligned stack"
    sub rsp, 3
    ud2
    DONE
    FAULTING "int3", int3
    FAULTING "int1", .byte 0xF1
    .irp n, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x4B, 0x4C, 0x4D, 0x50
    FAULTING "int \n", int \n
    .endr
    CASE "fault with IF NT AC"
    push 0x44202
    popfq
    ud2
    DONE
    CASE "trap gate with IF"
    sti
    int 0x46
    DONE
    FAULTING "into", .byte 0xCE
    FAULTING "pusha", .byte 0x60
    FAULTING "push cs", .byte 0x0E
    FAULTING "lds", .byte 0x62, 0x05
    FAULTING "far jmp immediate", .byte 0xEA, 0, 0, 0, 0, 8, 0
    FAULTING "sysenter null", sysenter
    FAULTING "divide", xor ecx, ecx
    # ---- paging faults
    .macro PAGEFAULT name, access:vararg
    FAULTING "\name", \access
    USERFAULT "\name", \access
    .endm
    PAGEFAULT "read rw", mov al, [WINDOW]
    PAGEFAULT "write rw", mov [WINDOW], al
    PAGEFAULT "read absent", mov al, [WINDOW + 0x1123]
    PAGEFAULT "write absent", mov [WINDOW + 0x1123], al
    PAGEFAULT "read ro", mov al, [WINDOW + 0x2000]
    PAGEFAULT "write ro", mov [WINDOW + 0x2000], al
    PAGEFAULT "add ro", add byte ptr [WINDOW + 0x2000], 1
    PAGEFAULT "read super", mov al, [WINDOW + 0x3000]
    PAGEFAULT "write super", mov [WINDOW + 0x3000], al
    PAGEFAULT "write super ro", mov [WINDOW + 0x4000], al
    PAGEFAULT "read reserved", mov al, [WINDOW + 0x6000]
    PAGEFAULT "write across", mov [WINDOW + 0xFFE], eax
    PAGEFAULT "read across into super", mov eax, [WINDOW + 0x2FFE]
    .macro FETCH name, page
    CASE "\name"
    mov byte ptr [WINDOW], 0xC3
    mov rax, WINDOW + \page
    mov qword ptr [test_base], rax
    call rax
    DONE
    CASE "user \name"
    USER
    mov rax, WINDOW + \page
    mov qword ptr [test_base], rax
    call rax
    ENDUSER
    .endm
    mov byte ptr [WINDOW + 0x5000], 0xC3
    mov byte ptr [WINDOW + 0x3000], 0xC3
    mov byte ptr [WINDOW + 0x7000], 0xC3
    FETCH "fetch user", 0x7000
    FETCH "fetch absent", 0x1000
    FETCH "fetch nx", 0x5000
    FETCH "fetch super", 0x3000
    FETCH "fetch reserved", 0x6000
    CASE "accessed dirty"
    mov dword ptr [PAGES + 0x3000], 0x400007
    mov rax, cr3
    mov cr3, rax
    mov al, [WINDOW]
    SHOW [PAGES + 0x3000]
    mov [WINDOW], al
    SHOW [PAGES + 0x3000]
    SHOW [PAGES + 0x2010]
    DONE
    CASE "wp off"
    mov rax, cr0
    and eax, ~0x10000
    mov cr0, rax
    mov [WINDOW + 0x2000], al
    mov [WINDOW + 0x4000], al
    DONE
    mov rax, cr0
    or eax, 0x10000
    mov cr0, rax

    # ---- addresses that are not canonical
    .macro NONCANONICAL name, access:vararg
    CASE "\name"
    mov rbx, 0x0000800000000000
    \access
    DONE
    .endm
    NONCANONICAL "load", mov al, [rbx]
    NONCANONICAL "store", mov [rbx], al
    NONCANONICAL "load ss", mov al, ss:[rbx]
    CASE "load rbp"
    mov rbp, 0x0000800000000000
    mov al, [rbp]
    DONE
    NONCANONICAL "load across", mov eax, [rbx - 2]
    NONCANONICAL "load highest", mov al, [rbx - 1]
    NONCANONICAL "jmp", jmp rbx
    NONCANONICAL "call", call rbx
    CASE "push"
    mov rsp, 0x0000800000000004
    mov rbx, rsp
    nop
    DONE
    CASE "ret"
    mov rax, 0x8000000000000000
    push rax
    ret
    DONE
    NONCANONICAL "invlpg", invlpg [rbx]
    FAULTING "lidt", lidt [bad_idtr]

    # ---- segments
    .macro LOAD name, reg, sel
    CASE "\name"
    mov eax, \sel
    mov \reg, ax
    mov ax, \reg
    call hex16
    DONE
    .endm
    LOAD "ss null", ss, 0
    LOAD "ss null rpl3", ss, 3
    LOAD "ss data1", ss, 0xC0
    LOAD "ss absent", ss, 0xB8
    LOAD "ds null", ds, 0
    LOAD "ds absent", ds, 0xB8
    LOAD "ds tss", ds, 0x40
    LOAD "ds beyond", ds, 0x300
    CASE "ds base ignored"
    mov ax, 0xD0
    mov ds, ax
    mov es, ax
    SHOW ds:[scratch]
    mov rax, es:[WINDOW]
    DONE
    CASE "fs base"
    mov ax, 0xD0
    mov fs, ax
    mov ecx, 0xC0000100
    rdmsr
    call hex32
    mov eax, edx
    call hex32
    mov rax, fs:[0x2000]
    DONE
    CASE "fs base null"
    xor eax, eax
    mov fs, ax
    mov ecx, 0xC0000100
    rdmsr
    call hex32
    DONE
    .macro LOOK op, sel
    CASE "\op \sel"
    mov eax, \sel
    xor ebx, ebx
    \op ebx, eax
    setz al
    call hex8
    SHOW rbx
    DONE
    .endm
    .irp sel, 0, 8, 0x10, 0x40, 0x48, 0x50, 0x60, 0x80, 0x90, 0xB0, 0x2B, 0x13
    LOOK lar, \sel
    LOOK lsl, \sel
    .endr
    CASE "sldt str"
    mov rax, -1
    sldt ax
    SHOW rax
    sldt eax
    SHOW rax
    mov rax, -1
    str rax
    SHOW rax
    DONE
    LOAD2 = 0
    .macro TABLE op, sel
    CASE "\op \sel"
    mov eax, \sel
    \op ax
    DONE
    .endm
    TABLE lldt, 0x40
    TABLE lldt, 0xD8
    TABLE lldt, 0
    TABLE lldt, 0x50
    TABLE ltr, 0xA0
    TABLE ltr, 0x40
    TABLE ltr, 0x50
    CASE "sgdt"
    sgdt [scratch]
    SHOW [scratch]
    DONE

    # ---- far transfers
    .macro FAR name, sel, target
    CASE "jmp \name"
    mov qword ptr [far_ptr], offset \target
    mov word ptr [far_ptr + 4], \sel
    ljmp [far_ptr]
1:  DONE
    CASE "call \name"
    mov qword ptr [far_ptr], offset 3f
    mov word ptr [far_ptr + 4], \sel
    lcall [far_ptr]
    jmp 4f
3:  mov ax, cs
    call hex16
    SHOW [rsp]
    .byte 0xCB
4:  DONE
    .endm
    FAR "code64", CODE64, 1f
    FAR "conforming", 0x98, 1f
    FAR "conforming rpl3", 0x9B, 1f
    push CODE64
    push offset 2f
    retfq
2:
    FAR "null", 0, 1f
    FAR "L and D", 0x90, 1f
    FAR "absent", 0xB0, 1f
    FAR "data", DATA0, 1f
    FAR "ring 3", UCODE64, 1f
    FAR "tss", 0x40, 1f
    FAR "gate to 32-bit code", 0x80, 1f
    CASE "call gate"
    mov word ptr [far_ptr + 4], 0x60
    lcall [far_ptr]
    DONE
    CASE "call gate dpl0"
    mov word ptr [far_ptr + 4], 0x70
    lcall [far_ptr]
    DONE
    CASE "user call gate"
    USER
    mov word ptr [far_ptr + 4], 0x63
    lcall [far_ptr]
    mov rax, rsp
    call hex32
    ENDUSER
    CASE "user call gate dpl0"
    USER
    mov word ptr [far_ptr + 4], 0x73
    lcall [far_ptr]
    ENDUSER
    CASE "retfq outer"
    push UDATA
    push USER_STACK
    push UCODE64
    push offset 1f
    retfq
1:  mov ax, cs
    call hex16
    mov ax, ss
    call hex16
    mov rax, rsp
    call hex32
    ENDUSER
    CASE "retfq null ss"
    push 3
    push USER_STACK
    push UCODE64
    push offset 1f
    retfq
1:  ENDUSER
    CASE "retf 32-bit operand"
    sub rsp, 8
    mov dword ptr [rsp + 4], CODE64
    mov dword ptr [rsp], offset 1f
    .byte 0xCB
1:  DONE

    # ---- IRETQ
    .macro IRETTO name, cs, ss, flags=2, rip=1f
    CASE "iretq \name"
    push \ss
    push USER_STACK
    push \flags
    push \cs
    push offset \rip
    iretq
1:  mov ax, cs
    call hex16
    mov ax, ss
    call hex16
    pushfq
    pop rax
    call hex32
    mov rax, rsp
    call hex32
    ENDUSER
    .endm
    IRETTO "same", CODE64, DATA0
    IRETTO "same null ss", CODE64, 0
    IRETTO "ring 1 null ss", 0xC9, 1
    IRETTO "ring 3", UCODE64, UDATA
    IRETTO "ring 3 null ss", UCODE64, 3
    IRETTO "ring 3 flags", UCODE64, UDATA, 0x3D3ED7
    IRETTO "ring 3 iopl", UCODE64, UDATA, 0x3202
    IRETTO "nt stays", CODE64, DATA0, 0x4002
    IRETTO "bad ss", UCODE64, DATA0
    IRETTO "null cs", 0, DATA0
    IRETTO "vm ignored", CODE64, DATA0, 0x20002
    CASE "iretq with NT"
    push 0x4002
    popfq
    iretq
    DONE
    CASE "iretq not canonical"
    push DATA0
    push USER_STACK
    push 2
    push CODE64
    mov rax, 0x8000000000000000
    push rax
    iretq
    DONE
    CASE "iretd"
    sub rsp, 20
    mov dword ptr [rsp], offset 1f
    mov dword ptr [rsp + 4], CODE64
    mov dword ptr [rsp + 8], 0x46
    mov dword ptr [rsp + 12], USER_STACK
    mov dword ptr [rsp + 16], DATA0
    iretd
1:  mov rax, rsp
    call hex32
    ENDUSER

    # ---- ring 3
    .irp insn, hlt, cli, sti, clts, invd, wbinvd, swapgs, sysexitd
    USERFAULT "\insn", \insn
    .endr
    USERFAULT "sysretq", sysretq
    USERFAULT "mov cr0", mov rax, cr0
    USERFAULT "mov cr8", mov rax, cr8
    USERFAULT "mov cr5", .byte 0x0F, 0x20, 0xE8
    USERFAULT "mov dr0", mov rax, dr0
    USERFAULT "rdmsr", rdmsr
    USERFAULT "wrmsr", wrmsr
    USERFAULT "lgdt", lgdt [gdtr]
    USERFAULT "in", in al, 0x80
    USERFAULT "int 41", int 0x41
    USERFAULT "int ist", int 0x47
    USERFAULT "int3", int3
    USERFAULT "ud2", ud2
    USERFAULT "popf iopl", nop
    USERFAULT "rdtsc", rdtsc
    CASE "user popf"
    USER
    push 0x3F3FD7 - 0x20000 - 0x100
    popfq
    pushfq
    pop rax
    and eax, ~0x40000
    call hex32
    ENDUSER
    CASE "syscall"
    USER
    push 0x246
    popfq
    syscall
    mov ax, cs
    call hex16
    mov ax, ss
    call hex16
    mov rax, rsp
    call hex32
    ENDUSER
    CASE "syscall disabled"
    mov ecx, 0xC0000080
    rdmsr
    and eax, ~1
    wrmsr
    syscall
    DONE
    mov ecx, 0xC0000080
    rdmsr
    or eax, 1
    wrmsr
    CASE "sysret32"
    mov rcx, offset compat_back
    mov r11d, 0x202
    mov rsp, USER_STACK
    .byte 0x0F, 0x07
.code32
compat_back:
    mov ax, cs
    int 0x40
.code64
99: call finish
    CASE "sysretq not canonical"
    mov rcx, 0x0000800000000000
    sysretq
    DONE
    CASE "sysenter"
    WRITEMSR 0x174, CODE64, 0
    WRITEMSR 0x175, 0x4C800, 0
    mov rax, offset 1f
    mov ecx, 0x176
    xor edx, edx
    wrmsr
    USER
    sysenter
1:  mov ax, cs
    call hex16
    mov ax, ss
    call hex16
    mov rax, rsp
    call hex32
    jmp 2f
99: call finish
    jmp 3f
2:  call say_ok
    jmp resume
3:
    CASE "sysexit"
    WRITEMSR 0x174, CODE64, 0
    mov rdx, offset 1f
    mov rcx, USER_STACK
    sysexitq
1:  mov ax, cs
    call hex16
    mov ax, ss
    call hex16
    mov rax, rsp
    call hex32
    ENDUSER

    # ---- compatibility mode
    .macro COMPAT name
    CASE "compat \name"
    push UDATA
    push USER_STACK
    push 2
    push UCODE32
    push offset 96f
    iretq
96:
    .code32
    .endm
    .macro ENDCOMPAT
    int 0x40
    .code64
99: call finish
    .endm
    COMPAT "int"
    mov eax, 0x12345678
    ENDCOMPAT
    COMPAT "push"
    push 0x1234
    push ds
    pushfd
    mov eax, esp
    mov ebx, 1
    ud2
    ENDCOMPAT
    COMPAT "page fault"
    mov al, [WINDOW + 0x1000]
    ENDCOMPAT
    COMPAT "ds null"
    xor eax, eax
    mov ds, eax
    mov al, [WINDOW]
    ENDCOMPAT
    COMPAT "syscall"
    syscall
    ENDCOMPAT
    COMPAT "wrap"
    mov eax, 0x10
    mov bl, [eax - 0x20 + 0x7FFFFFFF - 0x7FFFFFFF]
    ENDCOMPAT
    COMPAT "limit"
    mov eax, 0xD0
    mov fs, eax
    ENDCOMPAT
    COMPAT "aam 0"
    .byte 0xD4, 0
    ENDCOMPAT
    COMPAT "arpl"
    mov eax, 0
    mov ebx, 3
    .byte 0x63, 0xD8
    ENDCOMPAT
    COMPAT "far to 64"
    ljmp UCODE64, offset 1f
    .code64
1:  mov ax, cs
    call hex16
    .code32
    ENDCOMPAT
    COMPAT "call gate"
    lcall 0x63, 0
    ENDCOMPAT

    # ---- control registers
    .macro CONTROL name, reg, set, clear
    CASE "\name"
    mov rax, \reg
    mov rcx, \clear
    not rcx
    and rax, rcx
    mov rcx, \set
    or rax, rcx
    mov \reg, rax
    DONE
    .endm
    CONTROL "cr0 pg off", cr0, 0, 0x80000000
    CONTROL "cr0 pe off", cr0, 0, 1
    CONTROL "cr0 nw", cr0, 0x20000000, 0
    CONTROL "cr0 high", cr0, 0x100000000, 0
    CONTROL "cr4 pae off", cr4, 0, 0x20
    CONTROL "cr4 reserved", cr4, 0x80000000, 0
    CONTROL "cr4 high", cr4, 0x100000000, 0
    CONTROL "cr3 reserved", cr3, 0x10000000000000, 0
    CONTROL "cr8 15", cr8, 15, 0
    CASE "cr8 read"
    mov rax, cr8
    SHOW rax
    DONE
    CONTROL "cr8 16", cr8, 16, 15
    CONTROL "cr8 0", cr8, 0, 15
    CASE "cr0 keeps et"
    mov rax, cr0
    mov rbx, rax
    and eax, ~0x10
    mov cr0, rax
    mov rax, cr0
    mov cr0, rbx
    SHOW rax
    DONE
    CASE "lmsw"
    mov ax, 0
    lmsw ax
    smsw eax
    call hex32
    mov ax, 0xF
    lmsw ax
    smsw rax
    call hex32
    clts
    mov ax, 1
    lmsw ax
    DONE
    FAULTING "mov cr1", .byte 0x0F, 0x20, 0xC8
    FAULTING "mov cr7", .byte 0x0F, 0x22, 0xF8
    CASE "pcid with cr3 low bits"
    mov rax, cr3
    or rax, 0x18
    mov cr3, rax
    mov rax, cr4
    or eax, 0x20000
    mov cr4, rax
    DONE
    mov rax, cr3
    and rax, ~0xFFF
    mov cr3, rax
    CASE "pcid"
    mov rax, cr4
    or eax, 0x20000
    mov cr4, rax
    mov rax, cr3
    bts rax, 63
    or rax, 5
    mov cr3, rax
    mov rax, cr3
    SHOW rax
    mov rax, cr0
    and eax, 0x7FFFFFFF
    mov cr0, rax
    DONE
    mov rax, cr3
    and rax, ~0xFFF
    mov cr3, rax
    mov rax, cr4
    and eax, ~0x20000
    mov cr4, rax

    # ---- debug registers
    CASE "dr6 dr7"
    mov eax, -1
    mov dr6, rax
    mov rax, dr6
    SHOW rax
    mov eax, 0
    mov dr6, rax
    mov rax, dr6
    SHOW rax
    mov eax, 0xFFFF00FF - 0xFF
    mov dr7, rax
    mov rax, dr7
    SHOW rax
    mov rax, 0
    mov dr7, rax
    mov rax, dr5
    SHOW rax
    DONE
    CASE "dr7 high"
    mov rax, 0x100000000
    mov dr7, rax
    DONE
    CASE "dr4 with de"
    mov rax, cr4
    or eax, 8
    mov cr4, rax
    mov rax, dr4
    DONE
    mov rax, cr4
    and eax, ~8
    mov cr4, rax
    CASE "step"
    push 0x102
    popfq
    nop
    nop
    DONE
    CASE "step syscall"
    USER
    push 0x102
    popfq
    nop
    ENDUSER
    CASE "step over mov ss"
    mov ecx, DATA0
    push 0x102
    popfq
    mov ss, ecx
    nop
    nop
    DONE
    CASE "step int"
    push 0x102
    popfq
    int 0x46
    DONE
    CASE "step int3"
    push 0x102
    popfq
    int3
    DONE
    CASE "step fault"
    push 0x102
    popfq
    ud2
    DONE
    CASE "step pushf"
    push 0x102
    popfq
    pushfq
    DONE
    CASE "step popf"
    push 2
    push 0x102
    popfq
    popfq
    nop
    DONE
    CASE "step sti"
    push 0x102
    popfq
    sti
    nop
    DONE
    CASE "step iret"
    push DATA0
    push USER_STACK
    push 0x102
    push CODE64
    push offset 1f
    iretq
1:  nop
    nop
    DONE
    CASE "step hlt fault rf"
    push 0x10102
    popfq
    nop
    DONE
    CASE "step syscall kernel"
    mov qword ptr [test_base], offset syscall_entry
    mov ecx, 0xC0000084
    xor eax, eax
    xor edx, edx
    wrmsr
    USER
    push 0x102
    popfq
    syscall
    ENDUSER
    mov ecx, 0xC0000084
    mov eax, 0x4700
    wrmsr
    CASE "breakpoint on faulting"
    mov rax, offset 1f
    mov dr3, rax
    mov eax, 0x480
    mov dr7, rax
1:  ud2
    DONE
    CASE "breakpoint with RF"
    mov rax, offset 1f
    mov dr3, rax
    mov eax, 0x480
    mov dr7, rax
    push DATA0
    push USER_STACK
    push 0x10002
    push CODE64
    push offset 1f
    iretq
1:  pushfq
    pop rax
    and eax, 0x10000
    call hex32
    ENDUSER
    CASE "breakpoint"
    mov rax, offset 1f
    mov dr3, rax
    mov eax, 0x480
    mov dr7, rax
    xor eax, eax
1:  nop
    DONE
    CASE "watch write"
    mov rax, offset scratch
    mov dr0, rax
    mov eax, 0x90402
    mov dr7, rax
    mov dword ptr [scratch + 6], eax
    nop
    DONE
    CASE "watch read"
    mov rax, offset scratch
    mov dr0, rax
    mov eax, 0xB0402
    mov dr7, rax
    mov al, [scratch + 7]
    mov al, [scratch + 8]
    nop
    DONE
    xor eax, eax
    mov dr7, rax

    # ---- model-specific registers
    .macro MSR name, index, low, high
    CASE "\name"
    WRITEMSR \index, \low, \high
    rdmsr
    call hex32
    mov eax, edx
    call hex32
    DONE
    .endm
    MSR "msr efer lme off", 0xC0000080, 0x801, 0
    MSR "msr efer reserved", 0xC0000080, 0x8D01, 0xF0
    MSR "msr lstar not canonical", 0xC0000082, 0, 0x8000
    MSR "msr fs base", 0xC0000100, 0x1000, 0x7FFF
    MSR "msr fs base not canonical", 0xC0000100, 0, 0x8000
    MSR "msr kernel gs", 0xC0000102, 0x5555, 0xFFFF8000
    MSR "msr sysenter eip", 0x176, 0, 0x8000
    MSR "msr pat", 0x277, 0x01040506, 0x00070406
    MSR "msr pat bad", 0x277, 0x00000002, 0
    MSR "msr unknown", 0x12345, 0, 0
    MSR "msr mtrr def type bad", 0x2FF, 2, 0
    MSR "msr tsc aux", 0xC0000103, 0x1234, 0
    MSR "msr fmask", 0xC0000084, 0x4700, 0
    CASE "swapgs"
    WRITEMSR 0xC0000101, 0x1111, 0
    WRITEMSR 0xC0000102, 0x2222, 0
    swapgs
    mov ecx, 0xC0000101
    rdmsr
    call hex32
    mov ecx, 0xC0000102
    rdmsr
    call hex32
    DONE
    WRITEMSR 0xC0000100, 0, 0
    CASE "rdtscp rdpid"
    rdtscp
    mov eax, ecx
    call hex32
    DONE
    FAULTING "rdfsbase off", rdfsbase rax
    mov rax, cr4
    or eax, 0x10000
    mov cr4, rax
    CASE "fsgsbase"
    mov rax, 0x0000123456789ABC
    wrfsbase rax
    wrgsbase eax
    xor eax, eax
    rdfsbase rax
    SHOW rax
    rdgsbase rax
    SHOW rax
    rdfsbase eax
    SHOW rax
    DONE
    CASE "wrfsbase not canonical"
    mov rax, 0x0000800000000000
    wrfsbase rax
    DONE
    xor eax, eax
    wrfsbase rax

    # ---- UMIP
    FAULTING "clac without smap", clac
    FAULTING "stac", stac
    FAULTING "umip ring 0", sgdt [scratch]
    mov rax, cr4
    or eax, 0x800
    mov cr4, rax
    USERFAULT "umip sgdt", sgdt [scratch]
    USERFAULT "umip sidt", sidt [scratch]
    USERFAULT "umip sldt", sldt rax
    USERFAULT "umip str", str rax
    USERFAULT "umip smsw", smsw rax
    FAULTING "umip ring 0 on", smsw rax
    mov rax, cr4
    and eax, ~0x800
    mov cr4, rax
    CASE "tsd"
    mov rax, cr4
    or eax, 4
    mov cr4, rax
    USER
    rdtsc
    ENDUSER
    mov rax, cr4
    and eax, ~4
    mov cr4, rax
    USERFAULT "rdpmc", rdpmc

    # ---- INVPCID, XSETBV
    .macro INVPCIDTEST name, type, pcid, address
    CASE "\name"
    mov rax, \pcid
    mov [scratch], rax
    mov rax, \address
    mov [scratch + 8], rax
    mov eax, \type
    invpcid rax, [scratch]
    DONE
    .endm
    INVPCIDTEST "invpcid 0", 0, 0, 0x1000
    INVPCIDTEST "invpcid 0 pcid", 0, 1, 0x1000
    INVPCIDTEST "invpcid 0 canonical", 0, 0, 0x800000000000
    INVPCIDTEST "invpcid 1", 1, 0, 0x800000000000
    INVPCIDTEST "invpcid 2", 2, 0, 0
    INVPCIDTEST "invpcid 3 reserved", 3, 0x1000, 0
    INVPCIDTEST "invpcid 4", 4, 0, 0
    FAULTING "xgetbv off", xgetbv
    mov rax, cr4
    or eax, 0x40000
    mov cr4, rax
    CASE "xsetbv"
    xor ecx, ecx
    xor edx, edx
    mov eax, 3
    xsetbv
    xgetbv
    SHOW rax
    DONE
    CASE "xsetbv no x87"
    mov eax, 2
    xsetbv
    DONE
    CASE "xsetbv 1"
    mov ecx, 1
    mov eax, 1
    xsetbv
    DONE
    USERFAULT "xsetbv", xsetbv

    # ---- double fault: a #GP without a gate
    mov word ptr [IDT + 13 * 16 + 4], 0
    CASE "double fault"
    ud2
    DONE
    mov byte ptr [IDT + 6 * 16 + 5], 0x0E       # absent #UD gate
    mov byte ptr [IDT + 11 * 16 + 5], 0x0E      # absent #NP gate
    CASE "np in np"
    ud2
    DONE
    mov byte ptr [IDT + 6 * 16 + 5], 0x8E
    mov byte ptr [IDT + 14 * 16 + 5], 0x0E      # absent #PF gate
    CASE "np in pf"
    mov al, [WINDOW + 0x1000]
    DONE
    mov byte ptr [IDT + 11 * 16 + 5], 0x8E
    mov byte ptr [IDT + 14 * 16 + 5], 0x8E
    CASE "np in gp"
    mov byte ptr [IDT + 13 * 16 + 5], 0x0E
    mov ax, 0x300
    mov ds, ax
    DONE
    mov byte ptr [IDT + 13 * 16 + 5], 0x8E
