"""Programs that use files in every way: the same output on host Linux and in pykern."""

from __future__ import annotations

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
