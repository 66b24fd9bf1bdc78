#pragma once

#define FNM_NOMATCH 1
#define FNM_PATHNAME 1 /* a slash is matched by a slash only */
#define FNM_PERIOD 4   /* a leading dot is matched by a dot only */

/* Does the pattern of *, ?, [a-z] and \ match all of the string? 0 if so. */
int fnmatch(const char *pattern, const char *string, int flags);
