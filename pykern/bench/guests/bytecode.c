/* Indirect jumps: an interpreter of byte code that counts the steps of Collatz sequences. */
#include "guest.h"

enum { HALT, LOAD, STORE, PUSH, ADD, MUL, SHIFT, ODD, LESS, JUMP, JUMP_ZERO, OPCODES };
enum { COUNT, STEPS, VALUE, VARIABLES };

/* for (count = 1; count < 255; count++) for (value = count; value != 1; steps++) value = odd ? 3 value + 1 : value / 2 */
static const u8 code[] = {
    /*  0 */ PUSH, 1, STORE, COUNT,
    /*  4 */ LOAD, COUNT, PUSH, 255, LESS, JUMP_ZERO, 55,
    /* 11 */ LOAD, COUNT, STORE, VALUE,
    /* 15 */ PUSH, 1, LOAD, VALUE, LESS, JUMP_ZERO, 46,
    /* 22 */ LOAD, STEPS, PUSH, 1, ADD, STORE, STEPS,
    /* 29 */ LOAD, VALUE, ODD, JUMP_ZERO, 56,
    /* 34 */ LOAD, VALUE, PUSH, 3, MUL, PUSH, 1, ADD, STORE, VALUE, JUMP, 15,
    /* 46 */ LOAD, COUNT, PUSH, 1, ADD, STORE, COUNT, JUMP, 4,
    /* 55 */ HALT,
    /* 56 */ LOAD, VALUE, SHIFT, STORE, VALUE, JUMP, 15,
};

static u64 interpret(u8 *program, u64 steps)
{
    static const void *const labels[OPCODES] = {
        &&halt, &&load, &&store, &&push, &&add, &&mul, &&shift, &&odd, &&less, &&jump, &&jump_zero,
    };
    u64 variables[VARIABLES] = {0, steps, 0}, stack[16], *top = stack;
    const u8 *pc = program;

#define NEXT goto *labels[*pc++]
    NEXT;
load:
    *top++ = variables[*pc++];
    NEXT;
store:
    variables[*pc++] = *--top;
    NEXT;
push:
    *top++ = *pc++;
    NEXT;
add:
    top--, top[-1] += *top;
    NEXT;
mul:
    top--, top[-1] *= *top;
    NEXT;
shift:
    top[-1] >>= 1;
    NEXT;
odd:
    top[-1] &= 1;
    NEXT;
less:
    top--, top[-1] = top[-1] < *top;
    NEXT;
jump:
    pc = program + *pc;
    NEXT;
jump_zero:
    pc = *--top ? pc + 1 : program + *pc;
    NEXT;
halt:
    return variables[STEPS];
}

u64 run(u64 iterations, const u64 *arguments)
{
    u64 steps = 0;
    u8 program[64];

    for (u32 i = 0; i < sizeof code; i++)
        ((volatile u8 *)program)[i] = code[i];
    for (; iterations; iterations--)
        steps = interpret(program, steps);
    return steps;
}
