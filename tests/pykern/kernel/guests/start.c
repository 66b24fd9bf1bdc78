/* What a program finds when it starts. */
#include "guest.h"
#include <elf.h>
#include <link.h>
#include <sys/auxv.h>

int main(int argc, char **argv, char **environment)
{
    for (int i = 0; i < argc; i++)
        SAY("argv[%d] '%s'", i, argv[i]);
    SAY("argv ends: %d", !argv[argc]);
    for (char **entry = environment; *entry; entry++)
        SAY("environment '%s'", *entry);
    SAY("page size %ld, clock ticks %ld", getauxval(AT_PAGESZ), getauxval(AT_CLKTCK));
    SAY("headers %d, of %ld bytes", getauxval(AT_PHDR) != 0, getauxval(AT_PHENT));
    const Elf64_Phdr *headers = (const void *)getauxval(AT_PHDR);
    int loads = 0;
    for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++)
        loads += headers[i].p_type == PT_LOAD;
    SAY("%d to load", loads);
    SAY("base %ld, secure %ld, flags %ld", getauxval(AT_BASE), getauxval(AT_SECURE),
        getauxval(AT_FLAGS));
    SAY("ids %ld %ld %ld %ld", getauxval(AT_UID), getauxval(AT_EUID), getauxval(AT_GID),
        getauxval(AT_EGID));
    SAY("platform %s, random %d", (char *)getauxval(AT_PLATFORM), getauxval(AT_RANDOM) != 0);
    SAY("execfn is argv[0]: %d", !strcmp((char *)getauxval(AT_EXECFN), argv[0]));
    SAY("stack aligned: %d", ((uintptr_t)(argv - 1) & 15) == 0);
    return argc;
}
