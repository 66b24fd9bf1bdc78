/* A shared library of the tests. */
#pragma once

const char *greeting(void);
extern int greeted;
