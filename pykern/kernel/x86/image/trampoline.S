/* First code of an application processor: copied to TRAMPOLINE, started there by SIPI in real mode.
 *
 * smp.py fills the parameters at its end and releases one processor at a time. Reference: SDM
 * Vol. 3A, Multiple-Processor Initialization; Initializing IA-32e Mode.
 */
#include "offsets.h"

        .intel_syntax noprefix
        .section .rodata.trampoline, "a"
        .balign 16
        .globl  trampoline_start
trampoline_start:
        .code16
        cli
        cld
        xor     eax, eax
        mov     ds, ax
        lgdt    [TRAMPOLINE + gdtr - trampoline_start]
        mov     eax, CR4_PAE
        mov     cr4, eax
        mov     eax, dword ptr [TRAMPOLINE + parameters - trampoline_start + TRAMPOLINE_CR3]
        mov     cr3, eax
        mov     ecx, MSR_EFER
        mov     eax, EFER_LME | EFER_NXE
        xor     edx, edx
        wrmsr
        mov     eax, CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE
        mov     cr0, eax
        ljmp    0x08, TRAMPOLINE + long_mode - trampoline_start

        .code64
long_mode:
        mov     ebx, TRAMPOLINE + parameters - trampoline_start
        mov     rsp, [rbx + TRAMPOLINE_STACK]
        mov     rdi, [rbx + TRAMPOLINE_NUMBER]
        jmp     [rbx + TRAMPOLINE_ENTRY]

        .balign 8
gdt:    .quad   0
        .quad   0x00AF9B000000FFFF      /* 64-bit code */
gdtr:   .word   gdtr - gdt - 1
        .long   TRAMPOLINE + gdt - trampoline_start

        .balign 16
        .globl  trampoline_parameters
trampoline_parameters:
parameters:
        .skip   TRAMPOLINE_PARAMETERS_SIZE
        .globl  trampoline_end
trampoline_end:
        .section .note.GNU-stack, "", @progbits
