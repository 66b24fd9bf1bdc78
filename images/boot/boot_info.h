/* Written by pykern/machine/boot/boot_info.py; do not edit. */
#ifndef PYKERN_BOOT_INFO_H
#define PYKERN_BOOT_INFO_H

#define PYKERN_BOOT_INFO_MAGIC "PYKBOOT"
#define PYKERN_BOOT_INFO_VERSION 1

struct pykern_memory_range {
    unsigned long long base;
    unsigned long long length;
    unsigned long long type;
};

_Static_assert(sizeof(struct pykern_memory_range) == 24, "layout");

struct pykern_module {
    unsigned long long address;
    unsigned long long size;
    unsigned long long path;
    unsigned long long command_line;
};

_Static_assert(sizeof(struct pykern_module) == 32, "layout");

struct pykern_boot_info {
    char magic[8];
    unsigned int version;
    unsigned int size;
    unsigned long long hhdm_offset;
    unsigned long long rsdp_paddr;
    unsigned long long command_line;
    unsigned long long memory_map;
    unsigned long long memory_map_entries;
    unsigned long long modules;
    unsigned long long module_count;
    unsigned long long kernel_paddr;
    unsigned long long kernel_laddr;
    unsigned long long kernel_size;
    unsigned long long boot_time;
    unsigned long long framebuffer;
    unsigned int framebuffer_width;
    unsigned int framebuffer_height;
    unsigned int framebuffer_pitch;
    unsigned short framebuffer_bpp;
    unsigned char red_mask_size;
    unsigned char red_mask_shift;
    unsigned char green_mask_size;
    unsigned char green_mask_shift;
    unsigned char blue_mask_size;
    unsigned char blue_mask_shift;
    unsigned int reserved;
};

_Static_assert(sizeof(struct pykern_boot_info) == 136, "layout");

#endif
