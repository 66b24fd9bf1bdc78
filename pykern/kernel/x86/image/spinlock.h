/* A lock that is spun on; see spinlock.c. */
#ifndef PYKERN_SPINLOCK_H
#define PYKERN_SPINLOCK_H

struct spinlock {
    unsigned held;
} __attribute__((aligned(64)));

int spin_trylock(struct spinlock *lock);
void spin_lock(struct spinlock *lock);
void spin_unlock(struct spinlock *lock);
unsigned long spin_lock_irqsave(struct spinlock *lock);
void spin_unlock_irqrestore(struct spinlock *lock, unsigned long flags);

#endif
