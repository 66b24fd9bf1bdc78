/* A dynamically linked program: a library of its own, libc's, and one that it opens itself. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "greet.h"

static __thread int mine = 2;

int main(int argc, char **argv)
{
    void *math = dlopen("libm.so.6", RTLD_NOW);
    double (*cosine)(double) = math ? (double (*)(double))dlsym(math, "cos") : NULL;

    const char *said = greeting();

    printf("%s %d %s\n", said, greeted + mine, argc > 1 ? argv[1] : "-");
    if (!cosine)
        printf("%s\n", dlerror());
    else
        printf("%.6f\n", cosine(1.0));
    return strlen(greeting()) != 20 || greeted != 80;
}
