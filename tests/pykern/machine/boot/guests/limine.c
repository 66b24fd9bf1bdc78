/* A kernel that makes every request of the Limine boot protocol and prints what it got on the
 * debug port, one fact per line. The structures are written from the protocol's specification,
 * independent of the code under test.
 *
 * -DBASE_REVISION=n chooses the base revision; -DNO_TAG leaves the tag out. */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

#ifndef BASE_REVISION
#define BASE_REVISION 3
#endif
#define REQUEST __attribute__((used, aligned(8), section(".limine_requests")))
#define COMMON 0xc7b1dd30df4c8b88, 0x0a82e883a194f07b

__attribute__((used, aligned(8), section(".limine_requests_start"))) static volatile u64 start_marker[4] = {
    0xf6b8f4b39de7d1ae, 0xfab91a6940fcb9cf, 0x785c6ed015d3e316, 0x181e920a7852b9d9};
__attribute__((used, aligned(8), section(".limine_requests_end"))) static volatile u64 end_marker[2] = {
    0xadc0e0531bb10d03, 0x9572709f31764c62};
/* Outside of the markers: must be ignored. */
__attribute__((used, aligned(8), section(".limine_requests_after"))) static volatile u64 ignored[6] = {
    COMMON, 0x48dcf1cb8ad2b852, 0x63984e959a98244b, 0, 0x77};

#ifndef NO_TAG
REQUEST static volatile u64 base_revision[3] = {0xf9562b2d5c95a6c8, 0x6a7b384944536bdc, BASE_REVISION};
#endif

struct request { u64 id[4]; u64 revision; u64 *response; u64 extra[3]; };
#define DEFINE(name, a, b, revision, ...) \
    REQUEST static volatile struct request name = {{COMMON, a, b}, revision, 0, {__VA_ARGS__}};

struct internal_module { const char *path, *cmdline; u64 flags; };
static struct internal_module present = {"../data/internal.bin", "inner args", 1};
static struct internal_module absent = {"nothing.bin", "", 0};
static struct internal_module *internal[2] = {&present, &absent};
void second_entry(void);

DEFINE(bootloader_info, 0xf55038d8e2a1202f, 0x279426fcf5f59740, 0, 0)
DEFINE(executable_cmdline, 0x4b161536e598651e, 0xb390ad4a2f1f303a, 0, 0)
DEFINE(firmware_type, 0x8c2f75d90bef28a8, 0x7045a4688eac00c3, 0, 0)
DEFINE(stack_size, 0x224ef0460a8e8926, 0xe1cb0fc25f46ea3d, 0, 0x20001)
DEFINE(hhdm, 0x48dcf1cb8ad2b852, 0x63984e959a98244b, 0, 0)
DEFINE(framebuffer, 0x9d5827dcd881dd75, 0xa3148604f6fab11b, 0, 0)
DEFINE(paging_mode, 0x95c1a0edab0944cb, 0xa4e5cb3842f7488a, 1, 1, 1, 0)
#ifndef NO_MP
DEFINE(mp, 0x95a67b819a1b857e, 0xa0b61b723b6a73e0, 0, X2APIC)
#endif
DEFINE(memmap, 0x67cf3d9d378a806f, 0xe304acdfc50c3c62, 0, 0)
DEFINE(entry_point, 0x13d86c035a1cd3e1, 0x2b0caa89d8f3026a, 0, (u64)second_entry)
DEFINE(executable_file, 0xad97e90e83f1ed67, 0x31eb5d1c5ff23b69, 0, 0)
DEFINE(module, 0x3e7e279702be32af, 0xca1c4f3bd1280cee, 1, 2, (u64)internal)
DEFINE(rsdp, 0xc5e77b6b397e7b43, 0x27637845accdcf3c, 0, 0)
DEFINE(smbios, 0x9e9046f11e095391, 0xaa4a520fefbde5ee, 0, 0)
DEFINE(efi_system_table, 0x5ceba5163eaaf6d6, 0x0a6981610cf65fcc, 0, 0)
DEFINE(efi_memmap, 0x7df62a431d6872d5, 0xa4fcdfb3e57306c8, 0, 0)
DEFINE(date_at_boot, 0x502746e184c088aa, 0xfbc5ec83e6327893, 0, 0)
DEFINE(executable_address, 0x71ba76863cc55f63, 0xb2644a48c516a487, 0, 0)
DEFINE(dtb, 0xb40ddb48fb54bac7, 0x545081493f81ffb7, 0, 0)

static void out8(u16 port, u8 value) { __asm__ volatile("outb %0, %1" : : "a"(value), "d"(port)); }
static void put(const char *text) { while (*text) out8(0xe9, *text++); }
static void hex(u64 value) {
    put("0x");
    int shift = 60;
    while (shift && !(value >> shift)) shift -= 4;
    for (; shift >= 0; shift -= 4) out8(0xe9, "0123456789abcdef"[value >> shift & 15]);
}
static void fact(const char *name, u64 value) { put(name); put(" "); hex(value); put("\n"); }
static void text(const char *name, u64 pointer) { put(name); put(" '"); put((const char *)pointer); put("'\n"); }

static u64 sum(u64 address, u64 size) {
    u64 total = 0;
    for (u64 i = 0; i < size; i++) total += ((u8 *)address)[i];
    return total;
}

static void print_file(const char *name, u64 *file) {
    put(name); put("\n");
    fact(" revision", file[0]);
    fact(" address", file[1]);
    fact(" size", file[2]);
    text(" path", file[3]);
    text(" string", file[4]);
    fact(" media", (u32)file[5]);
    fact(" sum", sum(file[1], file[2]));
}

struct state { u64 rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15, rflags, rsp, top; };
struct table { u16 limit; u64 base; } __attribute__((packed));

static u64 msr(u32 number) {
    u32 low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
    return (u64)high << 32 | low;
}

static u8 in8(u16 port) { u8 value; __asm__ volatile("inb %1, %0" : "=a"(value) : "d"(port)); return value; }

static void print_state(struct state *s) {
    u64 cr0, cr3, cr4;
    u16 cs, ds, ss, es, fs, gs;
    struct table gdtr;
    u64 *all = &s->rax, any = 0;
    for (int i = 0; i < 15; i++) any |= all[i];
    __asm__ volatile("mov %%cr0, %0; mov %%cr3, %1; mov %%cr4, %2" : "=r"(cr0), "=r"(cr3), "=r"(cr4));
    __asm__ volatile("mov %%cs, %0; mov %%ds, %1; mov %%ss, %2" : "=r"(cs), "=r"(ds), "=r"(ss));
    __asm__ volatile("mov %%es, %0; mov %%fs, %1; mov %%gs, %2" : "=r"(es), "=r"(fs), "=r"(gs));
    __asm__ volatile("sgdt %0" : "=m"(gdtr));
    fact("registers", any);
    fact("rflags", s->rflags);
    fact("rsp", s->rsp);
    fact("return", s->top);
    fact("cr0", cr0);
    fact("cr4", cr4);
    fact("efer", msr(0xc0000080));
    fact("pat", msr(0x277));
    put("segments "); hex(cs); put(" "); hex(ds); put(" "); hex(es); put(" "); hex(fs); put(" "); hex(gs); put(" "); hex(ss); put("\n");
    for (u64 at = 0; at < gdtr.limit + 1ul; at += 8) fact("gdt", *(u64 *)(gdtr.base + at));
}

static void print_framebuffer(void) {
    u64 *f = (u64 *)((u64 *)framebuffer.response[2])[0];
    fact("framebuffer.revision", framebuffer.response[0]);
    fact("framebuffer.count", framebuffer.response[1]);
    fact("framebuffer.address", f[0]);
    fact("framebuffer.width", f[1]);
    fact("framebuffer.height", f[2]);
    fact("framebuffer.pitch", f[3]);
    fact("framebuffer.bpp_and_masks", f[4]);
    fact("framebuffer.edid_size", f[6]);
    fact("framebuffer.edid", f[7]);
    fact("framebuffer.mode_count", f[8]);
    *(volatile u32 *)(f[0] + f[3] * 2 + 4 * 3) = 0x123456;
    if (!framebuffer.response[0]) return;
    u64 *mode = (u64 *)((u64 *)f[9])[0];
    put("mode "); hex(mode[0]); put(" "); hex(mode[1]); put(" "); hex(mode[2]); put(" "); hex(mode[3]); put("\n");
}

#ifndef NO_MP
static volatile u64 arrived;
static void processor(u64 *info, struct state *s) {
    while (arrived != (u32)info[0]) ;
    put("cpu "); hex((u32)info[0]); put(" "); hex(info[0] >> 32); put(" extra "); hex(info[3]);
    s->rdi = 0;
    put("\n");
    print_state(s);
    fact("apic", msr(0x1b));
    arrived++;
    for (;;) __asm__ volatile("pause");
}
void processor_entry(void);
__asm__(".globl processor_entry; processor_entry:"
        "pushfq; push %r15; push %r14; push %r13; push %r12; push %r11; push %r10; push %r9; push %r8;"
        "push %rbp; push %rdi; push %rsi; push %rdx; push %rcx; push %rbx; push %rax;"
        "mov %rsp, %rsi; call processor_shim; 1: jmp 1b;");
__attribute__((used)) void processor_shim(u64 *info, u64 *saved) {
    struct state s;
    for (int i = 0; i < 16; i++) (&s.rax)[i] = saved[i];
    s.rsp = (u64)(saved + 16);
    s.top = saved[16];
    processor(info, &s);
}

static void print_processors(void) {
    fact("mp.revision", mp.response[0]);
    fact("mp.flags", (u32)mp.response[1]);
    fact("mp.bsp_lapic_id", mp.response[1] >> 32);
    fact("mp.cpu_count", mp.response[2]);
    arrived = 1;
    for (u64 i = 0; i < mp.response[2]; i++) {
        u64 *info = ((u64 **)mp.response[3])[i];
        if (info[2]) put("goto_address is not NULL\n");
        info[3] = 0x1000 + i;
        if (i) *(volatile u64 *)&info[2] = (u64)processor_entry;
    }
    while (arrived < mp.response[2]) ;
}
#endif

static const char constant[] = "constant";
static u64 uninitialized[3000];

__attribute__((used)) void kernel(struct state *s) {
    put("entered\n");
    print_state(s);
    fact("pic_masks", in8(0x21) | in8(0xa1) << 8);
#ifndef NO_TAG
    fact("loaded_revision", base_revision[1]);
    fact("asked_revision", base_revision[2]);
#endif
    text("name", bootloader_info.response[1]);
    text("version", bootloader_info.response[2]);
    text("cmdline", executable_cmdline.response[1]);
    fact("firmware_type", firmware_type.response[1]);
    fact("stack_size", stack_size.response[0]);
    fact("hhdm", hhdm.response[1]);
    fact("ignored", ignored[5]);
    if (framebuffer.response) print_framebuffer();
    else put("no framebuffer\n");
    fact("paging_mode", paging_mode.response[1]);
    fact("entry_point", entry_point.response[0]);
    for (u64 i = 0; i < memmap.response[1]; i++) {
        u64 *e = ((u64 **)memmap.response[2])[i];
        put("memmap "); hex(e[0]); put(" "); hex(e[1]); put(" "); hex(e[2]); put("\n");
    }
    print_file("executable_file", (u64 *)executable_file.response[1]);
    fact("module.revision", module.response[0]);
    for (u64 i = 0; i < module.response[1]; i++) print_file("module", ((u64 **)module.response[2])[i]);
    fact("rsdp", rsdp.response[1]);
    if (smbios.response) { fact("smbios_32", smbios.response[1]); fact("smbios_64", smbios.response[2]); }
    fact("efi_system_table", (u64)efi_system_table.response);
    fact("efi_memmap", (u64)efi_memmap.response);
    fact("dtb", (u64)dtb.response);
    fact("date", date_at_boot.response[1]);
    fact("physical_base", executable_address.response[1]);
    fact("virtual_base", executable_address.response[2]);
    fact("constant", (u64)constant);
    fact("uninitialized", sum((u64)uninitialized, sizeof uninitialized));
    uninitialized[0] = 1;
    /* The same byte through the direct map. */
    u64 there = (u64)constant - executable_address.response[2] + executable_address.response[1];
    text("constant_through_hhdm", there + hhdm.response[1]);
#ifndef NO_MP
    if (mp.response) print_processors();
    else put("no mp\n");
#endif
    put("done\n");
#ifdef WRITE_TO
    *(volatile u64 *)(WRITE_TO) = 1;
#endif
    __asm__ volatile("outw %w0, %w1" : : "a"(0x2000), "d"(0x604));
    for (;;) ;
}

__asm__(".text; .globl second_entry; second_entry:"
        "pushfq; push %r15; push %r14; push %r13; push %r12; push %r11; push %r10; push %r9; push %r8;"
        "push %rbp; push %rdi; push %rsi; push %rdx; push %rcx; push %rbx; push %rax;"
        "mov %rsp, %rdi; call shim; 1: jmp 1b;");
__attribute__((used)) void shim(u64 *saved) {
    struct state s;
    for (int i = 0; i < 16; i++) (&s.rax)[i] = saved[i];
    s.rsp = (u64)(saved + 16);
    s.top = saved[16];
    kernel(&s);
}
__attribute__((used)) void _start(void) { put("the entry point of the ELF header\n"); for (;;) ; }
