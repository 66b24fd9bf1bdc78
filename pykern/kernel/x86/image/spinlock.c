/* Spin locks of the guest's own code, with exponential backoff, and variants that keep IRQs out.
 *
 * Hosted code is atomic between its awaits and needs none; real code on several processors does.
 * A lock is alone in its cache line. Reference: SDM Vol. 3A, Locked Atomic Operations; PAUSE.
 */
#include "spinlock.h"

enum { MAX_BACKOFF = 1024 };

static inline void pause(void) { __asm__ volatile("pause"); }

int spin_trylock(struct spinlock *lock)
{
    return !__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE);
}

void spin_lock(struct spinlock *lock)
{
    unsigned backoff = 1;
    while (!spin_trylock(lock)) {
        for (unsigned i = 0; i < backoff; i++)
            pause();
        if (backoff < MAX_BACKOFF)
            backoff *= 2;
    }
}

void spin_unlock(struct spinlock *lock) { __atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE); }

unsigned long spin_lock_irqsave(struct spinlock *lock)
{
    unsigned long flags;
    __asm__ volatile("pushfq\n\tpopq %0\n\tcli" : "=r"(flags) : : "memory");
    spin_lock(lock);
    return flags;
}

void spin_unlock_irqrestore(struct spinlock *lock, unsigned long flags)
{
    spin_unlock(lock);
    __asm__ volatile("pushq %0\n\tpopfq" : : "r"(flags) : "memory", "cc");
}

/* Add 1 to *counter `times` times, the read and the write apart, under the lock if there is one. */
void locked_count(struct spinlock *lock, volatile unsigned long *counter, unsigned long times)
{
    for (unsigned long i = 0; i < times; i++) {
        unsigned long flags = lock ? spin_lock_irqsave(lock) : 0;
        *counter = *counter + 1;
        if (lock)
            spin_unlock_irqrestore(lock, flags);
    }
}
