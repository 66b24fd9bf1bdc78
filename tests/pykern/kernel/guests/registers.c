/* A signal changes no register of what it interrupts: all of them are loaded with known values, an
 * instruction traps, the handler spoils whatever it can and steps over it. */
#include "guest.h"

struct state { uint64_t general[16], flags; uint8_t xmm[16][16]; } __attribute__((aligned(16)));
static struct state before __asm__("before") __attribute__((used));
static struct state after __asm__("after") __attribute__((used));
static uint64_t saved_rsp __asm__("saved_rsp") __attribute__((used));
static int length;

static void spoil(void)
{
    __asm__ volatile("pcmpeqd %%xmm0, %%xmm0; movdqa %%xmm0, %%xmm1; movdqa %%xmm0, %%xmm7;"
                     "movdqa %%xmm0, %%xmm8; movdqa %%xmm0, %%xmm15; fninit; fldpi;"
                     : : : "xmm0", "xmm1", "xmm7", "xmm8", "xmm15");
}

static void handler(int number, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    greg_t *g = uc->uc_mcontext.gregs;
    unsigned mxcsr;
    unsigned short control;
    __asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr), "=m"(control));
    SAY("in the handler: MXCSR %x, FCW %x", mxcsr, control);
    int same = 0;
    static const int names[] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI,
        REG_RDI, REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };
    for (int i = 0; i < 16; i++)
        same += i == 4 || (uint64_t)g[names[i]] == before.general[i];
    SAY("%s: code %d, registers in the context %d, xmm15 %d, fault address is rip: %d",
        sigabbrev_np(number), info->si_code, same,
        !memcmp(&uc->uc_mcontext.fpregs->_xmm[15], before.xmm[15], 16),
        (greg_t)(uintptr_t)info->si_addr == g[REG_RIP]);
    g[REG_RIP] += length;
    spoil();
}

#define LOAD(n) "movdqa before+136+16*" #n "(%rip), %xmm" #n "\n\t"
#define STORE(n) "movdqa %xmm" #n ", after+136+16*" #n "(%rip)\n\t"
#define ALL(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define TRAP(name, instruction) \
    __asm__(".text\n.globl " name "\n" name ":\n\t" \
        "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n\t" \
        "mov %rsp, saved_rsp(%rip)\n\t" \
        ALL(LOADU) \
        "push before+128(%rip); popf\n\t" \
        "mov before+0(%rip), %rax; mov before+8(%rip), %rcx; mov before+16(%rip), %rdx\n\t" \
        "mov before+24(%rip), %rbx; mov before+40(%rip), %rbp; mov before+48(%rip), %rsi\n\t" \
        "mov before+56(%rip), %rdi; mov before+64(%rip), %r8; mov before+72(%rip), %r9\n\t" \
        "mov before+80(%rip), %r10; mov before+88(%rip), %r11; mov before+96(%rip), %r12\n\t" \
        "mov before+104(%rip), %r13; mov before+112(%rip), %r14; mov before+120(%rip), %r15\n\t" \
        instruction "\n\t" \
        "mov %rax, after+0(%rip); mov %rcx, after+8(%rip); mov %rdx, after+16(%rip)\n\t" \
        "mov %rbx, after+24(%rip); mov %rbp, after+40(%rip); mov %rsi, after+48(%rip)\n\t" \
        "mov %rdi, after+56(%rip); mov %r8, after+64(%rip); mov %r9, after+72(%rip)\n\t" \
        "mov %r10, after+80(%rip); mov %r11, after+88(%rip); mov %r12, after+96(%rip)\n\t" \
        "mov %r13, after+104(%rip); mov %r14, after+112(%rip); mov %r15, after+120(%rip)\n\t" \
        "mov %rsp, after+32(%rip)\n\t" \
        "pushf; pop after+128(%rip); cld\n\t" \
        ALL(STOREU) \
        "mov saved_rsp(%rip), %rsp\n\t" \
        "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret")
#define LOADU(n) "movdqu before+136+16*" #n "(%rip), %xmm" #n "\n\t"
#define STOREU(n) "movdqu %xmm" #n ", after+136+16*" #n "(%rip)\n\t"

TRAP("by_ud2", "ud2");
TRAP("by_hlt", "hlt");
TRAP("by_int3", "int3");
TRAP("by_nothing", "nop; nop");
void by_ud2(void), by_hlt(void), by_int3(void), by_nothing(void);

static void fill(uint64_t flags)
{
    static uint64_t value = 0x0123456789abcdef;
    uint8_t *bytes = (uint8_t *)&before;
    for (size_t i = 0; i < sizeof before; i++) {
        value = value * 6364136223846793005 + 1442695040888963407;
        bytes[i] = value >> 56;
    }
    before.flags = flags;
    memset(&after, 0, sizeof after);
}

static void check(const char *what)
{
    int general = 0, xmm = 0;
    for (int i = 0; i < 16; i++) {
        general += after.general[i] == (i == 4 ? saved_rsp : before.general[i]);
        xmm += !memcmp(after.xmm[i], before.xmm[i], 16);
    }
    SAY("%s: general %d, xmm %d, flags %lx", what, general, xmm, (long)after.flags & 0xffff);
}

int main(void)
{
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
    sigaction(SIGILL, &action, 0);
    sigaction(SIGSEGV, &action, 0);
    sigaction(SIGTRAP, &action, 0);
    unsigned mxcsr = 0x7f80;
    unsigned short control = 0x77f;
    __asm__ volatile("ldmxcsr %0; fldcw %1; fldpi; fld1" : : "m"(mxcsr), "m"(control));
    for (int round = 0; round < 3; round++) {
        uint64_t flags = (uint64_t[]){ 0x246, 0xad7 & ~0x400, 0x646 }[round];
        fill(flags), length = 2, by_ud2(), check("ud2");
        fill(flags), length = 1, by_hlt(), check("hlt");
        fill(flags), length = 0, by_int3(), check("int3");
        fill(flags), by_nothing(), check("nothing");
    }
    long double one, pi;
    __asm__ volatile("fstpt %2; fstpt %3; stmxcsr %0; fnstcw %1"
                     : "=m"(mxcsr), "=m"(control), "=m"(one), "=m"(pi));
    SAY("after all: MXCSR %x, FCW %x, %La %La", mxcsr, control, one, pi);
    return 0;
}
