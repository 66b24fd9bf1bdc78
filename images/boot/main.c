/* The order of things: configuration, files, kernel, what it asks for, page tables, and go. */
#include "loader.h"

#define EFER_NXE 0x800u

static struct boot boot;

static void load_files(void)
{
    struct boot_entry *entry = &boot.entry;
    boot.kernel.path = entry->path;
    boot.kernel.command_line = entry->command_line;
    boot.kernel.file = file_load(entry->path, &boot.kernel.file_size);
    for (u32 i = 0; i < entry->modules; i++)
        entry->module[i].data = file_load(entry->module[i].path, &entry->module[i].size);
    files_are_loaded();
}

static void enter(u32 stack_size)
{
    static struct handoff handoff;
    u32 gdt_size = (u32)(gdt_end - gdt);
    u8 *stack = allocate(stack_size);
    void *tables = memcpy(allocate(gdt_size), gdt, gdt_size);
    handoff.cr3 = paging_build(&boot.kernel);
    handoff.efer = has_nx() ? EFER_NXE : 0;
    handoff.entry = boot.kernel.entry;
    handoff.stack = hhdm(stack) + ((stack_size + PAGE - 1) & ~(PAGE - 1));
    handoff.rdi = boot.rdi;
    handoff.gdt_limit = (u16)(gdt_size - 1);
    handoff.gdt_base = hhdm(tables);
    memory_finish(boot.kernel.size);
    limine_answer_memory();
    native_answer_memory();
    enter_kernel(&handoff);
}

void loader_main(u32 drive)
{
    enable_a20();
    has_nx();
    disk_init((u8)drive);
    memory_init();
    config_read(&boot.entry);
    print("pykern: loading ");
    print(boot.entry.name);
    print("\n");
    load_files();
    kernel_load(&boot.kernel);
    int limine = limine_find(&boot.kernel);
    if (!limine || limine_wants_framebuffer())
        boot.has_framebuffer = video_set(boot.entry.width, boot.entry.height, boot.entry.bpp,
                                         &boot.framebuffer);
    if (boot.has_framebuffer) {
        u64 size = (u64)boot.framebuffer.pitch * boot.framebuffer.height;
        memory_add(boot.framebuffer.address & ~(u64)(PAGE - 1),
                   (size + 2 * PAGE - 1) & ~(u64)(PAGE - 1), FRAMEBUFFER);
    }
    if (limine)
        limine_answer(&boot);
    else
        native_answer(&boot);
    enter(limine ? limine_stack_size() : STACK_SIZE);
}
