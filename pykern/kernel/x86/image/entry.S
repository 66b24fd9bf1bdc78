/* Where hardware meets the kernel: boot, traps, system calls, idling.
 *
 * Everything that decides anything is hosted (Python): the `call`s below whose targets are not in
 * this directory go to generated thunks. References: SDM Vol. 3A, Interrupt and Exception Handling;
 * Vol. 2B, SYSCALL; the layout of offsets.h comes from ../trapframe.py and ../percpu.py.
 */
#include "offsets.h"

        .intel_syntax noprefix
        .cfi_sections .debug_frame

/* Nobody has called this code: a debugger's backtrace ends here. */
        .macro  OUTERMOST_CFI
        .cfi_startproc
        .cfi_undefined rip
        .endm

/* ---------------------------------------------------------------- boot processor */

        .section .text.boot, "ax"
        .globl  _start
        .type   _start, @function
_start:                                 /* RDI: struct pykern_boot_info, or of no meaning (Limine) */
        OUTERMOST_CFI
        cld
        cli
        lea     rsp, [rip + boot_stack_top]
        xor     ebp, ebp
        mov     rsi, rdi
        lea     rdi, [rip + pykern_image]
        mov     eax, HOSTCALL_ATTACH
        out     HOSTCALL_PORT, eax
        cmp     eax, HOSTCALL_ATTACHED
        jne     not_hosted
        call    setup_memory            /* → physical address of the kernel's PML4 */
        mov     cr3, rax
        xor     edi, edi
        call    setup_cpu               /* → struct cpu_setup of CPU 0 */
        mov     rdi, rax
        call    load_cpu
        lea     rsp, [rip + boot_stack_top]
        call    calibrate_begin         /* the local APIC's timer runs, → clocks of the PIT to wait */
        mov     edi, eax
        call    pit_wait
        call    calibrate_end
        call    start_kernel
        jmp     cpu_idle
        .cfi_endproc
        .size   _start, . - _start

/* ---------------------------------------------------------------- other processors */

        .text
        .globl  secondary_entry
        .type   secondary_entry, @function
secondary_entry:                        /* from the trampoline: long mode, RSP ours, RDI: number */
        OUTERMOST_CFI
        xor     ebp, ebp
        push    rdi
        call    setup_cpu
        mov     rdi, rax
        call    load_cpu
        pop     rdi
        call    secondary_online
        jmp     cpu_idle
        .cfi_endproc
        .size   secondary_entry, . - secondary_entry

/* Load what setup_cpu prepared: tables, segments, the MSRs of SYSCALL and GS, control registers. */
        .globl  load_cpu
        .type   load_cpu, @function
load_cpu:                               /* RDI: struct cpu_setup */
        lgdt    [rdi + SETUP_GDTR]
        lidt    [rdi + SETUP_IDTR]
        push    KERNEL_CS
        lea     rax, [rip + 1f]
        push    rax
        rex.w retf
1:      mov     eax, KERNEL_DS
        mov     ss, eax
        xor     eax, eax
        mov     ds, eax
        mov     es, eax
        mov     fs, eax
        mov     gs, eax
        mov     eax, TSS_SELECTOR
        ltr     ax
        mov     esi, [rdi + SETUP_MSR_COUNT]
        lea     r8, [rdi + SETUP_MSRS]
2:      test    esi, esi
        jz      3f
        mov     ecx, [r8]               /* { u64 index; u64 value } */
        mov     eax, [r8 + 8]
        mov     edx, [r8 + 12]
        wrmsr
        add     r8, 16
        dec     esi
        jmp     2b
3:      mov     rax, [rdi + SETUP_CR4]
        mov     cr4, rax
        mov     rax, [rdi + SETUP_CR0]
        mov     cr0, rax
        fninit
        ldmxcsr [rdi + SETUP_MXCSR]
        ret
        .size   load_cpu, . - load_cpu

        .globl  cpu_idle
        .type   cpu_idle, @function
cpu_idle:
        OUTERMOST_CFI
        sti
        hlt
        jmp     cpu_idle
        .cfi_endproc
        .size   cpu_idle, . - cpu_idle

/* ---------------------------------------------------------------- traps */

/* A debugger is told at each instruction where what was interrupted has its registers: one that is
 * told of some instructions of a function and not of all gives up at those. */
        .macro  PUSHED register
        push    \register
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset \register, 0
        .endm

        .macro  POPPED register
        pop     \register
        .cfi_adjust_cfa_offset -8
        .cfi_restore \register
        .endm

        .macro  PUSH_GENERAL
        PUSHED  rdi
        PUSHED  rsi
        PUSHED  rdx
        PUSHED  rcx
        PUSHED  rax
        PUSHED  r8
        PUSHED  r9
        PUSHED  r10
        PUSHED  r11
        PUSHED  rbx
        PUSHED  rbp
        PUSHED  r12
        PUSHED  r13
        PUSHED  r14
        PUSHED  r15
        .endm

        .macro  POP_GENERAL
        POPPED  r15
        POPPED  r14
        POPPED  r13
        POPPED  r12
        POPPED  rbp
        POPPED  rbx
        POPPED  r11
        POPPED  r10
        POPPED  r9
        POPPED  r8
        POPPED  rax
        POPPED  rcx
        POPPED  rdx
        POPPED  rsi
        POPPED  rdi
        .endm

        .macro  DROP_VECTOR             /* and the error code */
        add     rsp, 16
        .cfi_adjust_cfa_offset -16
        .endm

/* RSP: a trap frame from its SIZE last bytes on, which the processor has pushed at least in part. */
        .macro  INTERRUPTED_CFI size
        .cfi_startproc simple
        .cfi_def_cfa rsp, \size
        .cfi_offset rip, FRAME_RIP - FRAME_SIZE
        .cfi_offset rsp, FRAME_RSP - FRAME_SIZE
        .endm

/* From the call of a handler on. What is interrupted has called nobody, and the handler's next line
 * is in there; gdb shows nothing of such code but "<signal handler called>". RSP: a whole frame. */
        .macro  HANDLER_CFI
        .cfi_endproc
        INTERRUPTED_CFI FRAME_SIZE
        .cfi_signal_frame
        .cfi_offset rdi, FRAME_RDI - FRAME_SIZE
        .cfi_offset rsi, FRAME_RSI - FRAME_SIZE
        .cfi_offset rdx, FRAME_RDX - FRAME_SIZE
        .cfi_offset rcx, FRAME_RCX - FRAME_SIZE
        .cfi_offset rax, FRAME_RAX - FRAME_SIZE
        .cfi_offset r8, FRAME_R8 - FRAME_SIZE
        .cfi_offset r9, FRAME_R9 - FRAME_SIZE
        .cfi_offset r10, FRAME_R10 - FRAME_SIZE
        .cfi_offset r11, FRAME_R11 - FRAME_SIZE
        .cfi_offset rbx, FRAME_RBX - FRAME_SIZE
        .cfi_offset rbp, FRAME_RBP - FRAME_SIZE
        .cfi_offset r12, FRAME_R12 - FRAME_SIZE
        .cfi_offset r13, FRAME_R13 - FRAME_SIZE
        .cfi_offset r14, FRAME_R14 - FRAME_SIZE
        .cfi_offset r15, FRAME_R15 - FRAME_SIZE
        .endm

/* 256 entries of VECTOR_STUB_SIZE bytes: an error code where the processor pushes none, the vector. */
        .globl  vector_stubs
        .type   vector_stubs, @function
        .balign VECTOR_STUB_SIZE
vector_stubs:
        INTERRUPTED_CFI (FRAME_SIZE-FRAME_RIP)
        .set    vector, 0
        .rept   256
        .balign VECTOR_STUB_SIZE
        .if     vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 \
                || vector == 29 || vector == 30
        .cfi_def_cfa_offset FRAME_SIZE - FRAME_ERROR_CODE
        .else
        .cfi_def_cfa_offset FRAME_SIZE - FRAME_RIP
        push    0
        .cfi_adjust_cfa_offset 8
        .endif
        push    vector
        .cfi_adjust_cfa_offset 8
        .if     vector == 1 || vector == 2 || vector == 8 || vector == 18
        jmp     paranoid_entry          /* on a stack of its own (IST), from anywhere */
        .elseif vector == 0x80
        jmp     int80_entry
        .else
        jmp     trap_entry
        .endif
        .set    vector, vector + 1
        .endr
        .balign VECTOR_STUB_SIZE
        .cfi_endproc
        .size   vector_stubs, . - vector_stubs

        .globl  trap_entry
        .type   trap_entry, @function
trap_entry:
        INTERRUPTED_CFI (FRAME_SIZE-FRAME_VECTOR)
        cld
        test    byte ptr [rsp + 24], 3  /* CS behind vector, error code, RIP */
        jz      1f
        swapgs
1:      PUSH_GENERAL
        mov     rdi, rsp
        mov     eax, [rsp + FRAME_VECTOR]
        cmp     eax, 32                 /* below: exceptions */
        jae     2f
        lea     rcx, [rip + exception_table]
        HANDLER_CFI
        call    [rcx + rax * 8]
        jmp     trap_return
2:      call    do_irq
        /* fall through */

        .globl  trap_return
trap_return:
        test    byte ptr [rsp + FRAME_CS], 3
        jz      2f
        .globl  return_to_user
return_to_user:                         /* interrupts are off; RSP: struct trap_frame */
        cmp     dword ptr gs:[PERCPU_WORK], 0
        jne     3f
        .cfi_remember_state
        POP_GENERAL
        swapgs
        DROP_VECTOR
        iretq
        .cfi_restore_state
2:      .cfi_remember_state
        POP_GENERAL
        DROP_VECTOR
        iretq
        .cfi_restore_state
3:      mov     rdi, rsp
        call    exit_to_user
        jmp     return_to_user
        .cfi_endproc
        .size   trap_entry, . - trap_entry

/* The kernel may have been between SYSCALL and SWAPGS: whose GS it is, only GS tells. */
        .globl  paranoid_entry
        .type   paranoid_entry, @function
paranoid_entry:
        INTERRUPTED_CFI (FRAME_SIZE-FRAME_VECTOR)
        cld
        PUSH_GENERAL
        mov     ecx, MSR_GS_BASE
        rdmsr
        xor     ebx, ebx
        test    edx, edx
        js      1f                      /* the kernel's data are in the upper half */
        swapgs
        inc     ebx
1:      mov     rdi, rsp
        mov     eax, [rsp + FRAME_VECTOR]
        lea     rcx, [rip + exception_table]
        HANDLER_CFI
        call    [rcx + rax * 8]
        test    ebx, ebx
        jz      2f
        swapgs
2:      POP_GENERAL
        DROP_VECTOR
        iretq
        .cfi_endproc
        .size   paranoid_entry, . - paranoid_entry

/* ---------------------------------------------------------------- system calls */

        .globl  int80_entry
        .type   int80_entry, @function
int80_entry:                            /* number in RAX, arguments in RDI, RSI, RDX */
        INTERRUPTED_CFI (FRAME_SIZE-FRAME_VECTOR)
        mov     [rsp + 8], rax          /* error code's place: the number as it came */
        cld
        test    byte ptr [rsp + 24], 3
        jz      1f
        swapgs
1:      PUSH_GENERAL
        cmp     rax, gs:[PERCPU_INT80_COUNT]
        jae     2f
        mov     r11, gs:[PERCPU_INT80_TABLE]
        HANDLER_CFI
        call    [r11 + rax * 8]
        jmp     3f
2:      call    sys_ni_syscall
3:      mov     [rsp + FRAME_RAX], rax
        jmp     trap_return
        .cfi_endproc
        .size   int80_entry, . - int80_entry

        .globl  syscall_entry
        .type   syscall_entry, @function
syscall_entry:                          /* number in RAX, arguments RDI RSI RDX R10 R8 R9 */
        .cfi_startproc simple
        .cfi_def_cfa rsp, 0             /* still the program's */
        .cfi_register rip, rcx
        swapgs
        mov     gs:[PERCPU_USER_RSP], rsp
        mov     rsp, gs:[PERCPU_KERNEL_RSP]
        .cfi_undefined rip              /* no rule can say that RSP is where GS points to */
        push    USER_DS
        .cfi_adjust_cfa_offset 8
        push    qword ptr gs:[PERCPU_USER_RSP]
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rsp, 0
        .cfi_register rip, rcx
        push    r11
        .cfi_adjust_cfa_offset 8
        push    USER_CS
        .cfi_adjust_cfa_offset 8
        push    rcx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rip, 0
        push    rax
        .cfi_adjust_cfa_offset 8
        push    VECTOR_SYSCALL
        .cfi_adjust_cfa_offset 8
        PUSH_GENERAL
        mov     rcx, r10
        cmp     rax, gs:[PERCPU_SYSCALL_COUNT]
        jae     1f
        mov     r11, gs:[PERCPU_SYSCALL_TABLE]
        HANDLER_CFI
        call    [r11 + rax * 8]
        jmp     2f
1:      call    sys_ni_syscall
2:      mov     [rsp + FRAME_RAX], rax
3:      cmp     dword ptr gs:[PERCPU_WORK], 0
        jne     return_to_user          /* signals, rescheduling, a frame that was replaced */
        POP_GENERAL
        mov     rcx, [rsp + 16]         /* behind vector and number: RIP, CS, RFLAGS, RSP */
        mov     r11, [rsp + 32]
        mov     rsp, [rsp + 40]
        .cfi_def_cfa rsp, 0
        .cfi_register rip, rcx
        .cfi_val_offset rsp, 0
        swapgs
        sysretq
        .cfi_endproc
        .size   syscall_entry, . - syscall_entry

/* ---------------------------------------------------------------- threads */

/* First code of a kernel thread: its body is hosted, and so is its end. */
        .globl  kthread_start
        .type   kthread_start, @function
kthread_start:
        OUTERMOST_CFI
        xor     ebp, ebp
        call    kthread_body
        call    kthread_exit
        ud2
        .cfi_endproc
        .size   kthread_start, . - kthread_start

/* Where a guest function returns to that hosted code has called. */
        .globl  guest_call_return
        .type   guest_call_return, @function
guest_call_return:
        OUTERMOST_CFI
        mov     rdi, rax
        call    guest_call_done
        ud2
        .cfi_endproc
        .size   guest_call_return, . - guest_call_return

        .globl  halt_forever
        .type   halt_forever, @function
halt_forever:
        cli
        hlt
        jmp     halt_forever
        .size   halt_forever, . - halt_forever

        .section .bss
        .balign 4096
        .skip   BOOT_STACK_SIZE
        .globl  boot_stack_top
boot_stack_top:

        .section .note.GNU-stack, "", @progbits
