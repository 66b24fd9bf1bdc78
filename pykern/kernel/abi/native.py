"""System calls of pykern that Linux does not have, through the same gate as Linux's.

Their numbers start at 1000, far above Linux's, so a program that uses them still runs on Linux,
where they end with ENOSYS. Arguments and results are passed as in `linux_x86_64`.

| call | result | errors |
| --- | --- | --- |
| ipc_port_create | number of a free port, owned by the process | ENOSPC |
| ipc_port_close | 0; those who wait on the port get EPIPE | EBADF |
| ipc_send | 0; never waits | EBADF, EMSGSIZE, EAGAIN queue full, EFAULT |
| ipc_receive | size of the oldest message; waits for one | EBADF, EMSGSIZE, ETIMEDOUT, EFAULT |
| metrics | bytes of text written, one `name value` in a line | EFAULT |
"""

from __future__ import annotations

from pykern.kernel.abi.calls import parse

FIRST = 1000

CALLS = parse("""
1000 ipc_port_create flags
1001 ipc_port_close  port
1002 ipc_send        port buf len
1003 ipc_receive     port buf len timeout_ns
1004 metrics         buf len
""")
