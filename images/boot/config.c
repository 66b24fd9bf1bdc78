/* The default entry of limine.conf, or of limine.cfg, which spells the same things differently.
 *
 * Reference: Limine, CONFIG.md, Structure of the config file, Options, Paths, Macros.
 */
#include "loader.h"

#define SHORTEST_HASH 64
#define MOST_MACROS 64
#define MOST_EXPANSIONS 64
#define LONGEST_LINE (PAGE - 1)

static const char *const places[] = {
    "/boot/limine/limine.conf", "/boot/limine.conf", "/limine/limine.conf",
    "/limine.conf", "/EFI/BOOT/limine.conf",
    "/limine.cfg", "/limine/limine.cfg", "/boot/limine.cfg", "/boot/limine/limine.cfg",
    "/EFI/BOOT/limine.cfg",
};

static struct macro {
    const char *name, *value;
    u32 name_size;
} macros[MOST_MACROS] = {{"ARCH", "x86-64", 4}, {"FW_TYPE", "BIOS", 7}};
static u32 macro_count = 2;

static char *skip_spaces(char *text)
{
    while (*text == ' ' || *text == '\t')
        text++;
    return text;
}

/* Cut the next line off the text; without the spaces around it. */
static char *next_line(char **text)
{
    char *line = skip_spaces(*text), *end = line;
    while (*end && *end != '\n' && *end != '\r')
        end++;
    *text = *end ? end + 1 : end;
    while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *end = 0;
    return line;
}

/* Note a line `${NAME}=value`; of several definitions the last one above a line counts. */
static int define_macro(char *line)
{
    u32 size = 2;
    if (line[0] != '$' || line[1] != '{')
        return 0;
    while (line[size] && line[size] != '}')
        size++;
    if (line[size] != '}' || line[size + 1] != '=')
        return 0;
    if (macro_count == MOST_MACROS)
        fail("more than 64 macros", "limine.conf");
    macros[macro_count++] = (struct macro){line + 2, line + size + 2, size - 2};
    return 1;
}

static const char *macro_value(const char *name, u32 size)
{
    for (u32 i = macro_count; i--;)
        if (macros[i].name_size == size && same_text(macros[i].name, name, size, 0))
            return macros[i].value;
    fail("a macro is not defined", name);
}

/* Replace the first macro of a line. The result stands in a page of its own. */
static char *expand_once(const char *line, u32 start, u32 end)
{
    const char *value = macro_value(line + start + 2, end - start - 2);
    u32 size = strlen(value), rest = strlen(line + end + 1);
    if (start + size + rest > LONGEST_LINE)
        fail("a line is longer than 4095 characters", "limine.conf");
    char *out = allocate(PAGE);
    memcpy(out, line, start);
    memcpy(out + start, value, size);
    memcpy(out + start + size, line + end + 1, rest);
    return out;
}

static char *expanded(char *line)
{
    for (u32 count = 0, at = 0; line[at]; at++) {
        u32 end = at + 2;
        if (line[at] != '$' || line[at + 1] != '{')
            continue;
        while (line[end] && line[end] != '}')
            end++;
        if (!line[end])
            break;
        if (++count > MOST_EXPANSIONS)
            fail("macros expand to each other without end", "limine.conf");
        line = expand_once(line, at, end);
        at = ~0u; /* from the start again: the value may hold a macro */
    }
    return line;
}

/* Return the value of a line `key: value` if it is that key, else null. */
static char *value_of(char *line, const char *key)
{
    u32 size = strlen(key);
    if (strlen(line) < size || !same_text(line, key, size, 1))
        return 0;
    line = skip_spaces(line + size);
    return *line == ':' || *line == '=' ? skip_spaces(line + 1) : 0;
}

static u32 number(const char **text)
{
    u32 value = 0;
    while (**text >= '0' && **text <= '9')
        value = value * 10 + (u32)(*(*text)++ - '0');
    return value;
}

static u32 depth_of(const char *line)
{
    u32 depth = 0;
    while (line[depth] == *line)
        depth++;
    return depth;
}

static int is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Cut off `#` and the digits of a hash behind it; it is not checked. */
static void cut_hash(char *path)
{
    u32 end = strlen(path), start = end;
    while (start && is_hex(path[start - 1]))
        start--;
    if (start && path[start - 1] == '#' && end - start >= SHORTEST_HASH)
        path[start - 1] = 0;
}

static const char *boot_path(char *value, const char *name)
{
    static const char *const forms[] = {"boot():/", "boot(1):/", "boot:///", "boot://1/"};
    for (u32 i = 0; i < sizeof forms / sizeof *forms; i++) {
        u32 size = strlen(forms[i]);
        if (strlen(value) < size || !same_text(value, forms[i], size, 1))
            continue;
        value += size - 1;
        while (value[1] == '/')
            value++;
        cut_hash(value);
        return value;
    }
    fail("a path is not on the boot medium, expected boot():/...", name);
}

static void set_resolution(struct boot_entry *entry, const char *text)
{
    if (entry->bpp)
        return;
    entry->width = number(&text);
    text += *text == 'x';
    entry->height = number(&text);
    entry->bpp = 32;
    if (*text++ == 'x')
        entry->bpp = number(&text);
}

/* Of several options of one name the first counts. */
static void set_once(const char **option, const char *value)
{
    if (!*option)
        *option = value;
}

static void set_option(struct boot_entry *entry, char *line)
{
    char *value;
    if ((value = value_of(line, "protocol"))) {
        set_once(&entry->protocol, value);
    } else if ((value = value_of(line, "path")) || (value = value_of(line, "kernel_path"))) {
        set_once(&entry->path, boot_path(value, entry->name));
    } else if ((value = value_of(line, "cmdline")) || (value = value_of(line, "kernel_cmdline"))) {
        set_once(&entry->command_line, value);
    } else if ((value = value_of(line, "module_path"))) {
        if (entry->modules == MOST_MODULES)
            fail("more than 16 modules", entry->name);
        entry->module[entry->modules].command_line = "";
        entry->module[entry->modules++].path = boot_path(value, entry->name);
    } else if ((value = value_of(line, "module_string")) ||
               (value = value_of(line, "module_cmdline"))) {
        if (entry->modules)
            entry->module[entry->modules - 1].command_line = value;
    } else if ((value = value_of(line, "resolution"))) {
        set_resolution(entry, value);
    }
}

/* Which title is the default one: `default_entry` counts the lines of the menu. */
static u32 default_title(char *config)
{
    for (char *c = config; *c; c++) {
        if (c != config && c[-1] != '\n' && c[-1] != '\r')
            continue;
        const char *value = value_of(skip_spaces(c), "default_entry");
        if (!value)
            continue;
        u32 wanted = number(&value);
        if (!wanted)
            fail("default_entry is no number from 1", "limine.conf");
        return wanted;
    }
    return 1;
}

static void parse(char *config, struct boot_entry *entry)
{
    u32 wanted = default_title(config), row = 0, hidden_below = ~0u, depth = 0;
    int chosen = 0;
    while (*config) {
        char *line = next_line(&config);
        if (*line == '#' || define_macro(line))
            continue;
        line = expanded(line);
        if (*line == '/' || *line == ':') {
            if (chosen && depth_of(line) <= depth)
                return; /* nothing stands below the chosen title */
            depth = depth_of(line);
            char *title = line + depth;
            if (!chosen && depth <= hidden_below) {
                chosen = ++row == wanted;
                hidden_below = *title == '+' ? ~0u : depth;
            }
            if (chosen) {
                memset(entry, 0, sizeof *entry);
                entry->name = skip_spaces(title + (*title == '+'));
            }
        } else if (chosen) {
            set_option(entry, line);
        }
    }
    if (!chosen)
        fail("default_entry is beyond the last entry", "limine.conf");
}

void config_read(struct boot_entry *entry)
{
    struct file file;
    for (u32 i = 0; i < sizeof places / sizeof *places; i++) {
        if (!iso_find(places[i], &file))
            continue;
        u32 size;
        parse(file_load(places[i], &size), entry);
        if (!entry->protocol || strlen(entry->protocol) != 6 ||
            !same_text(entry->protocol, "limine", 6, 1))
            fail("expected protocol: limine", entry->name);
        if (!entry->path)
            fail("expected path: boot():/...", entry->name);
        set_once(&entry->command_line, "");
        return;
    }
    fail("no limine.conf on the boot medium", 0);
}
