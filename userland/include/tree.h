/* Copying and removing whole directories. */
#pragma once

#include <limits.h>
#include <stddef.h>

/* DIRECTORY/last part of path: where a file goes that is copied into a directory. */
const char *path_inside(char result[PATH_MAX], const char *directory, const char *path);

int is_directory(const char *path); /* after symbolic links */

/* Copy a file, a symbolic link or, if asked, a directory with all that is in it. 0: all went well;
 * else the reason was printed. */
int tree_copy(const char *from, const char *to, int recursive, int preserve);

int tree_remove(const char *path, int recursive, int force);
