"""Command lines that the user programs and busybox must answer alike.

A case runs in a folder with the files of `FILES`. The same table serves for running the programs in
the machine: what they print there must be what they print here.
"""

from __future__ import annotations

from typing import NamedTuple

FILES = {
    "empty": "",
    "words": "pear apple\nfig\n\nplum  fig\tkiwi\napple\nApple 10\nbanana 9\nbanana\n",
    "numbers": "10\n9\n-3\n100\n9\n0.5\n",
    "table": "root:x:0:0\nbin:y:1:2\nno fields here\nlast:z:7:7",
    "long": "".join(f"line {n}\n" for n in range(1, 31)),
    "binary": "".join(map(chr, range(128))) * 2 + "\0" * 100 + "end",
    "dir/inner/deep": "deep\n",
    "dir/one": "1\n",
    "dir/.hidden": "h\n",
}


class Case(NamedTuple):
    """A command line for the shell of the host, and what goes into its standard input."""

    command: str
    stdin: str = ""


def cases() -> list[Case]:
    """Return all cases."""
    return [Case(*row.partition(" <<< ")[::2]) for row in _ROWS.strip().splitlines()]


# COMMAND, or COMMAND <<< what it reads. `ls -l` has times and owners in it: see test_bin.py.
_ROWS = r"""
basename /a/b/c.txt .txt
basename /a/b/
basename /
basename .txt .txt
cat
cat <<< standard input
cat words - empty <<< in the middle
cat missing words
chmod 600 words && ls -l words | cut -c1-10
chmod u+x,go-r words && ls -l words | cut -c1-10
chmod a=rx,u+w words && ls -l words | cut -c1-10
cp words copy && cat copy
cp words dir && cat dir/words
cp -r dir new && ls -aR new
cp dir new
cp missing new
cp words words
cut -d: -f1 table
cut -d: -f2,4- table
cut -d: -s -f-2 table
cut -c1,3-5 words
date -u -d @0
date -u -d @951782400 +%Y-%m-%dT%H:%M:%S.%j.%a
dirname /a/b/c
dirname a
dirname /a
dirname a/
env echo
env echo a  b 'c  d'
env echo -n no newline
env echo -e 'tab\there\nnext\0101\\'
env echo -e 'stop\c here'
env echo -x -n
env -i A=1 B=2 env
env -i sh -c 'echo $0'
env false
grep a words
grep -v a words
grep -n fig words
grep -c a words
grep -i apple words
grep -F . numbers
grep '^$' words
grep '^b.*[0-9]$' words
grep 'p\{1\}' empty
grep '[[:digit:]]' words
grep '[^a-z]' numbers
grep -x apple words
grep -l apple words table
grep -q apple words
grep -q nothing words
grep apple words table
grep -h apple words table
grep -r deep dir
grep x <<< axb
grep 'a*b' <<< aaab
grep -e '-3' numbers
head words
head -n 2 words
head -3 long
head -c 5 words
head -n 1 words table
head -n 0 words
hexdump -C binary
hexdump -C empty
hexdump -C -n 20 -s 3 binary
env kill
env kill -l 15
env kill -0 1 && echo there
ln words link && cat link
ln -s words soft && readlink soft && cat soft
ln -s words words
ln -sf table soft && readlink soft
ls
ls -a
ls -A
ls -1 dir words
ls -R
ls -aR dir
ls -F
ls -d dir words
ls -r
ls -S words long empty
ls missing
ls missing words
mkdir one two && ls
mkdir dir
mkdir -p a/b/c a/b/c && ls -R a
mkdir missing/a
mv words moved && ls
mv words dir && ls dir
mv missing there
mv words long table dir && ls dir
env printf '%s-%d\n' a 1 b 2
env printf '%5s|%-5s|%05d|%x|%o|%c\n' a b 42 255 8 xyz
env printf 'x\ty\101\n'
env printf '%b' 'a\nb\n'
env printf '%s\n'
env printf '%d\n' 0x10
env printf '%.2f %e %g\n' 3.14159 12345.678 0.0001
env printf 'no newline %%'
env pwd | grep -c /
readlink words
rm words && ls
rm dir
rm -r dir && ls
rm -rf dir missing && ls
rm missing
rm -f missing
rmdir dir
mkdir e && rmdir e && ls
seq 5
seq 2 5
seq 10 -3 1
seq 5 1
seq -w 8 11
seq -s , 3
seq 0 0.5 2
sleep 0
sort words
sort -r words
sort -n numbers
sort -rn numbers
sort -u words
sort -f words
sort -t: -k2 table
sort -k2 words
sort words numbers
sort <<< one line
tail words
tail -n 2 long
tail -3 long
tail -n +29 long
tail -c 7 long
tail -n 1 table
tail -n 1 words table
tail -n 0 words
tail <<< short
tee out <<< copied
tee out <<< copied && cat out
tee -a words < numbers && cat words
env test
env test a
env test a = a
env test a = b
env test -f words
env test -d words
env test -d dir -a -f words
env test ! -e missing
env test -s empty
env test 3 -gt 20
env test 3 -lt 20
env test -n ''
env test '(' a = a ')'
env test a -eq 1
touch fresh && ls
touch -c missing && ls
tr a-z A-Z < words
tr -d aeiou < words
tr -s 'p\n' < words
tr -cd '[:alpha:]\n' < words
tr '[:lower:]' '[:upper:]' < words
tr ab x < words
env true
uname
uname -sm
uniq words
sort words | uniq -c
sort words | uniq -d
sort words | uniq -u
wc words
wc -l words
wc -w words
wc -c words
wc -lc words
wc words long
wc < words
wc missing
wc empty
find | sort
find dir -name '*e*' | sort
find . -type d | sort
find dir -maxdepth 1 -type f | sort
find dir missing -empty
find . -type f -empty
xargs <<< a 'b c' d\\ e
xargs -n 2 echo + <<< 1 2 3 4 5
xargs -I {} echo '<{}>' {} < words
xargs -r echo none < empty
xargs echo none < empty
xargs false <<< x
xargs nosuchprogram <<< x
id -u
id -g
id -un
which cat nosuchprogram | wc -l
cmp words words
cmp words numbers
cmp words table
cmp -s words table
cmp empty words
yes | head -n 3
yes a b | head -n 2
"""
