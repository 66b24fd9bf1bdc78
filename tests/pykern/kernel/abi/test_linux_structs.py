"""Structures of Linux, read by a C program that has them from the C library."""

import subprocess

import pytest

from pykern.kernel.abi.linux_structs import pack_stat, pack_statfs, pack_statx
from pykern.kernel.fs.stat import Stat, StatFs

SOURCE = r"""
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
int main(int argc, char **argv)
{
    static char raw[4096];
    size_t size = fread(raw, 1, sizeof raw, stdin);
    struct stat s;
    struct statx x;
    struct statfs f;
    memcpy(&s, raw, sizeof s), memcpy(&x, raw, sizeof x), memcpy(&f, raw, sizeof f);
    switch (argv[argc - 1][0]) {
    case 's':
        printf("%d %ld %ld %ld %o %d %d %ld %ld %ld %ld %ld.%ld %ld.%ld %ld.%ld\n",
            size == sizeof s, s.st_dev, s.st_ino, s.st_nlink, s.st_mode, s.st_uid,
            s.st_gid, s.st_rdev, s.st_size,
            s.st_blksize, s.st_blocks, s.st_atim.tv_sec, s.st_atim.tv_nsec, s.st_mtim.tv_sec,
            s.st_mtim.tv_nsec, s.st_ctim.tv_sec, s.st_ctim.tv_nsec);
        break;
    case 'x':
        printf("%d %d %lld %d %o %d %d %d %lld %d %lld %lld.%d %lld.%d %lld.%d\n",
            size == sizeof x, (int)makedev(x.stx_dev_major, x.stx_dev_minor), x.stx_ino,
            x.stx_nlink, x.stx_mode,
            x.stx_uid, x.stx_gid, (int)makedev(x.stx_rdev_major, x.stx_rdev_minor), x.stx_size,
            x.stx_blksize, x.stx_blocks, x.stx_atime.tv_sec, x.stx_atime.tv_nsec,
            x.stx_mtime.tv_sec, x.stx_mtime.tv_nsec, x.stx_ctime.tv_sec, x.stx_ctime.tv_nsec);
        break;
    default:
        printf("%d %lx %ld %ld %ld %ld %ld %ld %ld\n", size == sizeof f, f.f_type, f.f_bsize,
            f.f_blocks, f.f_bfree, f.f_bavail, f.f_files, f.f_ffree, f.f_namelen);
    }
    return 0;
}
"""


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    program = tmp_path_factory.mktemp("structs") / "reader"
    command = ["gcc", "-w", "-x", "c", "-", "-o", str(program)]
    subprocess.run(command, input=SOURCE, text=True, check=True)

    def read(kind, raw):
        done = subprocess.run([program, kind], input=raw, capture_output=True, check=True)
        return done.stdout.decode().strip()

    return read


STAT = Stat(
    dev=0x803, ino=5, mode=0o100640, nlink=2, uid=3, gid=4, rdev=0x501, size=12345, blksize=4096,
    blocks=24, atime_ns=1_000_000_007, mtime_ns=2_000_000_008, ctime_ns=3_000_000_009,
)  # fmt: skip


def test_stat(reader):
    assert reader("s", pack_stat(STAT)) == ("1 2051 5 2 100640 3 4 1281 12345 4096 24 1.7 2.8 3.9")


def test_statx(reader):
    assert reader("x", pack_statx(STAT)) == ("1 2051 5 2 100640 3 4 1281 12345 4096 24 1.7 2.8 3.9")


def test_statfs(reader):
    fs = StatFs(
        type=0x1021994, bsize=4096, blocks=100, bfree=50, bavail=40, files=30, ffree=20,
        fsid=1, namelen=255, flags=0,
    )  # fmt: skip
    assert reader("f", pack_statfs(fs)) == "1 1021994 4096 100 50 40 30 20 255"
