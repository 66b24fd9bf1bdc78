#pragma once

#define RB_POWER_OFF 0x4321fedc
#define RB_AUTOBOOT 0x01234567
#define RB_HALT_SYSTEM 0xcdef0123

int reboot(int command);
