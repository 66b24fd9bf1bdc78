/* exec_me ARGUMENT: ends with status 40 if it was given one. */
#include "lib/process.h"

int main(int argc, char **argv)
{
    return argc == 2 && argv[1][0] == 'f' ? 40 : 41;
}
