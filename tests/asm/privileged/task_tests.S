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
    jmp task_done
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
