/* Physical memory map of every guest program: 64 MiB, mapped one to one with 4 KiB pages. */
#ifndef LAYOUT_H
#define LAYOUT_H

#define RAM_SIZE        0x4000000
#define PML4            0x200000
#define PDPT            0x201000
#define PD_LOW          0x202000
#define PD_APIC         0x203000
#define PT_APIC         0x204000
#define PT_LOW          0x210000 /* 32 page tables */
#define TABLES_SIZE     0x40000
#define SPARE_TABLES    0x240000 /* a second set, for programs that switch CR3 */
#define SYSCALL_STACK   0x3D0000
#define TSS_STACK       0x3E0000
#define USER_STACK      0x3F0000
#define KERNEL_STACK    0x400000
#define HEAP            0x400000
#define LOCAL_APIC      0xFEE00000

#define KERNEL_CODE     0x08
#define KERNEL_DATA     0x10
#define USER_BASE       0x18 /* STAR: SYSRET takes SS = +8, CS = +16 */
#define USER_DATA       0x20
#define USER_CODE       0x28
#define TASK_STATE      0x30

#define PTE_P           0x001
#define PTE_RW          0x002
#define PTE_US          0x004
#define PTE_PWT         0x008
#define PTE_PCD         0x010

#define PORT_CONSOLE    0xE9
#define PORT_DEBUG_EXIT 0xF4
#define PORT_SHUTDOWN   0x8900 /* Bochs: the bytes of "Shutdown" */

#endif
