#pragma once

#include <elf.h>

unsigned long getauxval(unsigned long type); /* 0 if the kernel did not say */
