/* From the stack that the kernel built to main(). */
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

char **environ;
const char *program_name = "?";
static const Elf64_auxv_t *auxv;

int main(int argc, char *argv[], char *envp[]);
_Noreturn void start_c(long *stack);

void start_c(long *stack)
{
    int argc = stack[0];
    char **argv = (char **)stack + 1;
    char **after = argv + argc + 1;

    environ = after;
    while (*after)
        after++;
    auxv = (const Elf64_auxv_t *)(after + 1);
    if (argc > 0) {
        char *slash = strrchr(argv[0], '/');
        program_name = slash ? slash + 1 : argv[0];
    }
    exit(main(argc, argv, environ));
}

unsigned long getauxval(unsigned long type)
{
    for (const Elf64_auxv_t *entry = auxv; entry->a_type != AT_NULL; entry++)
        if (entry->a_type == type)
            return entry->a_val;
    return 0;
}
