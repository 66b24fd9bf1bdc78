/* A kernel that asks by the Limine boot protocol, base revision BASE. */
#include "report.h"

#define COMMON 0xc7b1dd30df4c8b88, 0x0a82e883a194f07b
#define REQUEST(name, a, b)                                                                        \
    __attribute__((used, section(".requests"), aligned(8))) static volatile struct request name = \
        {{COMMON, a, b}, 0, 0, 0}

struct request {
    u64 id[4], revision;
    const u64 *response;
    u64 argument;
};

#ifndef WITHOUT_MARKERS
__attribute__((used, section(".requests"), aligned(8))) static volatile u64 outside[] = {
    COMMON, 0xf55038d8e2a1202f, 0x279426fcf5f59740, 0, 0x1234};
__attribute__((used, section(".requests"), aligned(8))) static volatile u64 start[] = {
    0xf6b8f4b39de7d1ae, 0xfab91a6940fcb9cf, 0x785c6ed015d3e316, 0x181e920a7852b9d9};
#endif
__attribute__((used, section(".requests"), aligned(8))) static volatile u64 base[] = {
    0xf9562b2d5c95a6c8, 0x6a7b384944536bdc, BASE};
REQUEST(loader, 0xf55038d8e2a1202f, 0x279426fcf5f59740);
REQUEST(firmware, 0x8c2f75d90bef28a8, 0x7045a4688eac00c3);
REQUEST(hhdm, 0x48dcf1cb8ad2b852, 0x63984e959a98244b);
REQUEST(framebuffer, 0x9d5827dcd881dd75, 0xa3148604f6fab11b);
REQUEST(paging, 0x95c1a0edab0944cb, 0xa4e5cb3842f7488a);
REQUEST(multiprocessor, 0x95a67b819a1b857e, 0xa0b61b723b6a73e0);
REQUEST(memory_map, 0x67cf3d9d378a806f, 0xe304acdfc50c3c62);
REQUEST(file, 0xad97e90e83f1ed67, 0x31eb5d1c5ff23b69);
REQUEST(command_line, 0x4b161536e598651e, 0xb390ad4a2f1f303a);
REQUEST(module, 0x3e7e279702be32af, 0xca1c4f3bd1280cee);
REQUEST(rsdp, 0xc5e77b6b397e7b43, 0x27637845accdcf3c);
REQUEST(smbios, 0x9e9046f11e095391, 0xaa4a520fefbde5ee);
REQUEST(boot_time, 0x502746e184c088aa, 0xfbc5ec83e6327893);
REQUEST(address, 0x71ba76863cc55f63, 0xb2644a48c516a487);
#ifdef TWICE
REQUEST(twice, 0x71ba76863cc55f63, 0xb2644a48c516a487);
#endif

void other_entry(void);
__attribute__((used, section(".requests"), aligned(8))) static volatile u64 entry[] = {
    COMMON, 0x13d86c035a1cd3e1, 0x2b0caa89d8f3026a, 0, 0, (u64)other_entry};
__attribute__((used, section(".requests"), aligned(8))) static volatile u64 stack[] = {
    COMMON, 0x224ef0460a8e8926, 0xe1cb0fc25f46ea3d, 0, 0, 0x40000};
#ifndef WITHOUT_MARKERS
__attribute__((used, section(".requests"), aligned(8))) static volatile u64 end[] = {
    0xadc0e0531bb10d03, 0x9572709f31764c62};
#endif

static int entered_elsewhere;
extern void _start(void);

__attribute__((naked)) void other_entry(void)
{
    __asm__("incl %0\n jmp _start" : "+m"(entered_elsewhere));
}

static void say_file(const char *name, const u64 *found)
{
    say("file_address", found[1]);
    say_text("file_path", (const char *)found[3]);
    say_text("file_string", (const char *)found[4]);
    say("file_medium", (u32)found[5]);
    say_bytes(name, (const void *)found[1], found[2]);
}

void report(void)
{
    say_machine();
    say("entered_elsewhere", entered_elsewhere);
    say("base_1", base[1]);
    say("base_2", base[2]);
#ifndef WITHOUT_MARKERS
    say("outside", outside[5]);
#endif
    say_text("loader", (const char *)loader.response[1]);
    say("firmware", firmware.response[1]);
    say("hhdm", hhdm.response[1]);
    say("paging", paging.response[1]);
    say("multiprocessor", (u64)multiprocessor.response);
    say("stack", stack[5] != 0);
    say_text("command_line", (const char *)command_line.response[1]);
    say("kernel_paddr", address.response[1]);
    say("kernel_laddr", address.response[2]);
    say("boot_time", boot_time.response[1]);
    say("rsdp_address", rsdp.response[1]);
    say("smbios_32", smbios.response ? smbios.response[1] : 0);
    u64 offset = rsdp.response[1] >> 63 ? 0 : hhdm.response[1];
    say_bytes("rsdp", (const void *)(offset + rsdp.response[1]), 8);
    const u64 *const *map = (const u64 *const *)memory_map.response[2];
    for (u64 i = 0; i < memory_map.response[1]; i++)
        say_range(map[i][0], map[i][1], map[i][2]);
    say_file("kernel_hash", (const u64 *)file.response[1]);
    for (u64 i = 0; i < module.response[1]; i++)
        say_file("module_hash", ((const u64 *const *)module.response[2])[i]);
    if (framebuffer.response) {
        const u64 *screen = *(const u64 *const *)framebuffer.response[2];
        say("framebuffer", screen[0]);
        say("width", screen[1]);
        say("height", screen[2]);
        say("pitch", screen[3]);
        say("bpp", screen[4] & 0xFFFF);
        say("memory_model", screen[4] >> 16 & 0xFF);
        say("red", (screen[4] >> 24 & 0xFF) << 8 | (screen[4] >> 32 & 0xFF));
    }
    say_text("end", "");
}
