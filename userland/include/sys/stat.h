#pragma once

#include <sys/types.h>
#include <time.h>

/* Linux, struct stat on x86-64. */
struct stat {
    uint64_t st_dev;
    uint64_t st_ino;
    uint64_t st_nlink;
    uint32_t st_mode;
    uint32_t st_uid;
    uint32_t st_gid;
    uint32_t padding;
    uint64_t st_rdev;
    int64_t st_size;
    int64_t st_blksize;
    int64_t st_blocks; /* of 512 bytes */
    struct timespec st_atim;
    struct timespec st_mtim;
    struct timespec st_ctim;
    int64_t reserved[3];
};

#define st_mtime st_mtim.tv_sec

#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define S_IFLNK 0120000
#define S_IFREG 0100000
#define S_IFBLK 0060000
#define S_IFDIR 0040000
#define S_IFCHR 0020000
#define S_IFIFO 0010000
#define S_ISUID 04000
#define S_ISGID 02000
#define S_ISVTX 01000

#define S_ISREG(mode) (((mode) & S_IFMT) == S_IFREG)
#define S_ISDIR(mode) (((mode) & S_IFMT) == S_IFDIR)
#define S_ISCHR(mode) (((mode) & S_IFMT) == S_IFCHR)
#define S_ISBLK(mode) (((mode) & S_IFMT) == S_IFBLK)
#define S_ISLNK(mode) (((mode) & S_IFMT) == S_IFLNK)
#define S_ISFIFO(mode) (((mode) & S_IFMT) == S_IFIFO)
#define S_ISSOCK(mode) (((mode) & S_IFMT) == S_IFSOCK)

#define UTIME_NOW 0x3fffffff
#define UTIME_OMIT 0x3ffffffe

int stat(const char *restrict path, struct stat *restrict result);
int lstat(const char *restrict path, struct stat *restrict result);
int fstat(int fd, struct stat *result);
int chmod(const char *path, mode_t mode);
int mkdir(const char *path, mode_t mode);
mode_t umask(mode_t mask);
int utimensat(int directory, const char *path, const struct timespec times[2], int flags);

static inline unsigned device_major(dev_t device)
{
    return (device >> 8 & 0xfff) | (device >> 32 & ~0xfffu);
}

static inline unsigned device_minor(dev_t device)
{
    return (device & 0xff) | (device >> 12 & ~0xffu);
}
