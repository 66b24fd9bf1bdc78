/* disk: uses /dev/sda, raw and mounted, and says what it finds. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static char buffer[1 << 16];

static void need(int good, const char *what)
{
    if (good)
        return;
    printf("%s: %s\n", what, strerror(errno));
    exit(1);
}

/* raw DEVICE: its size; writes its own number into each sector of it and reads all of them again */
static void raw(const char *device)
{
    uint64_t size = 0;
    int fd = open(device, O_RDWR);
    need(fd >= 0, device);
    need(!ioctl(fd, BLKGETSIZE64, &size), "BLKGETSIZE64");
    need(lseek(fd, 0, SEEK_END) == (off_t)size, "lseek");
    printf("%s has %llu bytes\n", device, (unsigned long long)size);
    need(!lseek(fd, 0, SEEK_SET), "lseek");
    for (uint64_t at = 0; at < size; at += sizeof buffer) {
        for (uint64_t i = 0; i < sizeof buffer; i += 512)
            *(uint64_t *)(buffer + i) = (at + i) / 512;
        ssize_t n = write(fd, buffer, size - at < sizeof buffer ? size - at : sizeof buffer);
        need(n > 0, "write");
    }
    need(write(fd, buffer, 1) == -1 && errno == ENOSPC, "write at the end");
    need(pwrite(fd, "middle", 6, 1021) == 6, "pwrite");
    need(!fsync(fd), "fsync");
    need(!lseek(fd, 0, SEEK_SET), "lseek");
    uint64_t at = 0;
    for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0; at += n)
        for (ssize_t i = 0; i < n; i += 512)
            need(at + i == 1024 ? !memcmp(buffer + i, "dle", 3)
                                : *(uint64_t *)(buffer + i) == (at + i) / 512, "content");
    need(at == size, "all of it");
    need(pread(fd, buffer, 16, size - 4) == 4, "pread at the end");
    printf("raw well\n");
}

/* files: what is on the volume, and a new file in a new directory */
static void files(const char *device)
{
    mkdir("/mnt", 0755);
    need(!mount(device, "/mnt", "vfat", 0, ""), "mount");
    DIR *directory = opendir("/mnt");
    need(directory != NULL, "opendir");
    for (struct dirent *entry; (entry = readdir(directory));)
        printf("entry: %s\n", entry->d_name);
    closedir(directory);
    FILE *file = fopen("/mnt/from outside.txt", "r");
    need(file && fgets(buffer, sizeof buffer, file), "from outside.txt");
    printf("found: %s", buffer);
    fclose(file);
    need(!mkdir("/mnt/made here", 0755), "mkdir");
    int fd = open("/mnt/made here/numbers", O_CREAT | O_WRONLY, 0644);
    need(fd >= 0, "open");
    for (int i = 0; i < 20000; i++) {
        int n = sprintf(buffer, "%d\n", i);
        need(write(fd, buffer, n) == n, "write");
    }
    need(!fsync(fd), "fsync");
    need(!close(fd), "close");
    need(!rename("/mnt/made here", "/mnt/moved"), "rename");
    need(!umount("/mnt"), "umount");
    need(!mount(device, "/mnt", "vfat", 0, ""), "mount again");
    struct stat status;
    need(!stat("/mnt/moved/numbers", &status), "stat");
    printf("size %lld\n", (long long)status.st_size);
    need(!umount("/mnt"), "umount again");
    printf("files well\n");
}

/* broken: each call's errno, on a device that fails */
static void broken(const char *device)
{
    int fd = open(device, O_RDWR);
    need(fd >= 0, device);
    printf("sound: %zd\n", pread(fd, buffer, 512, 0));
    ssize_t n = pread(fd, buffer, 512, 512 * 1000);
    printf("pread: %zd %s\n", n, strerrorname_np(errno));
    n = pwrite(fd, buffer, 512, 512 * 1000);
    printf("pwrite: %zd\n", n);
    int failed = fsync(fd);
    printf("fsync: %d %s\n", failed, strerrorname_np(errno));
    printf("fsync again: %d\n", fsync(fd));
    need(lseek(fd, -512, SEEK_END) > 0, "lseek");
    printf("sound still: %zd\n", read(fd, buffer, 512));
}

int main(int argc, char *argv[])
{
    need(argc == 3, "disk raw|files|broken DEVICE");
    setvbuf(stdout, NULL, _IONBF, 0);
    if (!strcmp(argv[1], "raw"))
        raw(argv[2]);
    else if (!strcmp(argv[1], "files"))
        files(argv[2]);
    else
        broken(argv[2]);
    return 0;
}
