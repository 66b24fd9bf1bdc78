#pragma once

#include <sys/types.h>

/* The name that /etc/passwd (or /etc/group) gives to a number; the number in digits if none. */
const char *user_name(uid_t uid);
const char *group_name(gid_t gid);
