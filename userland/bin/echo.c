/* echo: see lib/command_echo.c. */
#include <commands.h>

int main(int argc, char *argv[])
{
    return echo_command(argc, argv);
}
