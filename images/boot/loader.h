/* What the parts of the BIOS boot loader know of each other.
 *
 * 32-bit C without a library. Until the kernel is entered paging is off, and a physical address
 * below 4 GiB is a pointer.
 */
#ifndef LOADER_H
#define LOADER_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SECTOR 2048u
#define PAGE 4096u
#define BUFFER 0x20000u      /* for BIOS services: 32 KiB that real mode reaches */
#define BUFFER_SECTORS 16u
#define KERNEL_PADDR 0x100000u
#define HHDM 0xFFFF800000000000ull
#define HIGH_HALF 0xFFFFFFFF80000000ull
#define STACK_SIZE 0x10000u
#define MOST_MODULES 16
#define MOST_RANGES 64

/* ------------------------------------------------------------------- boot.S */

struct bios_registers {
    u32 eax, ebx, ecx, edx, esi, edi, ebp;
    u16 es, unused;
    u32 eflags;
} __attribute__((packed));

#define CARRY 1u

extern struct bios_registers bios;
extern u8 gdt[], gdt_end[];
void bios_interrupt(int vector);

struct handoff {
    u32 cr3;
    u32 efer;
    u64 entry;
    u64 stack;
    u64 rdi;
    u64 unused;
    u16 gdt_limit;
    u64 gdt_base;
} __attribute__((packed));

void enter_kernel(const struct handoff *handoff) __attribute__((noreturn));

/* ------------------------------------------------------------------- text.c */

void *memcpy(void *to, const void *from, u32 size);
void *memset(void *to, int value, u32 size);
int memcmp(const void *one, const void *other, u32 size);
u32 strlen(const char *text);
int same_text(const char *one, const char *other, u32 size, int fold_case);
void print(const char *text);
void fail(const char *what, const char *name) __attribute__((noreturn));

/* ------------------------------------------------------------------- disk.c */

struct file {
    u32 sector;
    u32 size;
};

void disk_init(u8 drive);
int iso_find(const char *path, struct file *file);
void *file_load(const char *path, u32 *size);

/* ------------------------------------------------------------------ config.c */

struct module {
    const char *path, *command_line;
    void *data;
    u32 size;
};

struct boot_entry {
    const char *name, *protocol, *path, *command_line;
    u32 width, height, bpp;
    u32 modules;
    struct module module[MOST_MODULES];
};

void config_read(struct boot_entry *entry);

/* ------------------------------------------------------------------ memory.c */

/* Types of the Limine boot protocol, which the native hand-off takes over. */
enum range_type { USABLE, RESERVED, ACPI_RECLAIMABLE, ACPI_NVS, BAD, LOADER, KERNEL, FRAMEBUFFER };

struct range {
    u64 base, length, type;
};

extern struct range ranges[MOST_RANGES];
extern u32 range_count;

void memory_init(void);
void *allocate(u32 size);            /* whole zeroed pages, from the end of memory downward */
void files_are_loaded(void);         /* what is allocated from now on the kernel may reclaim */
void memory_check(u32 kernel_size);  /* is there room for the kernel at its place? */
void memory_finish(u32 kernel_size); /* cut what is in use out of `ranges`; no more allocate() */
void memory_add(u64 base, u64 length, u32 type);

/* ------------------------------------------------------------------- video.c */

struct framebuffer {
    u64 address;
    u32 width, height, pitch;
    u16 bpp;
    u8 red_size, red_shift, green_size, green_shift, blue_size, blue_shift;
};

int video_set(u32 width, u32 height, u32 bpp, struct framebuffer *found);

/* ---------------------------------------------------------------- firmware.c */

void enable_a20(void);
int has_nx(void);
void *find_rsdp(void);
void *find_smbios(const char *anchor, u32 size);
u64 boot_time(void); /* seconds since 1970 */

/* ----------------------------------------------------------- kernel.c, paging.c */

struct kernel {
    const char *path, *command_line;
    void *file;
    u32 file_size;
    u32 size;        /* in memory, from KERNEL_PADDR */
    u64 base, entry; /* linear */
};

void kernel_load(struct kernel *kernel);
u32 paging_build(const struct kernel *kernel);

/* -------------------------------------------------------------- limine.c, native.c */

struct boot {
    struct boot_entry entry;
    struct kernel kernel;
    struct framebuffer framebuffer;
    int has_framebuffer;
    u64 rdi;
};

int limine_find(const struct kernel *kernel); /* does it speak the Limine boot protocol? */
int limine_wants_framebuffer(void);
u32 limine_stack_size(void);
void limine_answer(struct boot *boot);
void limine_answer_memory(void);
void native_answer(struct boot *boot);
void native_answer_memory(void);

static inline u64 hhdm(const void *paddr)
{
    return HHDM + (u32)paddr;
}

static inline void outb(u16 port, u8 value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "dN"(port));
}

static inline u8 inb(u16 port)
{
    u8 value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "dN"(port));
    return value;
}

#endif
