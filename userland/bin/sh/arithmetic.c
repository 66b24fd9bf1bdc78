/* $((…)): the operators of C on 64-bit integers, by precedence climbing. */
#include "sh.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct Reader {
    const char *at;
    int skipped; /* inside what && || ?: do not evaluate: no assignments, no division */
};

static long assignment(struct Reader *reader);

static const struct {
    const char *text;
    int precedence; /* higher binds more tightly */
} binary_operators[] = {
    {"||", 1}, {"&&", 2}, {"==", 6}, {"!=", 6}, {"<<", 8}, {">>", 8}, {"<=", 7}, {">=", 7},
    {"|", 3},  {"^", 4},  {"&", 5},  {"<", 7},  {">", 7},  {"+", 9},  {"-", 9},  {"*", 10},
    {"/", 10}, {"%", 10},
};

static void skip_space(struct Reader *reader)
{
    while (isspace(*reader->at))
        reader->at++;
}

static int accept(struct Reader *reader, char c)
{
    skip_space(reader);
    if (*reader->at != c)
        return 0;
    reader->at++;
    return 1;
}

static long variable_value(const char *name)
{
    const char *value = variable_get(name);
    char *end;

    if (!value || !*value)
        return 0;
    long number = strtol(value, &end, 0);
    return *end ? arithmetic(value) : number;
}

static long divide(struct Reader *reader, char operator, long a, long b)
{
    if (reader->skipped)
        return 0;
    if (b == 0)
        fail("divide by zero");
    if (b == -1) /* LONG_MIN / -1 traps */
        return operator == '/' ? (long)(0 - (unsigned long)a) : 0;
    return operator == '/' ? a / b : a % b;
}

static long apply(struct Reader *reader, const char *operator, long a, long b)
{
    unsigned long x = a, y = b;

    switch (operator[0]) {
    case '+': return x + y;
    case '-': return x - y;
    case '*': return x * y;
    case '/': case '%': return divide(reader, operator[0], a, b);
    case '^': return a ^ b;
    case '=': return a == b;
    case '!': return a != b;
    case '|': return operator[1] == '|' ? a || b : a | b;
    case '&': return operator[1] == '&' ? a && b : a & b;
    }
    if (operator[0] == '<')
        return operator[1] == '<' ? (long)(x << (b & 63)) : operator[1] == '=' ? a <= b : a < b;
    return operator[1] == '>' ? a >> (b & 63) : operator[1] == '=' ? a >= b : a > b;
}

static long increment(struct Reader *reader, const char *name, int by)
{
    char number[24];
    long value = variable_value(name) + by;

    snprintf(number, sizeof number, "%ld", value);
    if (!reader->skipped)
        variable_set(name, number, 0);
    return value;
}

static char *take_name(struct Reader *reader)
{
    skip_space(reader);
    const char *end = skip_name(reader->at);
    char *name = arena_copy(&scratch, reader->at, end - reader->at);

    reader->at = end;
    return name;
}

static long primary(struct Reader *reader)
{
    char *end;

    skip_space(reader);
    if (accept(reader, '(')) {
        long value = assignment(reader);
        if (!accept(reader, ')'))
            fail("arithmetic syntax error: missing ) before \"%s\"", reader->at);
        return value;
    }
    if (isdigit(*reader->at)) {
        long value = strtol(reader->at, &end, 0);
        reader->at = end;
        return value;
    }
    char *name = take_name(reader);
    if (!*name)
        fail("arithmetic syntax error: \"%s\"", reader->at);
    int by = !strncmp(reader->at, "++", 2) - !strncmp(reader->at, "--", 2);
    if (!by)
        return variable_value(name);
    reader->at += 2;
    return increment(reader, name, by) - by;
}

static long unary(struct Reader *reader)
{
    skip_space(reader);
    const char *s = reader->at;
    int by = !strncmp(s, "++", 2) - !strncmp(s, "--", 2);
    if (by && skip_name(s + 2) != s + 2) {
        reader->at += 2;
        return increment(reader, take_name(reader), by);
    }
    if (accept(reader, '-'))
        return 0 - (unsigned long)unary(reader);
    if (accept(reader, '+'))
        return unary(reader);
    if (accept(reader, '!'))
        return !unary(reader);
    if (accept(reader, '~'))
        return ~unary(reader);
    return primary(reader);
}

static int next_operator(struct Reader *reader)
{
    skip_space(reader);
    for (int i = 0; i < (int)(sizeof binary_operators / sizeof *binary_operators); i++)
        if (!strncmp(reader->at, binary_operators[i].text, strlen(binary_operators[i].text)))
            return i;
    return -1;
}

static long binary(struct Reader *reader, int weakest)
{
    long left = unary(reader);

    for (;;) {
        int i = next_operator(reader);
        if (i < 0 || binary_operators[i].precedence < weakest)
            return left;
        const char *operator = binary_operators[i].text;
        int decided = (!strcmp(operator, "&&") && !left) || (!strcmp(operator, "||") && left);
        reader->at += strlen(operator);
        reader->skipped += decided;
        long right = binary(reader, binary_operators[i].precedence + 1);
        left = apply(reader, operator, left, right);
        reader->skipped -= decided;
    }
}

static long conditional(struct Reader *reader)
{
    long condition = binary(reader, 1);

    if (!accept(reader, '?'))
        return condition;
    reader->skipped += !condition;
    long yes = assignment(reader);
    reader->skipped -= !condition;
    if (!accept(reader, ':'))
        fail("arithmetic syntax error: missing : before \"%s\"", reader->at);
    reader->skipped += condition != 0;
    long no = conditional(reader);
    reader->skipped -= condition != 0;
    return condition ? yes : no;
}

/* name = …, name += … and so on; anything else is no assignment. */
static long assignment(struct Reader *reader)
{
    static const char *const operators[] = {"<<=", ">>=", "+=", "-=", "*=", "/=", "%=",
                                            "&=",  "|=",  "^=", "="};
    struct Reader ahead = *reader;
    char number[24], *name = take_name(&ahead);

    skip_space(&ahead);
    for (size_t i = 0; *name && i < sizeof operators / sizeof *operators; i++) {
        size_t size = strlen(operators[i]);
        if (strncmp(ahead.at, operators[i], size) || (size == 1 && ahead.at[1] == '='))
            continue;
        reader->at = ahead.at + size;
        long value = assignment(reader);
        if (size > 1)
            value = apply(reader, operators[i], variable_value(name), value);
        snprintf(number, sizeof number, "%ld", value);
        if (!reader->skipped)
            variable_set(name, number, 0);
        return value;
    }
    return conditional(reader);
}

long arithmetic(const char *text)
{
    struct Reader reader = {.at = text};

    skip_space(&reader);
    if (!*reader.at)
        return 0;
    long value = assignment(&reader);
    while (accept(&reader, ','))
        value = assignment(&reader);
    skip_space(&reader);
    if (*reader.at)
        fail("arithmetic syntax error: \"%s\"", reader.at);
    return value;
}
