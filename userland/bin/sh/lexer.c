/* Tokens. The text of the command grows line by line, as long as something in it is not closed. */
#include "sh.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *text;
    enum TokenKind kind;
} operators[] = {
    /* longer ones first */
    {"<<-", TOKEN_HERE_TABS}, {"&&", TOKEN_AND},         {"||", TOKEN_OR},
    {";;", TOKEN_DOUBLE_SEMICOLON}, {"<<", TOKEN_HERE},  {">>", TOKEN_APPEND},
    {"<&", TOKEN_IN_DUPLICATE}, {">&", TOKEN_OUT_DUPLICATE}, {"<>", TOKEN_BOTH},
    {">|", TOKEN_CLOBBER},    {";", TOKEN_SEMICOLON},    {"&", TOKEN_AMPERSAND},
    {"|", TOKEN_PIPE},        {"(", TOKEN_OPEN},         {")", TOKEN_CLOSE},
    {"<", TOKEN_IN},          {">", TOKEN_OUT},          {"\n", TOKEN_NEWLINE},
};

void lexer_start(struct Lexer *lexer, struct Source *source, struct Arena *arena)
{
    *lexer = (struct Lexer){.source = source, .arena = arena};
}

void syntax_error(struct Lexer *lexer, const char *what)
{
    fflush(stdout);
    fprintf(stderr, "%s: syntax error: %s\n", shell.name, what);
    longjmp(*lexer->wrong, 1);
}

/* Append the next line; 0 at the end of the source. */
static int more(struct Lexer *lexer)
{
    const char *line = lexer->source->next_line(lexer->source, lexer->text.size > 0);

    if (!line)
        return 0;
    text_add(&lexer->text, line, strlen(line));
    return 1;
}

static const char *here(const struct Lexer *lexer)
{
    return lexer->text.chars ? lexer->text.chars + lexer->at : "";
}

/* Skip blanks, comments and newlines behind a backslash; 0 at the end of the source. */
static int skip_blanks(struct Lexer *lexer)
{
    for (;;) {
        const char *s = here(lexer);
        if (!*s) {
            if (!more(lexer))
                return 0;
        } else if (isblank(*s)) {
            lexer->at++;
        } else if (s[0] == '\\' && s[1] == '\n') {
            lexer->at += 2;
        } else if (*s == '#') {
            lexer->at += strcspn(s, "\n");
        } else {
            return 1;
        }
    }
}

static int is_meta(char c)
{
    return !c || strchr(" \t\n;&|<>()", c) != NULL;
}

static void read_word(struct Lexer *lexer)
{
    const char *start = here(lexer), *end = start;
    size_t length = 0;

    while (!is_meta(*end)) {
        const char *after = skip_piece(end);
        if (after && *after) {
            end = after;
            continue;
        }
        length = end - start; /* text moves when it grows */
        if (!more(lexer))
            syntax_error(lexer, "unterminated quoted string");
        start = here(lexer);
        end = start + length;
    }
    lexer->at += end - start;
    lexer->word = arena_copy(lexer->arena, start, end - start);
    lexer->kind = TOKEN_WORD;
    if ((*end == '<' || *end == '>') && strspn(start, "0123456789") == (size_t)(end - start))
        lexer->kind = TOKEN_NUMBER;
}

static char *without_quotes(struct Arena *arena, const char *word)
{
    char *plain = arena_take(arena, strlen(word) + 1), *to = plain;

    for (char quote = 0; *word; word++) {
        if (*word == quote)
            quote = 0;
        else if (!quote && (*word == '\'' || *word == '"'))
            quote = *word;
        else if (*word == '\\' && quote != '\'' && word[1])
            *to++ = *++word;
        else
            *to++ = *word;
    }
    return plain;
}

void lexer_expect_here(struct Lexer *lexer, struct Redirection *redirection, const char *delimiter)
{
    struct Word *word = arena_take(lexer->arena, sizeof *word);
    struct Word **last = &lexer->delimiters;

    redirection->quoted = strpbrk(delimiter, "\\'\"") != NULL;
    word->text = without_quotes(lexer->arena, delimiter);
    while (*last)
        last = &(*last)->next;
    *last = word;
    struct Redirection *copy = arena_take(lexer->arena, sizeof *copy), **end = &lexer->here;
    copy->target = (char *)redirection; /* a list of their own: .next is taken */
    while (*end)
        end = &(*end)->next;
    *end = copy;
}

static void read_here_document(struct Lexer *lexer, struct Redirection *redirection,
                               const char *delimiter)
{
    struct Text body = {0};
    int strip_tabs = redirection->fd & 0x10000;

    redirection->fd &= 0xffff;
    for (;;) {
        if (!*here(lexer) && !more(lexer))
            break; /* the end of the source ends the document, too */
        const char *line = here(lexer);
        size_t size = strcspn(line, "\n");
        lexer->at += size + 1;
        if (strip_tabs) {
            size_t tabs = strspn(line, "\t");
            line += tabs;
            size -= tabs;
        }
        if (size == strlen(delimiter) && !strncmp(line, delimiter, size))
            break;
        text_add(&body, line, size + 1);
    }
    redirection->target = arena_copy(lexer->arena, body.chars ? body.chars : "", body.size);
    text_free(&body);
}

static void read_here_documents(struct Lexer *lexer)
{
    struct Word *delimiter = lexer->delimiters;

    for (struct Redirection *entry = lexer->here; entry; entry = entry->next) {
        read_here_document(lexer, (struct Redirection *)entry->target, delimiter->text);
        delimiter = delimiter->next;
    }
    lexer->here = NULL;
    lexer->delimiters = NULL;
}

static void read_token(struct Lexer *lexer)
{
    if (!skip_blanks(lexer)) {
        lexer->kind = TOKEN_END;
        lexer->start = lexer->end = lexer->at;
        return;
    }
    lexer->start = lexer->at;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        size_t size = strlen(operators[i].text);
        if (strncmp(here(lexer), operators[i].text, size))
            continue;
        lexer->kind = operators[i].kind;
        lexer->word = (char *)operators[i].text;
        lexer->at += size;
        lexer->end = lexer->at;
        if (lexer->kind == TOKEN_NEWLINE)
            read_here_documents(lexer);
        return;
    }
    read_word(lexer);
    lexer->end = lexer->at;
}

enum TokenKind lexer_peek(struct Lexer *lexer)
{
    if (!lexer->peeked)
        read_token(lexer);
    lexer->peeked = 1;
    return lexer->kind;
}

void lexer_next(struct Lexer *lexer)
{
    lexer_peek(lexer);
    lexer->peeked = 0;
}
