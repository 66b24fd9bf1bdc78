/* Wait by the PIT: the one clock of a PC whose frequency is known beforehand.
 *
 * Reference: Intel 8254 datasheet, Mode Definitions: Mode 0, Counter Latch Command; IBM PC/AT
 * Technical Reference, port 61h.
 */
#include "ports.h"

enum { CHANNEL_2 = 0x42, CONTROL = 0x43, SYSTEM_B = 0x61 };
enum { GATE_2 = 1 << 0, SPEAKER = 1 << 1, OUT_2 = 1 << 5 };
enum { SELECT_2 = 2 << 6, LOW_HIGH = 3 << 4, TERMINAL_COUNT = 0 << 1, LATCH = 0 << 4 };

/* Only the end has to be met exactly; port after port is slow. */
enum { NEAR = 64, TURNS = 5000 };

static unsigned left(void)
{
    outb(CONTROL, SELECT_2 | LATCH);
    unsigned low = inb(CHANNEL_2);
    return low | (unsigned)inb(CHANNEL_2) << 8;
}

void pit_wait(unsigned clocks);

void pit_wait(unsigned clocks) /* at most 65,535 */
{
    outb(SYSTEM_B, (inb(SYSTEM_B) & ~SPEAKER) | GATE_2);
    outb(CONTROL, SELECT_2 | LOW_HIGH | TERMINAL_COUNT);
    outb(CHANNEL_2, (unsigned char)clocks);
    outb(CHANNEL_2, (unsigned char)(clocks >> 8));
    do { /* the count is loaded at the next clock: not before a turn is there anything to read */
        for (int turn = TURNS; turn; turn--)
            __asm__ volatile("");
    } while (!(inb(SYSTEM_B) & OUT_2) && left() > NEAR);
    while (!(inb(SYSTEM_B) & OUT_2))
        ;
}
