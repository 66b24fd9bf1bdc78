/* kill: see lib/command_kill.c. */
#include <commands.h>

int main(int argc, char *argv[])
{
    return kill_command(argc, argv);
}
