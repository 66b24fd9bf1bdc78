/* The loader's ISO 9660 reader as a program of the host: IMAGE PATH... → `PATH sector size` or
 * `PATH none`. Its disk is a file, its buffer a page of the host at the address of the guest's.
 */
#include <sys/mman.h>

#include "host_text.h"

struct bios_registers bios;
static FILE *image;

void bios_interrupt(int vector)
{
    const u8 *packet = (const u8 *)(unsigned long)bios.esi;
    u16 count = *(const u16 *)(packet + 2);
    u64 sector = *(const u64 *)(packet + 8);
    (void)vector;
    bios.eflags = 0;
    if (fseek(image, (long)(sector * SECTOR), SEEK_SET) ||
        fread((void *)BUFFER, SECTOR, count, image) != count)
        bios.eflags = CARRY;
}

void *allocate(u32 size)
{
    return malloc(size);
}

int main(int argc, char **argv)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    if (mmap((void *)BUFFER, 0x8000, PROT_READ | PROT_WRITE, flags, -1, 0) != (void *)BUFFER)
        return 77;
    image = fopen(argv[1], "rb");
    for (int i = 2; i < argc; i++) {
        struct file file;
        if (iso_find(argv[i], &file))
            printf("%s\t%u %u\n", argv[i], file.sector, file.size);
        else
            printf("%s\tnone\n", argv[i]);
    }
    return 0;
}
