"""Debian's static busybox in pykern and on host Linux: the same scripts, the same output."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.pykern.kernel import hosted

FILES = {
    "words": b"pear\napple\nfig\napple\n\nbanana split\n",
    "numbers": "".join(f"{n} {n * n % 17}\n" for n in range(40)).encode(),
    "hello.sh": b'#!/usr/bin/busybox sh\necho "hello from $0: $# $1 $2"\nexit 9\n',
    "option.sh": b"#! /usr/bin/busybox   sed -n -e /a/p \nno\nyes a\n",
    "nested.sh": b"#!./hello.sh argument\n",
    "lost.sh": b"#!/nowhere/at/all\n",
}
SCRIPTS = (
    "echo one two; echo $((6 * 7)); printf '%05d|%-6s|%x\\n' 42 ab 255",
    "$B cat words numbers | $B wc; $B wc -l < words",
    "$B sort words; $B sort -u words; $B sort -rn -k2 numbers | $B head -5",
    "$B uniq -c words; $B sort words | $B uniq -d",
    "$B grep -n a words; $B grep -c '^$' words; $B grep -v e words; $B grep xyz words; echo $?",
    "$B sed -e 's/a/A/g' -e '/fig/d' words; $B sed -n '2,3p;$=' words",
    "$B awk '{ s += $2 } END { print NR, s, s / NR }' numbers; $B awk -F: '{print $1}' words",
    "$B cut -d' ' -f2 numbers | $B tr '\\n' ','; echo; $B tr a-z A-Z < words",
    "$B head -c 11 words; $B tail -n 2 numbers; $B tail -c 6 words",
    "$B md5sum words; $B sha256sum numbers; $B cksum words; $B od -An -tx1 words | $B head -2",
    "$B mkdir -p d/e/f; echo x > d/e/f/x; $B ln -s e d/link; $B find d | $B sort; $B ls -R d;"
    " $B rm -r d; $B ls d 2>/dev/null; echo $?",
    "$B cp words copy; $B cmp words copy; echo $?; echo more >> copy; $B cmp words copy; echo $?;"
    " $B mv copy other; $B ls -1 copy other 2>/dev/null; $B rm other",
    "$B touch t; $B chmod 640 t; $B stat -c '%a %s %F' t; $B chmod u+x,g-r t; $B stat -c %A t",
    "$B seq 1 3 10; $B seq 5 | $B tac; $B expr 3 '*' 4; $B expr abc : 'a.'; $B factor 1001 97",
    "for i in 1 2 3; do for j in a b; do echo $i$j; done; done | $B xargs -n 3 echo =",
    "f() { local x=$1; [ $x -le 1 ] && echo 1 && return; echo $((x * $(f $((x - 1))))); }; f 7",
    "x=abcdef; echo ${x#ab} ${x%ef} ${#x} ${x:2:2} ${y:-none} ${x/cd/XX}; set -- a 'b c' d;"
    ' for w in "$@"; do echo "<$w>"; done; shift; echo $#',
    "case hello in h*o) echo match;; *) echo none;; esac; while read a b; do echo $b:$a;"
    " done < numbers | $B head -4",
    "(exit 3); echo $?; ! true; echo $?; false || echo or; true && echo and; $B false; echo $?",
    "$B sh -c 'kill -TERM $$'; echo $?; $B sleep 0.05; trap 'echo trapped' USR1; kill -USR1 $$;"
    " trap 'echo bye' EXIT",
    "$B sleep 0.2 & p=$!; $B kill $p; wait $p; echo $?; (sleep 0.02; echo late) & wait; echo done",
    "$B cat <<A | $B rev\nhere $((1 + 1))\n`echo document`\nA\n$B cat <<'B'\n$literal\nB",
    "echo err >&2; echo out 2>&1 >/dev/null; exec 5>five; echo to five >&5; exec 5>&-; $B cat five",
    "$B tar cf a.tar words numbers; $B tar tf a.tar; $B rm -f words.gz; $B gzip -c words |"
    " $B gunzip -c | $B cmp - words; echo $?; $B tar xOf a.tar words | $B md5sum",
    "$B dd if=numbers of=part bs=10 skip=2 count=3 2>/dev/null; $B cat part; $B cp part p;"
    " $B truncate -s 5 p; $B wc -c p; $B hexdump -C p",
    "yes | $B head -1000 | $B wc -l; $B timeout 0.05 $B sleep 5; echo $?; $B nice $B echo nice",
    "$B env -i A=1 $B env; $B basename /a/b.c .c; $B dirname /a/b; $B readlink -f ./words |"
    " $B sed 's,.*/,,'",
    "$B diff words numbers | $B head -3; $B sort words > s; $B join s s | $B head -2;"
    " $B paste words numbers | $B head -2; $B comm -12 s s | $B wc -l; $B fold -w 3 words",
    "$B bc <<A\nscale=10\n4*a(1)\n2^100\nA",
    "./hello.sh x 'y z'; echo $?; ./option.sh; ./nested.sh q; echo $?",
    "./lost.sh 2>/dev/null; echo $?",
)


@pytest.fixture(scope="module")
def busybox():
    path = shutil.which("busybox")
    if path is None:
        pytest.skip("busybox is not installed")
    headers = subprocess.run(["readelf", "-l", path], capture_output=True, text=True, check=True)
    if "INTERP" in headers.stdout:
        pytest.skip("busybox is not static: install busybox-static")
    return Path(path).resolve()


def _command(busybox, script):
    return [str(busybox), "sh", "-c", f"B={busybox}; alias yes='$B yes'; {script}"]


@pytest.fixture(scope="module")
def in_pykern(kernel_image, busybox):
    """Return what all scripts did, each in a system of its own boot."""
    programs = {str(busybox): busybox.read_bytes()}

    def run(script):
        made = hosted.batch(kernel_image, [_command(busybox, script)], programs, FILES, cpus=2)
        return hosted.results(made.run(), 1)[0]

    return run


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_does_what_it_does_on_linux(busybox, in_pykern, script):
    """MEL-49, MEL-51: processes, pipes, files, signals, #! lines, by a program that is not ours."""
    expected = hosted.on_host(busybox, _command(busybox, script), FILES)
    found = in_pykern(script)
    assert found.stdout.decode() == expected.stdout.decode()
    assert found.status == expected.status
