#pragma once

typedef unsigned long jmp_buf[8]; /* rbx rbp r12 r13 r14 r15 rsp rip */

__attribute__((returns_twice)) int setjmp(jmp_buf context);
_Noreturn void longjmp(jmp_buf context, int value);
