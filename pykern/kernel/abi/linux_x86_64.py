"""System calls of Linux on x86-64, for programs that enter the kernel by SYSCALL.

Number in RAX; arguments in RDI, RSI, RDX, R10, R8 and R9; the result in RAX, where -4095 to -1 is a
negated error number. RCX and R11 are lost. Argument names are those of the Linux manual pages.

References
----------
x86-64 psABI, Linux Conventions; Linux, arch/x86/entry/syscalls/syscall_64.tbl.
"""

from __future__ import annotations

from pykern.kernel.abi.calls import parse

GATE = "syscall"
ARGUMENT_REGISTERS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")

CALLS = parse("""
  0 read                     fd buf count
  1 write                    fd buf count
  2 open                     pathname flags mode
  3 close                    fd
  4 stat                     pathname statbuf
  5 fstat                    fd statbuf
  6 lstat                    pathname statbuf
  7 poll                     fds nfds timeout
  8 lseek                    fd offset whence
  9 mmap                     addr length prot flags fd offset
 10 mprotect                 addr length prot
 11 munmap                   addr length
 12 brk                      addr
 13 rt_sigaction             signum act oldact sigsetsize
 14 rt_sigprocmask           how set oldset sigsetsize
 15 rt_sigreturn
 16 ioctl                    fd request argp
 17 pread64                  fd buf count offset
 18 pwrite64                 fd buf count offset
 19 readv                    fd iov iovcnt
 20 writev                   fd iov iovcnt
 21 access                   pathname mode
 22 pipe                     pipefd
 23 select                   nfds readfds writefds exceptfds timeout
 24 sched_yield
 25 mremap                   old_address old_size new_size flags new_address
 26 msync                    addr length flags
 27 mincore                  addr length vec
 28 madvise                  addr length advice
 32 dup                      oldfd
 33 dup2                     oldfd newfd
 34 pause
 35 nanosleep                duration rem
 36 getitimer                which curr_value
 37 alarm                    seconds
 38 setitimer                which new_value old_value
 39 getpid
 40 sendfile                 out_fd in_fd offset count
 41 socket                   domain type protocol
 42 connect                  sockfd addr addrlen
 43 accept                   sockfd addr addrlen
 44 sendto                   sockfd buf len flags dest_addr addrlen
 45 recvfrom                 sockfd buf len flags src_addr addrlen
 46 sendmsg                  sockfd msg flags
 47 recvmsg                  sockfd msg flags
 48 shutdown                 sockfd how
 49 bind                     sockfd addr addrlen
 50 listen                   sockfd backlog
 51 getsockname              sockfd addr addrlen
 52 getpeername              sockfd addr addrlen
 53 socketpair               domain type protocol sv
 54 setsockopt               sockfd level optname optval optlen
 55 getsockopt               sockfd level optname optval optlen
 56 clone                    flags stack parent_tid child_tid tls
 57 fork
 58 vfork
 59 execve                   pathname argv envp
 60 exit                     status
 61 wait4                    pid wstatus options rusage
 62 kill                     pid sig
 63 uname                    buf
 72 fcntl                    fd cmd arg
 73 flock                    fd operation
 74 fsync                    fd
 75 fdatasync                fd
 76 truncate                 path length
 77 ftruncate                fd length
 78 getdents                 fd dirp count
 79 getcwd                   buf size
 80 chdir                    path
 81 fchdir                   fd
 82 rename                   oldpath newpath
 83 mkdir                    pathname mode
 84 rmdir                    pathname
 85 creat                    pathname mode
 86 link                     oldpath newpath
 87 unlink                   pathname
 88 symlink                  target linkpath
 89 readlink                 pathname buf bufsiz
 90 chmod                    pathname mode
 91 fchmod                   fd mode
 92 chown                    pathname owner group
 93 fchown                   fd owner group
 94 lchown                   pathname owner group
 95 umask                    mask
 96 gettimeofday             tv tz
 97 getrlimit                resource rlim
 98 getrusage                who usage
 99 sysinfo                  info
100 times                    buf
101 ptrace                   request pid addr data
102 getuid
103 syslog                   type bufp len
104 getgid
105 setuid                   uid
106 setgid                   gid
107 geteuid
108 getegid
109 setpgid                  pid pgid
110 getppid
111 getpgrp
112 setsid
113 setreuid                 ruid euid
114 setregid                 rgid egid
115 getgroups                size list
116 setgroups                size list
117 setresuid                ruid euid suid
118 getresuid                ruid euid suid
119 setresgid                rgid egid sgid
120 getresgid                rgid egid sgid
121 getpgid                  pid
122 setfsuid                 uid
123 setfsgid                 gid
124 getsid                   pid
125 capget                   hdrp datap
126 capset                   hdrp datap
127 rt_sigpending            set sigsetsize
128 rt_sigtimedwait          set info timeout sigsetsize
129 rt_sigqueueinfo          tgid sig info
130 rt_sigsuspend            mask sigsetsize
131 sigaltstack              ss old_ss
132 utime                    filename times
133 mknod                    pathname mode dev
135 personality              persona
137 statfs                   path buf
138 fstatfs                  fd buf
140 getpriority              which who
141 setpriority              which who prio
142 sched_setparam           pid param
143 sched_getparam           pid param
144 sched_setscheduler       pid policy param
145 sched_getscheduler       pid
146 sched_get_priority_max   policy
147 sched_get_priority_min   policy
148 sched_rr_get_interval    pid tp
149 mlock                    addr len
150 munlock                  addr len
151 mlockall                 flags
152 munlockall
157 prctl                    option arg2 arg3 arg4 arg5
158 arch_prctl               code addr
160 setrlimit                resource rlim
161 chroot                   path
162 sync
164 settimeofday             tv tz
165 mount                    source target filesystemtype mountflags data
166 umount2                  target flags
169 reboot                   magic magic2 cmd arg
170 sethostname              name len
171 setdomainname            name len
186 gettid
187 readahead                fd offset count
200 tkill                    tid sig
201 time                     tloc
202 futex                    uaddr futex_op val timeout uaddr2 val3
203 sched_setaffinity        pid cpusetsize mask
204 sched_getaffinity        pid cpusetsize mask
213 epoll_create             size
217 getdents64               fd dirp count
218 set_tid_address          tidptr
219 restart_syscall
221 fadvise64                fd offset len advice
222 timer_create             clockid sevp timerid
223 timer_settime            timerid flags new_value old_value
224 timer_gettime            timerid curr_value
225 timer_getoverrun         timerid
226 timer_delete             timerid
227 clock_settime            clockid tp
228 clock_gettime            clockid tp
229 clock_getres             clockid res
230 clock_nanosleep          clockid flags request remain
231 exit_group               status
232 epoll_wait               epfd events maxevents timeout
233 epoll_ctl                epfd op fd event
234 tgkill                   tgid tid sig
235 utimes                   filename times
247 waitid                   which upid infop options ru
251 ioprio_set               which who ioprio
252 ioprio_get               which who
253 inotify_init
254 inotify_add_watch        fd pathname mask
255 inotify_rm_watch         fd wd
257 openat                   dirfd pathname flags mode
258 mkdirat                  dirfd pathname mode
259 mknodat                  dirfd pathname mode dev
260 fchownat                 dirfd pathname owner group flags
261 futimesat                dirfd pathname times
262 newfstatat               dirfd pathname statbuf flags
263 unlinkat                 dirfd pathname flags
264 renameat                 olddirfd oldpath newdirfd newpath
265 linkat                   olddirfd oldpath newdirfd newpath flags
266 symlinkat                target newdirfd linkpath
267 readlinkat               dirfd pathname buf bufsiz
268 fchmodat                 dirfd pathname mode
269 faccessat                dirfd pathname mode
270 pselect6                 nfds readfds writefds exceptfds timeout sigmask
271 ppoll                    fds nfds tmo_p sigmask sigsetsize
273 set_robust_list          head len
274 get_robust_list          pid head_ptr len_ptr
275 splice                   fd_in off_in fd_out off_out len flags
276 tee                      fd_in fd_out len flags
277 sync_file_range          fd offset nbytes flags
278 vmsplice                 fd iov nr_segs flags
280 utimensat                dirfd pathname times flags
281 epoll_pwait              epfd events maxevents timeout sigmask sigsetsize
282 signalfd                 fd mask sizemask
283 timerfd_create           clockid flags
284 eventfd                  initval
285 fallocate                fd mode offset len
286 timerfd_settime          fd flags new_value old_value
287 timerfd_gettime          fd curr_value
288 accept4                  sockfd addr addrlen flags
289 signalfd4                fd mask sizemask flags
290 eventfd2                 initval flags
291 epoll_create1            flags
292 dup3                     oldfd newfd flags
293 pipe2                    pipefd flags
294 inotify_init1            flags
295 preadv                   fd iov iovcnt pos_l pos_h
296 pwritev                  fd iov iovcnt pos_l pos_h
297 rt_tgsigqueueinfo        tgid tid sig info
299 recvmmsg                 sockfd msgvec vlen flags timeout
302 prlimit64                pid resource new_limit old_limit
306 syncfs                   fd
307 sendmmsg                 sockfd msgvec vlen flags
309 getcpu                   cpu node tcache
316 renameat2                olddirfd oldpath newdirfd newpath flags
318 getrandom                buf buflen flags
319 memfd_create             name flags
322 execveat                 dirfd pathname argv envp flags
324 membarrier               cmd flags cpu_id
325 mlock2                   addr len flags
326 copy_file_range          fd_in off_in fd_out off_out len flags
327 preadv2                  fd iov iovcnt pos_l pos_h flags
328 pwritev2                 fd iov iovcnt pos_l pos_h flags
332 statx                    dirfd pathname flags mask statxbuf
334 rseq                     rseq rseq_len flags sig
424 pidfd_send_signal        pidfd sig info flags
434 pidfd_open               pid flags
435 clone3                   cl_args size
436 close_range              first last flags
437 openat2                  dirfd pathname how size
438 pidfd_getfd              pidfd targetfd flags
439 faccessat2               dirfd pathname mode flags
452 fchmodat2                dirfd pathname mode flags
""")
