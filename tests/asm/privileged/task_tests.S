# Included by protected_tests.S: hardware task switches.
    jmp task_tests
task_entry:                     # the other task
    mov ax, DATA0
    mov ds, ax
    str ax
    call hex16
    pushfd
    pop eax
    and eax, 0x7F7F00
    call hex32
    mov ax, [0x46000]
    call hex16
    mov al, [gdt + 0xA0 + 5]
    call hex8
    mov al, [gdt + 0x38 + 5]
    call hex8
    mov eax, esp
    call hex32
    mov eax, ecx
    call hex32
    mov eax, cr0
    and eax, 8
    call hex8
    clts
    iretd
    jmp task_entry
task_jump_back:
    mov ax, DATA0
    mov ds, ax
    mov al, [gdt + 0x38 + 5]
    call hex8
    pushfd
    pop eax
    and eax, 0x7F7F00
    call hex32
    clts
    ljmp 0x38, 0

init_task:                      # TSS at 46000h: EAX entry
    push edi
    push ecx
    push eax
    mov edi, 0x46000
    mov ecx, 26
    xor eax, eax
    call fill
    pop eax
    mov [0x46020], eax
    mov dword ptr [0x46024], 2
    mov dword ptr [0x4602C], 0xCCCC
    mov dword ptr [0x46038], TASK_STACK
    mov dword ptr [0x46048], DATA0
    mov dword ptr [0x4604C], CODE0
    mov dword ptr [0x46050], DATA0
    mov dword ptr [0x46054], DATA0
    mov byte ptr [gdt + 0xA0 + 5], 0x89
    pop ecx
    pop edi
    ret

task_tests:
    mov eax, offset task_entry
    call init_task
    CASE "task call tss"
    lcall 0xA0, 0
    str ax
    call hex16
    pushfd
    pop eax
    and eax, 0x7F7F00
    call hex32
    mov al, [gdt + 0xA0 + 5]
    call hex8
    DONE
    CASE "task call gate"
    lcall 0xA8, 0
    DONE
    CASE "task int gate"
    int 0x48
    DONE
    mov eax, offset task_jump_back
    call init_task
    CASE "task jmp"
    ljmp 0xA0, 0
    str ax
    call hex16
    mov al, [gdt + 0xA0 + 5]
    call hex8
    DONE
    mov eax, offset task_entry
    call init_task
    CASE "task iret without link"
    pushfd
    or dword ptr [esp], 0x4000
    popfd
    mov word ptr [0x40000], 0x10
    iretd
    DONE
    CASE "task iret to available"
    pushfd
    or dword ptr [esp], 0x4000
    popfd
    mov word ptr [0x40000], 0xA0
    iretd
    DONE
    mov word ptr [0x40000], 0
    .macro BADTASK name, offset, value
    mov eax, offset task_entry
    call init_task
    mov dword ptr [0x46000 + \offset], \value
    CASE "task \name"
    lcall 0xA0, 0
    DONE
    clts
    call back_to_main
    .endm
    BADTASK "bad ds", 0x54, 8 + 0x60
    BADTASK "bad cs", 0x4C, 0x10
    BADTASK "absent cs", 0x4C, 0x50
    BADTASK "null cs", 0x4C, 0
    BADTASK "trap bit", 0x64, 1

    # ---- 16-bit TSS, virtual-8086 task, inner stack of a 16-bit TSS
    mov edi, 0x47000
    mov ecx, 11
    xor eax, eax
    call fill
    mov eax, offset task16
    mov [0x4700E], ax
    mov word ptr [0x47010], 0x0002
    mov word ptr [0x47014], 0xBBBB          # CX
    mov word ptr [0x4701A], 0xE000          # SP
    mov word ptr [0x47022], 0x10            # ES
    mov word ptr [0x47024], 0x28            # CS
    mov word ptr [0x47026], 0x30            # SS
    mov word ptr [0x47028], 0x10            # DS
    mov byte ptr [gdt + 0xB0 + 5], 0x81
    CASE "task 16-bit tss"
    mov ecx, 0x12345678
    lcall 0xB0, 0
    mov eax, [0x47010]
    call hex16
    mov ax, [0x47000]
    call hex16
    mov al, [gdt + 0xB0 + 5]
    call hex8
    mov eax, ecx
    call hex32
    DONE
    clts
    mov eax, offset task_v86
    call init_task
    mov dword ptr [0x46024], 0x23002
    mov dword ptr [0x46004], 0x57000
    mov dword ptr [0x46008], DATA0
    mov dword ptr [0x4604C], 0              # CS
    mov dword ptr [0x46050], 0x5000         # SS
    mov dword ptr [0x46054], 0x1234         # DS
    CASE "task v86"
    ljmp 0xA0, 0
    DONE
    clts
    call back_to_main
    # A null LDT and a different one
    mov eax, offset task_entry
    call init_task
    mov dword ptr [0x46060], 0x40
    mov dword ptr [0x4605C], 4              # GS in the LDT
    CASE "task ldt"
    lcall 0xA0, 0
    sldt ax
    call hex16
    DONE
    clts
    # The error code of a fault that is delivered through a task gate
    IDTGATE 13, stub_13, 0xA0, 0xE5
    mov eax, offset task_fault
    call init_task
    CASE "task gp"
    mov ax, 0x200
    mov ds, ax
    DONE
    clts
    IDTGATE 13, stub_13, CODE0, 0x8E
    jmp task_done
task_fault:
    mov eax, [esp]
    call hex32
    mov eax, esp
    call hex32
    mov eax, [0x40020]          # EIP of the old task
    sub eax, [test_base]
    call hex32
    mov eax, [0x40024]
    and eax, 0x3F7700
    call hex32
    mov eax, [resume_eip]
    mov [0x40020], eax
    add esp, 4
    iretd
    .code16
task16:
    mov bx, cx
    mov al, bh
    and al, 15
    add al, 'a'
    out 0xE9, al
    iret
task_v86:
    mov bx, ds
    int3
    .code32
# Whatever task runs now, go on in the first one without a switch.
back_to_main:
    mov byte ptr [gdt + 0x38 + 5], 0x89
    mov ax, 0x38
    ltr ax
    mov ax, 0x40
    lldt ax
    push 2
    popfd
    ret
task_done:
