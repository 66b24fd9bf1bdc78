/* A shared library: a function, a variable that the program copies, a constructor. */
#include "greet.h"

int greeted;
static int made;

__attribute__((constructor)) static void make(void)
{
    made = 40;
}

const char *greeting(void)
{
    greeted += made;
    return "hello from a library";
}
