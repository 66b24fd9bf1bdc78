/* A video mode with a linear framebuffer, as near to the wanted one as the BIOS has.
 *
 * Reference: VESA BIOS Extension 3.0, Functions 00h, 01h and 02h.
 */
#include "loader.h"

#define INFO BUFFER
#define MODE (BUFFER + 0x400)
#define LAST_MODE 0xFFFF
#define LINEAR 0x4000
#define DIRECT_COLOR 6
#define WANTED_ATTRIBUTES 0x99 /* supported, colour, graphics, linear framebuffer */
#define DEFAULT_WIDTH 1024
#define DEFAULT_HEIGHT 768

struct vbe_info {
    char signature[4];
    u16 version;
    u32 oem;
    u32 capabilities;
    u16 modes_offset, modes_segment;
} __attribute__((packed));

struct vbe_mode {
    u16 attributes;
    u8 windows[14];
    u16 pitch, width, height;
    u8 cell[2], planes, bpp, banks, memory_model, bank_size, pages, reserved;
    u8 red_size, red_shift, green_size, green_shift, blue_size, blue_shift;
    u8 rest[3];
    u32 address;
    u8 unused[6];
    u16 linear_pitch;
    u8 linear_pages[2];
    u8 linear_red_size, linear_red_shift, linear_green_size, linear_green_shift;
    u8 linear_blue_size, linear_blue_shift;
} __attribute__((packed));

static int vbe(u32 function, u32 ebx, u32 ecx, u32 address)
{
    bios.eax = 0x4F00 | function;
    bios.ebx = ebx;
    bios.ecx = ecx;
    bios.es = (u16)(address >> 4);
    bios.edi = address & 15;
    bios_interrupt(0x10);
    return (bios.eax & 0xFFFF) == 0x004F;
}

static void describe(const struct vbe_mode *mode, int linear_fields, struct framebuffer *out)
{
    *out = (struct framebuffer){
        mode->address, mode->width, mode->height, mode->pitch, mode->bpp,
        mode->red_size, mode->red_shift, mode->green_size, mode->green_shift,
        mode->blue_size, mode->blue_shift,
    };
    if (!linear_fields || !mode->linear_pitch)
        return;
    out->pitch = mode->linear_pitch;
    out->red_size = mode->linear_red_size;
    out->red_shift = mode->linear_red_shift;
    out->green_size = mode->linear_green_size;
    out->green_shift = mode->linear_green_shift;
    out->blue_size = mode->linear_blue_size;
    out->blue_shift = mode->linear_blue_shift;
}

/* How far a mode is from the wanted one; what is larger than it is worse than what is smaller. */
static u32 distance(const struct framebuffer *found, u32 width, u32 height, u32 bpp)
{
    u32 off = found->width > width ? 4 * (found->width - width) : width - found->width;
    off += found->height > height ? 4 * (found->height - height) : height - found->height;
    return 64 * off + (found->bpp == bpp ? 0 : found->bpp == 32 ? 1 : 32);
}

int video_set(u32 width, u32 height, u32 bpp, struct framebuffer *found)
{
    struct vbe_info *info = (struct vbe_info *)INFO;
    const struct vbe_mode *mode = (const struct vbe_mode *)MODE;
    u32 best = ~0u, best_mode = 0;
    if (!width || !height)
        width = DEFAULT_WIDTH, height = DEFAULT_HEIGHT, bpp = 32;
    memcpy(info->signature, "VBE2", 4);
    if (!vbe(0, 0, 0, INFO) || memcmp(info->signature, "VESA", 4))
        return 0;
    const u16 *list = (const u16 *)(((u32)info->modes_segment << 4) + info->modes_offset);
    int linear_fields = info->version >= 0x300;
    for (u32 i = 0; i < 256 && list[i] != LAST_MODE; i++) {
        struct framebuffer candidate;
        if (!vbe(1, 0, list[i], MODE))
            continue;
        if ((mode->attributes & WANTED_ATTRIBUTES) != WANTED_ATTRIBUTES ||
            mode->memory_model != DIRECT_COLOR || mode->bpp < 15 || !mode->address)
            continue;
        describe(mode, linear_fields, &candidate);
        u32 off = distance(&candidate, width, height, bpp);
        if (off < best) {
            best = off;
            best_mode = list[i];
            *found = candidate;
        }
    }
    return best != ~0u && vbe(2, best_mode | LINEAR, 0, INFO);
}
