/* Files of the ISO 9660 medium that the BIOS booted from, by their Rock Ridge or plain names.
 *
 * References: BIOS Enhanced Disk Drive Specification, Extended Read; ECMA-119, Directory Record;
 * IEEE P1281, CE System Use Entry; IEEE P1282, NM System Use Entry.
 */
#include "loader.h"

#define PVD_SECTOR 16u
#define ROOT_RECORD 156u
#define DIRECTORY_FLAG 2
#define LONGEST_NAME 255u
#define MOST_CONTINUATIONS 8
#define LARGEST_FILE 0x40000000u

struct packet {
    u8 size, zero;
    u16 count, offset, segment;
    u64 sector;
} __attribute__((packed));

struct record {
    u8 length, attributes;
    u32 sector, sector_be, size, size_be;
    u8 date[7], flags, unit, gap;
    u16 volume, volume_be;
    u8 name_length;
    char name[];
} __attribute__((packed));

static u8 drive;
static struct packet packet;
static u8 directory[SECTOR], continuation[SECTOR];

void disk_init(u8 number)
{
    drive = number;
}

static int read_buffer(u32 sector, u32 count)
{
    packet = (struct packet){16, 0, (u16)count, BUFFER & 15, BUFFER >> 4, sector};
    bios.eax = 0x4200;
    bios.edx = drive;
    bios.esi = (u32)&packet;
    bios_interrupt(0x13);
    return !(bios.eflags & CARRY);
}

static void disk_read(u32 sector, u32 count, void *to)
{
    u8 *target = to;
    while (count) {
        u32 part = count < BUFFER_SECTORS ? count : BUFFER_SECTORS;
        int tries = 3;
        while (!read_buffer(sector, part))
            if (!--tries)
                fail("INT 13h could not read the boot medium", 0);
        memcpy(target, (void *)BUFFER, part * SECTOR);
        sector += part;
        count -= part;
        target += part * SECTOR;
    }
}

/* Walk the system use area of a record; return whether it names it, and the name. */
static int rock_ridge_name(const struct record *record, char *name, u32 *length)
{
    u32 start = 33u + record->name_length + !(record->name_length & 1);
    const u8 *area = (const u8 *)record + start;
    u32 left = record->length > start ? record->length - start : 0;
    int found = 0;
    for (int hops = 0; hops < MOST_CONTINUATIONS; hops++) {
        u32 next_sector = 0, next_offset = 0, next_size = 0;
        while (left >= 4 && area[2] >= 4 && area[2] <= left) {
            if (area[0] == 'N' && area[1] == 'M' && area[2] >= 5) {
                u32 size = area[2] - 5u;
                if (!found)
                    *length = 0;
                if (*length + size > LONGEST_NAME)
                    return 0;
                memcpy(name + *length, area + 5, size);
                *length += size;
                found = 1;
            } else if (area[0] == 'C' && area[1] == 'E' && area[2] >= 28) {
                memcpy(&next_sector, area + 4, 4);
                memcpy(&next_offset, area + 12, 4);
                memcpy(&next_size, area + 20, 4);
            }
            left -= area[2];
            area += area[2];
        }
        if (!next_sector || next_offset >= SECTOR || next_size > SECTOR - next_offset)
            break;
        disk_read(next_sector, 1, continuation);
        area = continuation + next_offset;
        left = next_size;
    }
    return found;
}

static u32 plain_length(const struct record *record)
{
    u32 length = record->name_length;
    for (u32 i = 0; i < length; i++)
        if (record->name[i] == ';')
            length = i;
    if (length && record->name[length - 1] == '.')
        length--;
    return length;
}

static int is_named(const struct record *record, const char *wanted, u32 size)
{
    static char name[LONGEST_NAME + 1];
    u32 length = 0;
    if (record->name_length == 1 && (u8)record->name[0] <= 1)
        return 0; /* the directory itself, and the one around it */
    if (rock_ridge_name(record, name, &length))
        return length == size && same_text(name, wanted, size, 0);
    return plain_length(record) == size && same_text(record->name, wanted, size, 1);
}

/* Look for a name in a directory; replace `place` by what it stands for. */
static int enter(struct record *place, const char *name, u32 size)
{
    u32 sectors = (place->size + SECTOR - 1) / SECTOR;
    for (u32 i = 0; i < sectors; i++) {
        disk_read(place->sector + i, 1, directory);
        for (u32 at = 0; at + sizeof(struct record) < SECTOR && directory[at];) {
            const struct record *record = (const struct record *)(directory + at);
            if (at + record->length > SECTOR)
                break;
            if (is_named(record, name, size)) {
                memcpy(place, record, sizeof *place);
                return 1;
            }
            at += record->length;
        }
    }
    return 0;
}

int iso_find(const char *path, struct file *file)
{
    static struct record place;
    disk_read(PVD_SECTOR, 1, directory);
    if (memcmp(directory, "\1CD001", 6))
        fail("sector 16 is no ISO 9660 volume descriptor", 0);
    memcpy(&place, directory + ROOT_RECORD, sizeof place);
    while (*path) {
        while (*path == '/')
            path++;
        u32 size = 0;
        while (path[size] && path[size] != '/')
            size++;
        if (size && (!(place.flags & DIRECTORY_FLAG) || !enter(&place, path, size)))
            return 0;
        path += size;
    }
    *file = (struct file){place.sector, place.size};
    return !(place.flags & DIRECTORY_FLAG);
}

void *file_load(const char *path, u32 *size)
{
    struct file file;
    if (!iso_find(path, &file))
        fail("no such file on the boot medium", path);
    if (file.size > LARGEST_FILE)
        fail("the file is larger than 1 GiB", path);
    u32 sectors = (file.size + SECTOR - 1) / SECTOR;
    u8 *data = allocate(sectors * SECTOR + 1); /* a text ends with a zero */
    disk_read(file.sector, sectors, data);
    memset(data + file.size, 0, sectors * SECTOR - file.size);
    *size = file.size;
    return data;
}
