/* The answer to a kernel that makes no Limine requests: one structure, its address in RDI. */
#include "boot_info.h"
#include "loader.h"

static struct pykern_boot_info *info;
static struct pykern_memory_range *map;

static void add_framebuffer(const struct framebuffer *found)
{
    info->framebuffer = HHDM + found->address;
    info->framebuffer_width = found->width;
    info->framebuffer_height = found->height;
    info->framebuffer_pitch = found->pitch;
    info->framebuffer_bpp = found->bpp;
    info->red_mask_size = found->red_size;
    info->red_mask_shift = found->red_shift;
    info->green_mask_size = found->green_size;
    info->green_mask_shift = found->green_shift;
    info->blue_mask_size = found->blue_size;
    info->blue_mask_shift = found->blue_shift;
}

static void add_modules(const struct boot_entry *entry)
{
    struct pykern_module *modules = allocate(MOST_MODULES * sizeof *modules);
    info->modules = hhdm(modules);
    info->module_count = entry->modules;
    for (u32 i = 0; i < entry->modules; i++) {
        const struct module *module = &entry->module[i];
        modules[i] = (struct pykern_module){
            hhdm(module->data), module->size, hhdm(module->path), hhdm(module->command_line)};
    }
}

void native_answer(struct boot *boot)
{
    info = allocate(sizeof *info);
    map = allocate(MOST_RANGES * sizeof *map);
    memcpy(info->magic, PYKERN_BOOT_INFO_MAGIC, sizeof info->magic);
    info->version = PYKERN_BOOT_INFO_VERSION;
    info->size = sizeof *info;
    info->hhdm_offset = HHDM;
    info->rsdp_paddr = (u32)find_rsdp();
    info->command_line = hhdm(boot->kernel.command_line);
    info->memory_map = hhdm(map);
    info->kernel_paddr = KERNEL_PADDR;
    info->kernel_laddr = boot->kernel.base;
    info->kernel_size = boot->kernel.size;
    info->boot_time = boot_time();
    if (boot->has_framebuffer)
        add_framebuffer(&boot->framebuffer);
    add_modules(&boot->entry);
    boot->rdi = hhdm(info);
}

void native_answer_memory(void)
{
    if (!info)
        return;
    info->memory_map_entries = range_count;
    for (u32 i = 0; i < range_count; i++)
        map[i] = (struct pykern_memory_range){ranges[i].base, ranges[i].length, ranges[i].type};
}
