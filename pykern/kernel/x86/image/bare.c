/* What the image does where nobody hosts it: says so on the first serial port, and turns off.
 *
 * Any PC with an ACPI power-off at QEMU's port will do; without it the processor halts.
 */
#include "ports.h"

enum { COM1 = 0x3F8, LINE_STATUS = COM1 + 5, THR_EMPTY = 0x20 };
enum { PIIX4_PM1A_CONTROL = 0x604, ICH9_PM1A_CONTROL = 0x1804, SLEEP_ENABLE = 0x2000 };

static void serial_print(const char *text)
{
    for (; *text; text++) {
        for (int patience = 1 << 16; patience && !(inb(LINE_STATUS) & THR_EMPTY); patience--)
            ;
        outb(COM1, (unsigned char)*text);
    }
}

void halt_forever(void);

void not_hosted(void)
{
    serial_print("pykern.elf: this kernel's functions are hosted by pykern, and this machine does "
                 "not host them.\r\nBoot the image with: python -m pykern boot IMAGE\r\n");
    outw(PIIX4_PM1A_CONTROL, SLEEP_ENABLE);
    outw(ICH9_PM1A_CONTROL, SLEEP_ENABLE);
    halt_forever();
}
