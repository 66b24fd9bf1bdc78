/* System calls about the whole system, and those of pykern only. */
#include <sched.h>
#include <pykern.h>
#include <sys/klog.h>
#include <sys/reboot.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <syscall.h>

/* Linux, reboot(2): numbers that nobody passes by accident. */
#define REBOOT_MAGIC1 0xfee1dead
#define REBOOT_MAGIC2 672274793

int uname(struct utsname *name)
{
    return syscall_result(sys_uname(name));
}

int sysinfo(struct sysinfo *info)
{
    return syscall_result(sys_sysinfo(info));
}

int reboot(int command)
{
    return syscall_result(sys_reboot(REBOOT_MAGIC1, REBOOT_MAGIC2, command, 0));
}

int klogctl(int action, char *buf, int size)
{
    return syscall_result(sys_syslog(action, buf, size));
}

int getcpu(unsigned *cpu, unsigned *node)
{
    return syscall_result(sys_getcpu(cpu, node, 0));
}

int ipc_port_create(void)
{
    return syscall_result(sys_ipc_port_create(0));
}

int ipc_port_close(int port)
{
    return syscall_result(sys_ipc_port_close(port));
}

int sched_yield(void)
{
    return syscall_result(sys_sched_yield());
}

int ipc_send(int port, const void *buf, size_t len)
{
    return syscall_result(sys_ipc_send(port, buf, len));
}

long ipc_receive(int port, void *buf, size_t len, int64_t timeout_ns)
{
    return syscall_result(sys_ipc_receive(port, buf, len, timeout_ns));
}

long metrics(char *buf, size_t len)
{
    return syscall_result(sys_metrics(buf, len));
}
