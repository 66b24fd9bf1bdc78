/* The Limine boot protocol: find a kernel's requests, answer those that can be answered.
 *
 * Base revisions 0 to 3. The multiprocessor request stays unanswered: a kernel of ours starts its
 * processors itself. Reference: The Limine Boot Protocol, Requests, Feature List.
 */
#include "loader.h"

#define NEWEST_REVISION 3
#define COMMON_0 0xc7b1dd30df4c8b88ull
#define COMMON_1 0x0a82e883a194f07bull
#define BASE_0 0xf9562b2d5c95a6c8ull
#define BASE_1 0x6a7b384944536bdcull
#define NAME "pykern"
#define VERSION "1"
#define OPTICAL 1

enum {
    BOOTLOADER_INFO, FIRMWARE_TYPE, STACK, HHDM_OFFSET, FRAMEBUFFERS, PAGING_MODE, MEMORY_MAP,
    ENTRY_POINT, EXECUTABLE_FILE, COMMAND_LINE, MODULES, RSDP, SMBIOS, BOOT_TIME,
    EXECUTABLE_ADDRESS, FEATURES
};

static const u64 ids[FEATURES][2] = {
    [BOOTLOADER_INFO] = {0xf55038d8e2a1202f, 0x279426fcf5f59740},
    [FIRMWARE_TYPE] = {0x8c2f75d90bef28a8, 0x7045a4688eac00c3},
    [STACK] = {0x224ef0460a8e8926, 0xe1cb0fc25f46ea3d},
    [HHDM_OFFSET] = {0x48dcf1cb8ad2b852, 0x63984e959a98244b},
    [FRAMEBUFFERS] = {0x9d5827dcd881dd75, 0xa3148604f6fab11b},
    [PAGING_MODE] = {0x95c1a0edab0944cb, 0xa4e5cb3842f7488a},
    [MEMORY_MAP] = {0x67cf3d9d378a806f, 0xe304acdfc50c3c62},
    [ENTRY_POINT] = {0x13d86c035a1cd3e1, 0x2b0caa89d8f3026a},
    [EXECUTABLE_FILE] = {0xad97e90e83f1ed67, 0x31eb5d1c5ff23b69},
    [COMMAND_LINE] = {0x4b161536e598651e, 0xb390ad4a2f1f303a},
    [MODULES] = {0x3e7e279702be32af, 0xca1c4f3bd1280cee},
    [RSDP] = {0xc5e77b6b397e7b43, 0x27637845accdcf3c},
    [SMBIOS] = {0x9e9046f11e095391, 0xaa4a520fefbde5ee},
    [BOOT_TIME] = {0x502746e184c088aa, 0xfbc5ec83e6327893},
    [EXECUTABLE_ADDRESS] = {0x71ba76863cc55f63, 0xb2644a48c516a487},
};

static const u64 start_marker[4] = {0xf6b8f4b39de7d1ae, 0xfab91a6940fcb9cf, 0x785c6ed015d3e316,
                                    0x181e920a7852b9d9};
static const u64 end_marker[2] = {0xadc0e0531bb10d03, 0x9572709f31764c62};

struct request {
    u64 id[4], revision, response, argument[1];
};

struct limine_file {
    u64 revision, address, size, path, command_line;
    u32 media_type, unused, tftp_ip, tftp_port, partition, mbr_id;
    u8 uuids[48];
};

struct limine_framebuffer {
    u64 address, width, height, pitch;
    u16 bpp;
    u8 memory_model, red_size, red_shift, green_size, green_shift, blue_size, blue_shift;
    u8 unused[7];
    u64 edid_size, edid, mode_count, modes;
};

static struct request *requests[FEATURES];
static u64 revision;
static u64 *map_answer;
static struct range *map;

/* ------------------------------------------------------------------ requests */

static void note_request(struct request *request, const struct kernel *kernel)
{
    for (u32 i = 0; i < FEATURES; i++) {
        if (request->id[2] != ids[i][0] || request->id[3] != ids[i][1])
            continue;
        if (requests[i])
            fail("the same Limine request stands in it twice", kernel->path);
        requests[i] = request;
    }
}

int limine_find(const struct kernel *kernel)
{
    u64 *first = (u64 *)KERNEL_PADDR, *end = first + kernel->size / 8;
    int found = 0;
    for (u64 *at = first; at + 4 <= end; at++)
        if (!memcmp(at, start_marker, sizeof start_marker))
            first = at + 4;
    for (u64 *at = first; at + 2 <= end; at++)
        if (!memcmp(at, end_marker, sizeof end_marker))
            end = at;
    for (u64 *at = first; at + 3 <= end; at++) {
        if (at[0] == BASE_0 && at[1] == BASE_1) {
            revision = at[2] <= NEWEST_REVISION ? at[2] : NEWEST_REVISION;
            at[1] = revision;
            if (at[2] <= NEWEST_REVISION)
                at[2] = 0;
            found = 1;
        } else if (at + 6 <= end && at[0] == COMMON_0 && at[1] == COMMON_1) {
            note_request((struct request *)at, kernel);
            found = 1;
        }
    }
    return found;
}

int limine_wants_framebuffer(void)
{
    return !!requests[FRAMEBUFFERS];
}

u32 limine_stack_size(void)
{
    u64 wanted = requests[STACK] ? requests[STACK]->argument[0] : 0;
    return wanted > STACK_SIZE && wanted < 0x10000000 ? (u32)wanted : STACK_SIZE;
}

/* ------------------------------------------------------------------- answers */

/* Room that the kernel may reclaim, zeroed, 16-byte aligned. */
static void *room(u32 size)
{
    static u8 *page;
    static u32 left;
    size = (size + 15) & ~15u;
    if (size > PAGE)
        return allocate(size);
    if (size > left) {
        page = allocate(PAGE);
        left = PAGE;
    }
    u8 *start = page + PAGE - left;
    left -= size;
    return start;
}

/* Answer with `words` 64-bit words, the response's revision 0 in front of them. */
static u64 *answer(u32 feature, u32 words)
{
    if (!requests[feature])
        return 0;
    u64 *response = room((1 + words) * 8);
    requests[feature]->response = hhdm(response);
    return response + 1;
}

/* From base revision 3 on some addresses are physical, before they are in the direct map. */
static u64 firmware_address(const void *found)
{
    return !found ? 0 : revision >= 3 ? (u32)found : hhdm(found);
}

static u64 limine_file(const void *data, u32 size, const char *path, const char *command_line)
{
    struct limine_file *file = room(sizeof *file);
    file->address = hhdm(data);
    file->size = size;
    file->path = hhdm(path);
    file->command_line = hhdm(command_line);
    file->media_type = OPTICAL;
    return hhdm(file);
}

static void answer_framebuffer(const struct framebuffer *found)
{
    u64 *words = answer(FRAMEBUFFERS, 2), *list = room(8);
    struct limine_framebuffer *out = room(sizeof *out);
    *out = (struct limine_framebuffer){
        .address = HHDM + found->address, .width = found->width, .height = found->height,
        .pitch = found->pitch, .bpp = found->bpp, .memory_model = 1,
        .red_size = found->red_size, .red_shift = found->red_shift,
        .green_size = found->green_size, .green_shift = found->green_shift,
        .blue_size = found->blue_size, .blue_shift = found->blue_shift,
    };
    list[0] = hhdm(out);
    words[0] = 1;
    words[1] = hhdm(list);
}

static void answer_modules(const struct boot_entry *entry)
{
    u64 *words = answer(MODULES, 2);
    if (!words)
        return;
    u64 *list = room(MOST_MODULES * 8);
    for (u32 i = 0; i < entry->modules; i++) {
        const struct module *module = &entry->module[i];
        list[i] = limine_file(module->data, module->size, module->path, module->command_line);
    }
    words[0] = entry->modules;
    words[1] = hhdm(list);
}

static void answer_firmware(void)
{
    void *rsdp = find_rsdp(), *smbios32 = find_smbios("_SM_", 31);
    void *smbios64 = find_smbios("_SM3_", 24);
    u64 *words, now;
    if (rsdp && (words = answer(RSDP, 1)))
        words[0] = firmware_address(rsdp);
    if ((smbios32 || smbios64) && (words = answer(SMBIOS, 2))) {
        words[0] = firmware_address(smbios32);
        words[1] = firmware_address(smbios64);
    }
    if (requests[BOOT_TIME] && (now = boot_time()) && (words = answer(BOOT_TIME, 1)))
        words[0] = now;
}

static void answer_kernel(struct boot *boot)
{
    struct kernel *kernel = &boot->kernel;
    u64 *words;
    if ((words = answer(EXECUTABLE_FILE, 1)))
        words[0] = limine_file(kernel->file, kernel->file_size, kernel->path, kernel->command_line);
    if ((words = answer(COMMAND_LINE, 1)))
        words[0] = hhdm(kernel->command_line);
    if ((words = answer(EXECUTABLE_ADDRESS, 2))) {
        words[0] = KERNEL_PADDR;
        words[1] = kernel->base;
    }
    if (answer(ENTRY_POINT, 0))
        kernel->entry = requests[ENTRY_POINT]->argument[0];
}

void limine_answer(struct boot *boot)
{
    u64 *words;
    if ((words = answer(BOOTLOADER_INFO, 2))) {
        words[0] = hhdm(memcpy(room(sizeof NAME), NAME, sizeof NAME));
        words[1] = hhdm(memcpy(room(sizeof VERSION), VERSION, sizeof VERSION));
    }
    answer(FIRMWARE_TYPE, 1); /* 0: BIOS */
    answer(PAGING_MODE, 1);   /* 0: four levels */
    answer(STACK, 0);
    if ((words = answer(HHDM_OFFSET, 1)))
        words[0] = HHDM;
    if (boot->has_framebuffer)
        answer_framebuffer(&boot->framebuffer);
    answer_kernel(boot);
    answer_modules(&boot->entry);
    answer_firmware();
    if ((map_answer = answer(MEMORY_MAP, 2))) {
        u64 *list = room(MOST_RANGES * 8);
        map = room(MOST_RANGES * sizeof *map);
        for (u32 i = 0; i < MOST_RANGES; i++)
            list[i] = hhdm(&map[i]);
        map_answer[1] = hhdm(list);
    }
}

void limine_answer_memory(void)
{
    if (!map_answer)
        return;
    map_answer[0] = range_count;
    memcpy(map, ranges, range_count * sizeof *map);
}
