/* The loader's reading of limine.conf as a program of the host: the file on standard input, the
 * entry on standard output, one `key value` a line.
 */
#include "host_text.h"

static char text[1 << 20];

int iso_find(const char *path, struct file *file)
{
    (void)path;
    (void)file;
    return 1;
}

void *file_load(const char *path, u32 *size)
{
    (void)path;
    *size = (u32)fread(text, 1, sizeof text - 1, stdin);
    return text;
}

void *allocate(u32 size)
{
    return calloc(1, size);
}

int main(void)
{
    static struct boot_entry entry;
    config_read(&entry);
    printf("name %s\npath %s\ncmdline %s\n", entry.name, entry.path, entry.command_line);
    printf("resolution %u %u %u\n", entry.width, entry.height, entry.bpp);
    for (u32 i = 0; i < entry.modules; i++)
        printf("module %s %s\n", entry.module[i].path, entry.module[i].command_line);
    return 0;
}
