/* threads: three threads of one process, made by clone: shared memory, a stack and an FS base each
 * (RMP-08, RMP-11, RMP-15). */
#include "lib/process.h"

#define THREADS 3
#define STACK (4 * PAGE_SIZE)
#define ARCH_SET_FS 0x1002

/* What FS points to in each thread. */
struct local {
    struct local *self;
    long number;
};

static struct local locals[THREADS + 1];
static volatile long seen[THREADS + 1], done;
/* Where each thread's stack is. */
static long place[THREADS + 1];

static struct local *self(void)
{
    struct local *found;

    __asm__ volatile("mov %%fs:0, %0" : "=r"(found));
    return found;
}

static void body(void)
{
    place[self()->number] = (long)__builtin_frame_address(0);
    for (int i = 0; i < 5; i++) {
        seen[self()->number] += self()->number;
        sys_sched_yield();
    }
    __atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST);
    sys_exit(0);
}

/* Make a thread; it begins in body() on its own stack, and never comes back here. */
static long spawn(long top, struct local *local)
{
    register long tls __asm__("r8") = (long)local, child_tid __asm__("r10") = 0;
    long result;

    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "call *%[body]\n"
                     "1:"
                     : "=a"(result)
                     : "0"(SYS_clone), "D"(CLONE_THREAD_FLAGS), "S"(top), "d"(0), "r"(child_tid),
                       "r"(tls), [body] "b"(body)
                     : "rcx", "r11", "memory");
    return result;
}

int main(void)
{
    long stacks = sys_mmap(0, THREADS * STACK, PROT_RW, MAP_PRIVATE_ANON, -1, 0);

    require(stacks > 0);
    for (long i = 0; i <= THREADS; i++)
        locals[i] = (struct local){&locals[i], i};
    require(sys_arch_prctl(ARCH_SET_FS, &locals[0]) == 0);
    for (long i = 1; i <= THREADS; i++)
        require(spawn(stacks + i * STACK, &locals[i]) > 0);
    while (done < THREADS)
        sys_sched_yield();
    for (long i = 1; i <= THREADS; i++) {
        require(seen[i] == 5 * i);
        require(stacks + (i - 1) * STACK < place[i] && place[i] < stacks + i * STACK);
    }
    require(self() == &locals[0]);
    print("threads: three, each with its own FS base\n");
    return 0;
}
