/* What the processor says of itself: EAX, EBX, ECX, EDX of a leaf, for hosted code to read.
 *
 * Reference: SDM Vol. 2A, CPUID.
 */
void read_cpuid(unsigned leaf, unsigned subleaf, unsigned out[4]);

void read_cpuid(unsigned leaf, unsigned subleaf, unsigned out[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                     : "a"(leaf), "c"(subleaf));
}
