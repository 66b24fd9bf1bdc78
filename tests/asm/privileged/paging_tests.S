# Included by protected_tests.S: 32-bit and PAE paging, and the way there and back.

.equ DIR, 0x100000
.equ WINDOW, 0x800000           # 4 KiB pages of all kinds; the rest is mapped one to one
.equ PAGES4M, 0x40000000

    mov edi, DIR
    mov ecx, 0x6000 / 4
    xor eax, eax
    call fill
    # directory: 16 MiB in 4 MiB pages for everybody, 800000h by a page table
    mov dword ptr [DIR], 0x87
    mov dword ptr [DIR + 4], 0x400087
    mov dword ptr [DIR + 8], DIR + 0x1007
    mov dword ptr [DIR + 12], 0xC00087
    mov dword ptr [DIR + 16], 0x1200087         # reserved bit 21
    mov dword ptr [DIR + 0x1000], 0x800007
    mov dword ptr [DIR + 0x1008], 0x802005
    mov dword ptr [DIR + 0x100C], 0x803003
    mov dword ptr [DIR + 0x1010], 0x804001
    mov eax, DIR
    mov cr3, eax
    CASE "pg without pe"
    mov eax, 0x80000010
    mov cr0, eax
    DONE
    mov eax, 0x10
    mov cr4, eax
    CASE "paging on"
    mov eax, cr0
    or eax, 0x80010000
    mov cr0, eax
    mov eax, [WINDOW]
    mov eax, [DIR + 0x1000]
    call hex32
    mov eax, [DIR + 8]
    call hex32
    mov eax, [DIR]
    call hex32
    DONE
    .macro PAGEFAULT32 name, access:vararg
    CASE "\name"
    \access
    DONE
    CASE "user \name"
    USER
    mov ax, DATA3
    mov ds, ax
    \access
    ENDUSER
    .endm
    PAGEFAULT32 "read absent", mov al, [WINDOW + 0x1010]
    PAGEFAULT32 "write absent", mov [WINDOW + 0x1010], al
    PAGEFAULT32 "write ro", mov [WINDOW + 0x2000], al
    PAGEFAULT32 "read super", mov al, [WINDOW + 0x3000]
    PAGEFAULT32 "write super ro", mov [WINDOW + 0x4000], al
    PAGEFAULT32 "read reserved", mov al, [0x1000000]
    PAGEFAULT32 "read across", mov eax, [WINDOW + 0xFFF]
    CASE "accessed on descriptor"
    mov byte ptr [gdt + 0xC8 + 5], 0x92
    mov ax, 0xC8
    mov fs, ax
    mov al, [gdt + 0xC8 + 5]
    call hex8
    DONE
    # the GDT moved into a page that is read-only: the accessed bit cannot be written
    CASE "accessed bit in a read-only page"
    mov esi, offset gdt
    mov edi, WINDOW + 0x3000
    mov ecx, (gdt_end - gdt) / 4
1:  mov eax, [esi]
    mov [edi], eax
    add esi, 4
    add edi, 4
    dec ecx
    jnz 1b
    mov byte ptr [WINDOW + 0x30C8 + 5], 0x92
    mov dword ptr [DIR + 0x100C], 0x803001
    mov eax, cr3
    mov cr3, eax
    mov word ptr [scratch], gdt_end - gdt - 1
    mov dword ptr [scratch + 2], WINDOW + 0x3000
    lgdt [scratch]
    mov ax, 0xC8
    mov fs, ax
    DONE
    lgdt [gdtr]
    mov eax, cr0
    and eax, 0x7FFEFFFF
    mov cr0, eax

    # ---- PAE
    mov edi, DIR
    mov ecx, 0x6000 / 4
    xor eax, eax
    call fill
    mov dword ptr [DIR], DIR + 0x1001
    mov dword ptr [DIR + 0x1000], 0x87
    mov dword ptr [DIR + 0x1008], 0x200087
    mov dword ptr [DIR + 0x1010], DIR + 0x2007
    mov dword ptr [DIR + 0x2000], 0x400007
    mov dword ptr [DIR + 0x2010], 0x402007
    mov dword ptr [DIR + 0x2014], 0x80000000    # NX
    mov eax, 0x20
    mov cr4, eax
    mov eax, DIR
    mov cr3, eax
    CASE "pae on"
    mov eax, cr0
    or eax, 0x80010000
    mov cr0, eax
    mov eax, [0x400000]
    mov eax, [DIR + 0x2000]
    call hex32
    mov eax, [DIR]
    call hex32
    DONE
    CASE "pae nx without nxe"
    mov eax, [0x402000]
    DONE
    mov ecx, 0xC0000080
    mov eax, 0x800
    xor edx, edx
    wrmsr
    CASE "pae nx"
    mov byte ptr [0x402000], 0xC3
    mov eax, 0x402000
    mov [test_base], eax
    call eax
    DONE
    CASE "pae absent"
    mov eax, [0x401000]
    DONE
    CASE "pae pdpte absent"
    mov eax, [0x40000000]
    DONE
    CASE "pae pdpte cached"
    mov dword ptr [DIR + 8], DIR + 0x1001
    mov eax, [0x40000000]
    DONE
    CASE "pae cr3 reloads pdptes"
    mov eax, cr3
    mov cr3, eax
    mov eax, [0x40000000]
    DONE
    CASE "pae bad pdpte"
    mov dword ptr [DIR + 16], 3
    mov eax, cr3
    mov cr3, eax
    DONE
    mov dword ptr [DIR + 16], 0
    CASE "pae off while paging"
    mov eax, cr4
    and eax, ~0x20
    mov ebx, cr0
    and ebx, 0x7FFFFFFF
    mov cr0, ebx
    mov cr4, eax
    DONE
    CASE "long mode without pae"
    mov ecx, 0xC0000080
    mov eax, 0x100
    xor edx, edx
    wrmsr
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax
    DONE
    mov ecx, 0xC0000080
    xor eax, eax
    xor edx, edx
    wrmsr
    mov eax, cr0
    and eax, 0x7FFEFFFF
    mov cr0, eax
    xor eax, eax
    mov cr4, eax
