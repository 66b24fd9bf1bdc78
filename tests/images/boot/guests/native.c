/* A kernel without Limine requests: everything is in the structure that RDI points to. */
#include "boot_info.h"
#include "report.h"

void report(void)
{
    const struct pykern_boot_info *info = (const void *)state[5];
    const struct pykern_memory_range *map = (const void *)info->memory_map;
    const struct pykern_module *modules = (const void *)info->modules;
    say_machine();
    say_text("magic", info->magic);
    say("version", info->version);
    say("size", info->size);
    say("hhdm", info->hhdm_offset);
    say_text("command_line", (const char *)info->command_line);
    say("kernel_paddr", info->kernel_paddr);
    say("kernel_laddr", info->kernel_laddr);
    say("kernel_size", info->kernel_size);
    say("boot_time", info->boot_time);
    say_bytes("rsdp", (const void *)(info->hhdm_offset + info->rsdp_paddr), 8);
    for (u64 i = 0; i < info->memory_map_entries; i++)
        say_range(map[i].base, map[i].length, map[i].type);
    for (u64 i = 0; i < info->module_count; i++) {
        say_text("module_path", (const char *)modules[i].path);
        say_text("module_string", (const char *)modules[i].command_line);
        say("module_address", modules[i].address);
        say_bytes("module_hash", (const void *)modules[i].address, modules[i].size);
    }
    say("framebuffer", info->framebuffer);
    say("width", info->framebuffer_width);
    say("height", info->framebuffer_height);
    say("pitch", info->framebuffer_pitch);
    say("bpp", info->framebuffer_bpp);
    say("red", info->red_mask_size << 8 | info->red_mask_shift);
    say_text("end", "");
}
