"""Programs that use files in every way: the same output on host Linux and in pykern."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.pykern.kernel import hosted


@pytest.mark.parametrize("cpus", [1, 2])
def test_files_locks_events_and_terminals_are_those_of_linux(on_both, cpus):
    """MEL-51: content, names, locks, epoll, eventfd, timerfd, pseudo-terminals."""
    expected, found = on_both("files.c", cpus=cpus)
    assert found.stdout.decode().splitlines() == expected.stdout.decode().splitlines()
    assert found.status == expected.status == 0


@pytest.mark.parametrize("cpus", [1, 2])
def test_bytes_go_from_file_to_file_as_in_linux(on_both, cpus):
    """MEL-51: sendfile, splice, copy_file_range, fallocate, openat2, times, the older getdents."""
    expected, found = on_both("transfer.c", cpus=cpus)
    assert found.stdout.decode().splitlines() == expected.stdout.decode().splitlines()
    assert found.status == expected.status == 0


@pytest.mark.parametrize("cpus", [1, 2])
def test_who_watches_hears_what_linux_tells(on_both, cpus):
    """MEL-51: inotify: kinds and order of events, names, numbers of moves."""
    expected, found = on_both("watches.c", cpus=cpus)
    assert found.stdout.decode().splitlines() == expected.stdout.decode().splitlines()
    assert found.status == expected.status == 0


@pytest.mark.parametrize("cpus", [1, 2])
def test_sockets_are_those_of_linux(on_both, cpus):
    """MEL-51: streams, datagrams, packets, names, options, files and credentials in messages."""
    expected, found = on_both("sockets.c", files={"data": b"no socket"}, cpus=cpus)
    assert found.stdout.decode().splitlines() == expected.stdout.decode().splitlines()
    assert found.status == expected.status == 0


# Without a PATH, so that both use the applets of busybox.
SCRIPT = r"""
PATH=/none
mkdir -p tree/one/two && cd tree
seq 1 2000 > numbers && cp numbers copy
ln -s ../numbers one/link; ln numbers one/hard; mkfifo pipe
find . -type f | sort | while read f; do stat -c '%n %s %h %f' $f; done
tail -n 3 < one/link; head -c 10 one/hard | hexdump -C
(cat numbers > pipe &) ; md5sum < pipe
tar cf - . 2>/dev/null | tar tf - | sort
dd if=/dev/zero of=sparse bs=1k count=1 seek=5000 2>/dev/null; stat -c '%s %b' sparse
sed -n '100,110p' numbers | awk '{s+=$1} END {print s}'
mv one/two one/three; rmdir one/three one 2>&1 | sed 's/.*: //'
chmod 640 numbers; touch -d '2001-02-03 04:05:06' numbers
ls -l numbers | cut -c1-10; date -r numbers -u
echo x >> one/hard; wc -l numbers; rm -r one; cat one/link 2>&1 | sed 's/.*: //'
test -p pipe && test -s numbers && test ! -e one && echo kept
echo stdin | cat /dev/stdin /proc/self/fd/0 </dev/null; readlink /proc/self/cwd | sed 's/.*\///'
set -o pipefail; yes | head -n 2; echo $?
ulimit -n 5; exec 3<numbers; exec 4<numbers 2>/dev/null; exec 5<numbers; echo never
"""


@pytest.mark.parametrize("cpus", [1, 2])
def test_a_shell_script_of_busybox_does_what_it_does_on_linux(kernel_image, cpus):
    """MEL-51: a stock program, which nobody has built for this kernel."""
    where = shutil.which("busybox")
    if where is None:
        pytest.skip("no busybox on this host")
    program, arguments = Path(where), [where, "sh", "-c", SCRIPT]
    expected = hosted.on_host(program, arguments, {})
    made = hosted.batch(kernel_image, [arguments], {where: program.read_bytes()}, {}, cpus=cpus)
    found = hosted.results(made.run(), 1)[0]
    assert found.stdout.decode().splitlines() == expected.stdout.decode().splitlines()
    assert found.status == expected.status


# Applets that use identity, limits, scheduling classes, personality, sockets.
APPLETS = r"""
PATH=/none
exec 2>&1
umask 022
renice -n 3 -p $$ >/dev/null; nice
taskset -p 1 $$ | sed 's/pid [0-9]*/pid N/' | tail -n 1
setpriv --nnp sh -c 'grep NoNewPrivs /proc/self/status'
ionice -p $$; ionice -c 2 -n 3 ionice
linux32 uname -m; linux64 uname -m
timeout 1 sleep 5; echo timeout $?
timeout -s KILL 1 sleep 5; echo timeout $?
setsid sh -c 'test $(cut -d" " -f6 /proc/self/stat) != 0 && echo session'
touch a; chown 12:34 a; stat -c '%u %g' a; chmod 4755 a; stat -c %a a; chown 1 a; stat -c %a a
fallocate -l 10000 big; stat -c %s big; shred -n 1 -z big; md5sum < big; truncate -s 5 big
stat -c %s big; sync; ulimit -a | grep -c .; ulimit -n 100; ulimit -n; (ulimit -s 1024; ulimit -s)
trap 'echo got USR1' USR1; kill -USR1 $$; trap - USR1
sh -c 'kill -34 $$; echo never'; echo $?
sleep 100 & kill -STOP $!; kill -CONT $!; kill $!; wait $!; echo $?
grep -E '^(Uid|Gid|Threads|SigBlk)' /proc/self/status
uptime | grep -c 'load average'; mknod null c 1 3; echo x > null; stat -c '%F %t %T' null
chroot / /usr/bin/busybox echo rooted; umask 077; touch private; stat -c %a private
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="the host lets only user 0 give files away")
@pytest.mark.parametrize("cpus", [1, 2])
def test_applets_that_are_about_who_and_how_urgent(kernel_image, cpus):
    """MEL-47, MEL-51: as Debian has built them."""
    where = shutil.which("busybox")
    if where is None:
        pytest.skip("no busybox on this host")
    program, arguments = Path(where), [where, "sh", "-c", APPLETS]
    expected = hosted.on_host(program, arguments, {})
    made = hosted.batch(kernel_image, [arguments], {where: program.read_bytes()}, {}, cpus=cpus)
    found = hosted.results(made.run(), 1)[0]
    assert found.stdout.decode().splitlines() == expected.stdout.decode().splitlines()
    assert found.status == expected.status


def test_a_system_log_that_hears_through_a_socket(kernel_image):
    """MEL-51: syslogd of busybox is bound to /dev/log, logger of busybox sends to it."""
    where = shutil.which("busybox")
    if where is None:
        pytest.skip("no busybox on this host")
    script = (
        "B=/usr/bin/busybox; $B syslogd -n -O /work/log & p=$!;"
        " while ! test -S /dev/log; do $B usleep 1000; done;"
        " $B logger -t tester one; echo two | $B logger -t tester -p user.err;"
        " while ! $B grep -q two /work/log; do $B usleep 1000; done; kill $p;"
        " $B sed -n 's/.* \\([a-z]*\\.[a-z]* tester\\)/\\1/p' /work/log"
    )
    arguments = [where, "sh", "-c", script]
    made = hosted.batch(kernel_image, [arguments], {where: Path(where).read_bytes()}, {}, cpus=2)
    assert hosted.results(made.run(), 1)[0].stdout == (
        b"user.notice tester: one\nuser.err tester: two\n"
    )
