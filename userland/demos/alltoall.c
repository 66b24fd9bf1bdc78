/* alltoall: many processes send a message to every port and receive one from every port, while
 * each keeps looking at memory of its own, which may be more than the machine has.
 *
 *   -n PROCESSES (100)   -p PORTS (16)   -w PAGES (16), of each process
 *   -e EVERY (4): a page is looked at before every so many messages
 *
 * None begins before all are there, and none ends before all are done. A board that all share has a bit for each message, sender and port: what came twice or not at
 * all is known at the end. Whoever finds a port full receives something himself before he tries
 * again, and nobody waits for one port longer than PATIENCE, so no ring of waiting can close. */
#include <err.h>
#include <errno.h>
#include <pykern.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE_WORDS 512
#define MOST_PORTS 256
#define MOST_PAGES 256
#define PATIENCE 50000000 /* ns */
#define GIVE_UP 100       /* nothing has come so often: nothing will */
#define SAMPLES 8

enum { DRAFT = 0, LETTER = 16, VISITS = 32, PATTERN = 33 }; /* words of a page of one's own */

struct message {
    uint32_t sender, port;
    uint64_t sequence; /* the sender's, from 0 */
    uint64_t body[12];
    uint64_t checksum;
};

struct board {
    long sent, received, refused, impatient;       /* refused: the port was full */
    long twice, damaged, wrong_words, wrong_pages; /* what must not be */
    uint64_t seen[];                               /* a bit for each sender and port */
};

static long processes = 100, ports = 16, pages = 16, every = 4;
static int port[MOST_PORTS];
static struct board *board;

static uint64_t mixed(uint64_t a, uint64_t b)
{
    uint64_t z = a * 0x9E3779B97F4A7C15u + b * 0xBF58476D1CE4E5B9u + 1;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    return z ^ z >> 27;
}

static void count(long *counter, long n)
{
    __atomic_fetch_add(counter, n, __ATOMIC_SEQ_CST);
}

static void *shared(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED)
        err(1, "mmap of %zu shared bytes", size);
    return at;
}

/* -- messages */

static uint64_t checksum(const struct message *message)
{
    uint64_t sum = mixed(message->sender, (uint64_t)message->port << 32 | message->sequence);

    for (int i = 0; i < 12; i++)
        sum = (sum ^ message->body[i]) * 0x100000001B3u;
    return sum;
}

static void write_message(struct message *message, long me, long to, long sequence)
{
    message->sender = (uint32_t)me;
    message->port = (uint32_t)to;
    message->sequence = (uint64_t)sequence;
    for (int i = 0; i < 12; i++)
        message->body[i] = mixed((uint64_t)(me << 16 | to), (uint64_t)i);
    message->checksum = checksum(message);
}

/* Which port a process sends to at a step: they begin at different ones, and all come round. */
static long target(long me, long step)
{
    return (me + step) % ports;
}

static void check_message(const struct message *message, long from, long size)
{
    long sender = message->sender, sequence = (long)message->sequence;

    if (size != sizeof *message || message->checksum != checksum(message) || sender >= processes ||
        message->port != from || target(sender, sequence) != from) {
        count(&board->damaged, 1);
        return;
    }
    long number = sender * ports + from;
    uint64_t bit = 1ul << number % 64;
    if (__atomic_fetch_or(&board->seen[number / 64], bit, __ATOMIC_SEQ_CST) & bit)
        count(&board->twice, 1);
}

/* -- memory */

static uint64_t pattern(long me, long page, long word)
{
    return mixed((uint64_t)(me << 20 | page), 0) + (uint64_t)word * 0x9E3779B97F4A7C15u;
}

static void fill(uint64_t *memory, long me)
{
    for (long page = 0; page < pages; page++)
        for (long word = PATTERN; word < PAGE_WORDS; word++)
            memory[page * PAGE_WORDS + word] = pattern(me, page, word);
}

/* Look at some words of a page, other ones each time, and note that one has been there. */
static void visit(uint64_t *words, long me, long page, uint64_t times)
{
    long wrong = words[VISITS] != times;

    for (uint64_t i = 0; i < SAMPLES; i++) {
        long word = PATTERN + (long)(mixed(times, i) % (PAGE_WORDS - PATTERN));
        wrong += words[word] != pattern(me, page, word);
    }
    words[VISITS] = times + 1;
    if (wrong)
        count(&board->wrong_words, wrong);
}

static void check_pages(const uint64_t *memory, long me, const uint64_t *visits)
{
    for (long page = 0; page < pages; page++) {
        const uint64_t *words = memory + page * PAGE_WORDS;
        long wrong = words[VISITS] != visits[page];

        for (long word = PATTERN; word < PAGE_WORDS; word++)
            wrong += words[word] != pattern(me, page, word);
        if (wrong)
            count(&board->wrong_pages, 1);
    }
}

/* -- gates: all wait there for all */

enum gate { START, END, GATES };

static int arrivals[2], gates[GATES][2]; /* pipes */

static void make_gates(void)
{
    if (pipe(arrivals) < 0 || pipe(gates[START]) < 0 || pipe(gates[END]) < 0)
        err(1, "pipe");
}

/* Wait until the first process has counted all, and has closed the only end that can be written. */
static void arrive(enum gate gate)
{
    char nothing = 0;

    if (write(arrivals[1], &nothing, 1) != 1 || read(gates[gate][0], &nothing, 1) != 0)
        err(1, "gate %d", gate);
}

static void open_gate(enum gate gate)
{
    char some[64];

    for (long left = processes; left;) {
        long came = read(arrivals[0], some, (size_t)(left < 64 ? left : 64));
        if (came <= 0)
            errx(1, "%ld processes of %ld did not come to gate %d", left, processes, gate);
        left -= came;
    }
    close(gates[gate][1]);
}

/* -- one process */

struct work {
    long me, owed;          /* from so many ports something has still to come */
    short from[MOST_PORTS]; /* those ports, the one that is tried next at the end */
    uint64_t visits[MOST_PAGES];
    uint64_t *memory;
};

/* Wait for a message of some port that owes one; return whether it came. */
static int receive(struct work *work, uint64_t *page)
{
    struct message *letter = (struct message *)(page + LETTER);
    long from = work->from[work->owed - 1];
    long size = ipc_receive(port[from], letter, sizeof *letter, PATIENCE);

    if (size < 0) {
        if (errno != ETIMEDOUT)
            err(1, "ipc_receive from port %d", port[from]);
        count(&board->impatient, 1);
        short *first = work->from; /* it goes behind the others */
        for (long i = work->owed - 1; i > 0; i--)
            first[i] = first[i - 1];
        first[0] = (short)from;
        return 0;
    }
    check_message(letter, from, size);
    count(&board->received, 1);
    work->owed--;
    return 1;
}

static void send(struct work *work, uint64_t *page, long step)
{
    struct message *draft = (struct message *)(page + DRAFT);
    long to = target(work->me, step);

    write_message(draft, work->me, to, step);
    while (ipc_send(port[to], draft, sizeof *draft) < 0) {
        if (errno != EAGAIN)
            err(1, "ipc_send to port %d", port[to]);
        count(&board->refused, 1);
        if (work->owed)
            receive(work, page);
        else
            sched_yield();
    }
    count(&board->sent, 1);
}

static void exchange(struct work *work)
{
    for (long step = 0; step < ports; step++) {
        long page = step / every % pages;
        uint64_t *words = work->memory + page * PAGE_WORDS;

        if (step % every == 0)
            visit(words, work->me, page, work->visits[page]++);
        send(work, words, step);
        if (work->owed)
            receive(work, words);
    }
    for (long page = 0, in_vain = 0; work->owed && in_vain < GIVE_UP; page = (page + 1) % pages)
        in_vain = receive(work, work->memory + page * PAGE_WORDS) ? 0 : in_vain + 1;
}

static int participate(long me)
{
    struct work work = { .me = me, .owed = ports };
    size_t size = (size_t)pages * PAGE_WORDS * sizeof(uint64_t);

    work.memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (work.memory == MAP_FAILED)
        err(1, "mmap of %zu bytes", size);
    for (long i = 0; i < ports; i++)
        work.from[i] = (short)((me * 7 + i) % ports);
    fill(work.memory, me);
    arrive(START);
    exchange(&work);
    arrive(END);
    check_pages(work.memory, me, work.visits);
    return 0;
}

/* -- all of them */

static void options(int argc, char *argv[])
{
    for (int option; (option = getopt(argc, argv, "n:p:w:e:")) != -1;) {
        long *value = option == 'n'   ? &processes
                      : option == 'p' ? &ports
                      : option == 'w' ? &pages
                      : option == 'e' ? &every
                                      : NULL;
        if (!value)
            exit(1);
        *value = atol(optarg);
    }
    if (processes < 1 || ports < 1 || ports > MOST_PORTS || pages < 1 || pages > MOST_PAGES ||
        every < 1)
        errx(1, "expected 1 to %d ports, 1 to %d pages, and something of all else", MOST_PORTS,
             MOST_PAGES);
}

static void start_all(void)
{
    for (long me = 0; me < processes; me++) {
        pid_t pid = fork();
        if (pid < 0)
            err(1, "fork of process %ld", me);
        if (pid == 0) {
            close(gates[START][1]);
            close(gates[END][1]);
            _exit(participate(me));
        }
    }
    close(arrivals[1]); /* so that reading ends if they do */
}

static long failed(void)
{
    long count = 0;

    for (int status; wait(&status) > 0;)
        count += status != 0;
    return count;
}

static long lost(void)
{
    long count = 0;

    for (long number = 0; number < processes * ports; number++)
        count += !(board->seen[number / 64] >> number % 64 & 1);
    return count;
}

int main(int argc, char *argv[])
{
    options(argc, argv);
    board = shared(sizeof *board + (size_t)(processes * ports + 63) / 64 * 8);
    for (long i = 0; i < ports; i++)
        if ((port[i] = ipc_port_create()) < 0)
            err(1, "ipc_port_create");
    make_gates();
    start_all();
    open_gate(START);
    open_gate(END);
    long bad = failed(), missing = lost();
    printf("%ld processes, %ld ports: %ld sent, %ld received\n", processes, ports, board->sent,
           board->received);
    printf("%ld lost, %ld twice, %ld damaged, %ld processes failed\n", missing, board->twice,
           board->damaged, bad);
    printf("%ld pages, %ld wrong, %ld wrong words on the way\n", processes * pages,
           board->wrong_pages, board->wrong_words);
    fprintf(stderr, "%ld times a port was full, %ld times one came too late\n", board->refused,
            board->impatient);
    return missing || bad || board->twice || board->damaged || board->wrong_pages ||
           board->wrong_words || board->sent != processes * ports || board->received != board->sent;
}
