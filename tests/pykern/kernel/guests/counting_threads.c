/* Two threads count, each in a variable of its own and under a lock in a common one; who joins them
 * says whether they agree, and whether a handler ran on the alternate stack that was chosen before.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LAST 40

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long common;
static __thread long own;
static char stack[1 << 16];
static volatile int on_stack;

static void handler(int signal)
{
    char here;

    on_stack = signal && &here > stack && &here < stack + sizeof stack;
}

static void *count(void *argument)
{
    struct timespec nap = {0, 1000000};

    for (int i = 0; i < LAST; i++) {
        own++;
        pthread_mutex_lock(&lock);
        common++;
        pthread_mutex_unlock(&lock);
        nanosleep(&nap, NULL);
    }
    *(long *)argument = own;
    return NULL;
}

int main(void)
{
    pthread_t threads[2];
    long counts[2];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};

    sigaltstack(&alternate, NULL);
    sigaction(SIGUSR1, &action, NULL);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, count, &counts[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    raise(SIGUSR1);
    int right = counts[0] == LAST && counts[1] == LAST && common == 2 * LAST && on_stack;
    printf("%s\n", right ? "joined well" : "joined wrong");
    return !right;
}
