#pragma once

#define MS_RDONLY 1
#define MNT_DETACH 2

int mount(const char *source, const char *target, const char *type, unsigned long flags,
          const void *options);
int umount2(const char *target, int flags);
