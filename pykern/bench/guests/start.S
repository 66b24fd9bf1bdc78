/* Start-up common to all guest programs: Multiboot 1 entry, long mode with 4 KiB pages, descriptor tables,
 * SYSCALL, then run(iterations, arguments); its result is printed in hexadecimal on port 0xE9. */
#include "layout.h"

#define MULTIBOOT_MAGIC 0x1BADB002
#define MULTIBOOT_FLAGS 0x00010000      /* the address fields are valid */

        .section .start, "awx"
        .code32
        .balign 4
multiboot:
        .long   MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
        .long   multiboot, image_start, image_end, bss_end, entry32

        .balign 8
        .globl  parameters
parameters:                             /* patched by the builder: see image.py */
        .ascii  "PYKERN\0\1"
iterations:
        .quad   0
arguments:
        .quad   0, 0, 0, 0

        .globl  entry32
entry32:
        cli
        cld
        mov     $KERNEL_STACK, %esp
        mov     $image_end, %edi        /* .bss: a ROM loader does not clear it */
        mov     $bss_end + 3, %ecx
        sub     %edi, %ecx
        shr     $2, %ecx
        xor     %eax, %eax
        rep stosl

        mov     $PML4, %ebp
        call    build_tables
        mov     $SPARE_TABLES, %ebp
        call    build_tables

        mov     %cr4, %eax
        or      $0x620, %eax            /* PAE, OSFXSR, OSXMMEXCPT */
        mov     %eax, %cr4
        mov     $PML4, %eax
        mov     %eax, %cr3
        mov     $0xC0000080, %ecx       /* IA32_EFER: LME, SCE */
        rdmsr
        or      $0x101, %eax
        wrmsr
        mov     %cr0, %eax
        and     $~0x6000000C, %eax      /* CD, NW, TS, EM off */
        or      $0x80010023, %eax       /* PG, WP, NE, MP, PE */
        mov     %eax, %cr0
        lgdt    gdtr
        ljmp    $KERNEL_CODE, $entry64

/* Map RAM and the local APIC with the set of tables at EBP, laid out as the one at PML4. */
build_tables:
        mov     %ebp, %edi
        mov     $TABLES_SIZE / 4, %ecx
        xor     %eax, %eax
        rep stosl
        lea     PDPT - PML4 + 7(%ebp), %eax
        mov     %eax, (%ebp)
        lea     PD_LOW - PML4 + 7(%ebp), %eax
        mov     %eax, PDPT - PML4(%ebp)
        lea     PD_APIC - PML4 + 7(%ebp), %eax
        mov     %eax, PDPT - PML4 + 3 * 8(%ebp)
        lea     PT_APIC - PML4 + 7(%ebp), %eax
        mov     %eax, PD_APIC - PML4 + ((LOCAL_APIC >> 21) & 511) * 8(%ebp)
        movl    $LOCAL_APIC + PTE_P + PTE_RW + PTE_PWT + PTE_PCD, \
                PT_APIC - PML4 + ((LOCAL_APIC >> 12) & 511) * 8(%ebp)
        lea     PT_LOW - PML4 + 7(%ebp), %eax
        xor     %ecx, %ecx
1:      mov     %eax, PD_LOW - PML4(%ebp,%ecx,8)
        add     $0x1000, %eax
        inc     %ecx
        cmp     $RAM_SIZE >> 21, %ecx
        jb      1b
        mov     $PTE_P + PTE_RW + PTE_US, %eax
        xor     %ecx, %ecx
2:      mov     %eax, PT_LOW - PML4(%ebp,%ecx,8)
        add     $0x1000, %eax
        inc     %ecx
        cmp     $RAM_SIZE >> 12, %ecx
        jb      2b
        ret

        .code64
entry64:
        mov     $KERNEL_DATA, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        xor     %eax, %eax
        mov     %eax, %fs
        mov     %eax, %gs
        mov     $KERNEL_STACK, %esp
        call    build_idt
        lidt    idtr
        mov     $tss, %eax              /* the descriptor's base, split as in SDM Vol. 3A, "TSS Descriptor in 64-bit mode" */
        mov     %ax, gdt + TASK_STATE + 2
        shr     $16, %eax
        mov     %al, gdt + TASK_STATE + 4
        mov     %ah, gdt + TASK_STATE + 7
        mov     $TASK_STATE, %eax
        ltr     %ax
        fninit
        ldmxcsr mxcsr
        mov     $0xC0000081, %ecx       /* IA32_STAR */
        xor     %eax, %eax
        mov     $USER_BASE << 16 | KERNEL_CODE, %edx
        wrmsr
        mov     $0xC0000084, %ecx       /* IA32_FMASK: IF, TF, DF */
        mov     $0x700, %eax
        xor     %edx, %edx
        wrmsr

        mov     iterations, %rdi
        mov     $arguments, %esi
        call    run
        mov     %rax, %rdi
        call    print_hex
        mov     $'\n', %al
        out     %al, $PORT_CONSOLE
        xor     %edi, %edi
        /* fall through */

/* Power off with the status in EDI, by whatever this machine has. */
        .globl  power_off
power_off:
        mov     %edi, %eax
        out     %al, $PORT_DEBUG_EXIT
        mov     $PORT_SHUTDOWN, %edx
        mov     $shutdown, %esi
        mov     $8, %ecx
        rep outsb
1:      cli
        hlt
        jmp     1b

/* Print RDI as 16 hexadecimal digits. */
        .globl  print_hex
print_hex:
        mov     $16, %ecx
1:      rol     $4, %rdi
        mov     %edi, %eax
        and     $15, %eax
        mov     digits(%rax), %al
        out     %al, $PORT_CONSOLE
        loop    1b
        ret

build_idt:
        mov     $unexpected_stubs, %edi
        xor     %esi, %esi
1:      call    set_gate_kernel
        add     $16, %edi
        inc     %esi
        cmp     $256, %esi
        jb      1b
        ret

/* set_gate_kernel(handler, vector), set_gate_user(handler, vector): interrupt gates of DPL 0 and 3. */
        .globl  set_gate_kernel, set_gate_user
set_gate_kernel:
        mov     $0x8E00, %edx
        jmp     set_gate
set_gate_user:
        mov     $0xEE00, %edx
set_gate:
        mov     %esi, %eax
        shl     $4, %eax
        movzwl  %di, %ecx
        or      $KERNEL_CODE << 16, %ecx
        mov     %ecx, idt(%rax)
        mov     %edi, %ecx
        and     $0xFFFF0000, %ecx
        or      %edx, %ecx
        mov     %ecx, idt + 4(%rax)
        movq    $0, idt + 8(%rax)
        ret

/* call_user(entry): run it at CPL 3; it returns here by INT 0x81, with its RAX. */
        .globl  call_user
call_user:
        push    %rbx
        push    %rbp
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        mov     %rsp, kernel_rsp
        push    %rdi
        mov     $user_return, %edi
        mov     $0x81, %esi
        call    set_gate_user
        pop     %rdi
        push    $USER_DATA | 3
        push    $USER_STACK
        push    $0x202
        push    $USER_CODE | 3
        push    %rdi
        iretq
user_return:
        mov     kernel_rsp, %rsp
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbp
        pop     %rbx
        ret

/* An interrupt that no program installed a handler for: say which and where, and power off with status 1. */
        .balign 16
unexpected_stubs:
        .set    vector, 0
        .rept   256
        .balign 16
        push    $vector
        jmp     unexpected
        .set    vector, vector + 1
        .endr
unexpected:
        mov     (%rsp), %rdi            /* vector, then three words of the frame and CR2 */
        call    print_hex
        mov     $' ', %al
        out     %al, $PORT_CONSOLE
        mov     8(%rsp), %rdi
        call    print_hex
        mov     $' ', %al
        out     %al, $PORT_CONSOLE
        mov     16(%rsp), %rdi
        call    print_hex
        mov     $' ', %al
        out     %al, $PORT_CONSOLE
        mov     24(%rsp), %rdi
        call    print_hex
        mov     $' ', %al
        out     %al, $PORT_CONSOLE
        mov     %cr2, %rdi
        call    print_hex
        mov     $'!', %al
        out     %al, $PORT_CONSOLE
        mov     $'\n', %al
        out     %al, $PORT_CONSOLE
        mov     $1, %edi
        jmp     power_off

        .data
digits: .ascii  "0123456789abcdef"
shutdown:
        .ascii  "Shutdown"
mxcsr:  .long   0x1F80
        .balign 8
gdt:    .quad   0
        .quad   0x00AF9B000000FFFF      /* KERNEL_CODE, 64-bit */
        .quad   0x00CF93000000FFFF      /* KERNEL_DATA */
        .quad   0x00CFFB000000FFFF      /* USER_BASE, 32-bit code */
        .quad   0x00CFF3000000FFFF      /* USER_DATA */
        .quad   0x00AFFB000000FFFF      /* USER_CODE, 64-bit */
        .quad   0x0000890000000067, 0   /* TASK_STATE, base set at run time */
gdtr:   .word   . - gdt - 1
        .quad   gdt
        .balign 8
idtr:   .word   256 * 16 - 1
        .quad   idt
        .balign 16
        .globl  tss
tss:    .long   0
        .quad   TSS_STACK, 0, 0
        .fill   0x64 - 28, 1, 0
        .word   0, 0x68

        .bss
        .balign 16
        .lcomm  idt, 4096
        .lcomm  kernel_rsp, 8
