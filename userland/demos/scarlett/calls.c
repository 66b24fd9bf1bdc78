/* calls: every system call does what it must, and refuses what it must (SCA-11, SCA-12). */
#include "lib/scarlett.h"

#define KERNEL_ADDRESS 0xffffffff80000000
#define PAGE 4096
#define LARGE 10000
#define PROT_READ_WRITE 3
#define MAP_PRIVATE_ANONYMOUS 0x22

int main(void);
static char out[LARGE], in[LARGE];
static volatile int counter, told;

static void check_io(void)
{
    check("0-12 have no 3", syscall3(3, 0, 0, 0) == -ENOSYS);
    check("nor 4", syscall3(4, 0, 0, 0) == -ENOSYS);
    check("nor 13", syscall3(13, 0, 0, 0) == -ENOSYS);
    check("nor 5000", syscall3(5000, 0, 0, 0) == -ENOSYS);
    check("nor -1", syscall3(-1, 0, 0, 0) == -ENOSYS);
    check("write returns its size", sys_write(STDOUT, "\n", 1) == 1);
    check("write refuses memory of the kernel", sys_write(STDOUT, KERNEL_ADDRESS, 1) == -EFAULT);
    check("read refuses memory of the kernel", sys_read(0, KERNEL_ADDRESS, 1) == -EFAULT);
    check("read of nothing is nothing", sys_read(0, in, 0) == 0);
}

static void count(void *argument)
{
    told = *(int *)argument;
    counter++;
}

static void exit_early(void *argument)
{
    (void)argument;
    counter += 10;
    sys_thread_exit(0);
    counter += 1000;
}

/* Yield; the processor and whoever ran meanwhile may have changed RAX, RCX and R11 alone. */
static int registers_are_kept(void)
{
    uint64_t rax = SYS_yield, rbx = 1, rdx = 2, rsi = 3, rdi = 4;
    register uint64_t r8 __asm__("r8") = 8, r9 __asm__("r9") = 9, r10 __asm__("r10") = 10;
    register uint64_t r12 __asm__("r12") = 12, r13 __asm__("r13") = 13;
    register uint64_t r14 __asm__("r14") = 14, r15 __asm__("r15") = 15;

    __asm__ volatile("syscall"
                     : "+a"(rax), "+b"(rbx), "+d"(rdx), "+S"(rsi), "+D"(rdi), "+r"(r8), "+r"(r9),
                       "+r"(r10), "+r"(r12), "+r"(r13), "+r"(r14), "+r"(r15)
                     :
                     : "rcx", "r11", "memory");
    return rax == 0 && rbx == 1 && rdx == 2 && rsi == 3 && rdi == 4 && r8 == 8 && r9 == 9 &&
           r10 == 10 && r12 == 12 && r13 == 13 && r14 == 14 && r15 == 15;
}

/* Where the next page would go. */
static long page(void)
{
    long at = sys_mmap(NULL, PAGE, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);

    sys_munmap((char *)at, PAGE);
    return at;
}

static void check_threads(void)
{
    int number = 42;
    struct thread one = {count, &number}, two = {exit_early, NULL};

    check("sleep comes back", sys_sleep(20) == 0);
    check("yield comes back", sys_yield() == 0);
    long first = start_thread(&one, NORMAL, "one"), second = start_thread(&two, NORMAL, "two");
    check("threads have tids of their own", first > 0 && second > 0 && first != second);
    check("a call keeps the registers", registers_are_kept());
    sys_sleep(20);
    check("both ran, the second not behind its exit", counter == 11);
    check("the argument came", told == number);
    long room = page();
    check("priority 128 is refused", start_thread(&one, 128, "high") == -EINVAL);
    check("and nothing ran", (sys_sleep(20), counter == 11));
    check("nor is a stack left", page() == room);
}

static void check_memory(void)
{
    long at = sys_mmap(NULL, 4 * PAGE, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
    char *memory = (char *)at;

    check("mmap finds room", at > 0);
    check("it is zero", !memory[0] && !memory[4 * PAGE - 1]);
    memory[PAGE] = 1;
    check("it keeps what is written", memory[PAGE] == 1);
    check("munmap takes it away", sys_munmap(memory, 4 * PAGE) == 0);
    check("for good", sys_write(STDOUT, memory, 1) == -EFAULT);
}

static void check_inline(long port)
{
    struct ipc_message message = {.type = IPC_MSG_DATA, .inline_data = "ping"}, got = {0};

    check("send", sys_ipc_send(port, &message) == 0);
    check("receive", sys_ipc_receive(port, &got) == INLINE_SIZE);
    check("what was sent", got.inline_data[0] == 'p' && got.inline_data[3] == 'g');
    check("of its type, from its sender",
          got.type == IPC_MSG_DATA && got.sender_tid == (uint64_t)sys_gettid());
    check("with a number", got.msg_id != 0);
    check("nothing more is there", sys_ipc_try_receive(port, &got) == -EAGAIN);
}

static void check_buffer(long port)
{
    struct ipc_message message = {.type = 77, .buffer = out, .buffer_size = LARGE};
    struct ipc_message got = {.buffer = in, .buffer_size = LARGE}, none = {0};

    for (int i = 0; i < LARGE; i++)
        out[i] = i % 251;
    check("send a buffer", sys_ipc_send(port, &message) == 0);
    check("no room for it", sys_ipc_receive(port, &none) == -EMSGSIZE);
    check("receive it", sys_ipc_receive(port, &got) == LARGE);
    int same = got.type == 77 && got.buffer_size == LARGE;
    for (int i = 0; i < LARGE; i++)
        same &= in[i] == out[i];
    check("all of it", same);
    got.buffer = (void *)KERNEL_ADDRESS;
    check("not into the kernel", sys_ipc_receive(port, &got) == -EFAULT);
    got.buffer = (void *)(long)main;
    check("nor into code", sys_ipc_receive(port, &got) == -EFAULT);
}

static long server_port;

static void serve(void *argument)
{
    struct ipc_message request = {0};

    (void)argument;
    sys_ipc_receive(server_port, &request);
    request.inline_data[0]++;
    sys_ipc_reply(request.msg_id, &request);
}

static void check_call(void)
{
    struct thread server = {serve, NULL};
    struct ipc_message request = {.inline_data = "a"}, response = {0};

    server_port = sys_ipc_create_port(0);
    start_thread(&server, NORMAL, "server");
    check("call waits for the reply", sys_ipc_call(server_port, &request, &response) == INLINE_SIZE);
    check("which is the server's", response.inline_data[0] == 'b');
    check("nobody waits for another", sys_ipc_reply(response.msg_id, &request) == -ESRCH);
}

static void check_rights(long port)
{
    struct ipc_message message = {0};

    check("a port of the kernel's is closed", sys_ipc_send(0, &message) == -EPERM);
    check("for receiving too", sys_ipc_receive(0, &message) == -EPERM);
    check("and for trying to", sys_ipc_try_receive(0, &message) == -EPERM);
    check("and for calls", sys_ipc_call(0, &message, &message) == -EPERM);
    check("what one has not, one cannot give", sys_ipc_grant(0, sys_getpid(), RIGHT_SEND) == -EPERM);
    check("what one has, one can", sys_ipc_grant(port, sys_getpid(), RIGHT_SEND) == 0);
    check("there is no right 8", sys_ipc_grant(port, sys_getpid(), 8) == -EINVAL);
}

int main(void)
{
    check_io();
    check_threads();
    check_memory();
    long port = sys_ipc_create_port(0);
    check("a port", port >= 0);
    check_inline(port);
    check_buffer(port);
    check_call();
    check_rights(port);
    print_number("calls: ", failures, " failures\n");
    return failures != 0;
}
