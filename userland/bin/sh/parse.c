/* The grammar (POSIX, Shell Command Language, Shell Grammar), by recursive descent. */
#include "sh.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct Node *list(struct Lexer *lexer);
static struct Node *command(struct Lexer *lexer);

static struct Node *make(struct Lexer *lexer, enum NodeKind kind)
{
    struct Node *node = arena_take(lexer->arena, sizeof *node);

    node->kind = kind;
    return node;
}

_Noreturn static void unexpected(struct Lexer *lexer)
{
    char message[80];

    if (lexer_peek(lexer) == TOKEN_END)
        syntax_error(lexer, "unexpected end of file");
    const char *word = lexer->kind == TOKEN_NEWLINE ? "newline" : lexer->word;
    snprintf(message, sizeof message, "unexpected \"%s\"", word);
    syntax_error(lexer, message);
}

static int is_word(struct Lexer *lexer, const char *word)
{
    return lexer_peek(lexer) == TOKEN_WORD && !strcmp(lexer->word, word);
}

static int accept_word(struct Lexer *lexer, const char *word)
{
    if (!is_word(lexer, word))
        return 0;
    lexer_next(lexer);
    return 1;
}

static void expect_word(struct Lexer *lexer, const char *word)
{
    if (!accept_word(lexer, word))
        unexpected(lexer);
}

static int accept(struct Lexer *lexer, enum TokenKind kind)
{
    if (lexer_peek(lexer) != kind)
        return 0;
    lexer_next(lexer);
    return 1;
}

static void skip_newlines(struct Lexer *lexer)
{
    while (accept(lexer, TOKEN_NEWLINE))
        ;
}

static char *take_word(struct Lexer *lexer)
{
    if (lexer_peek(lexer) != TOKEN_WORD)
        unexpected(lexer);
    char *word = lexer->word;
    lexer_next(lexer);
    return word;
}

static struct Word **append_word(struct Lexer *lexer, struct Word **last, char *text)
{
    *last = arena_take(lexer->arena, sizeof **last);
    (*last)->text = text;
    return &(*last)->next;
}

/* A word that can only close something, where a command would start. */
static int at_end_of_list(struct Lexer *lexer)
{
    static const char *const closing[] = {
        "then", "else", "elif", "fi", "do", "done", "esac", "}",
    };
    enum TokenKind kind = lexer_peek(lexer);

    for (size_t i = 0; i < sizeof closing / sizeof *closing; i++)
        if (is_word(lexer, closing[i]))
            return 1;
    return kind == TOKEN_END || kind == TOKEN_CLOSE || kind == TOKEN_DOUBLE_SEMICOLON;
}

/* --- redirections --------------------------------------------------------------------------- */

static int is_redirection(enum TokenKind kind)
{
    return kind == TOKEN_NUMBER || (kind >= TOKEN_IN && kind <= TOKEN_CLOBBER);
}

static enum RedirectionKind redirection_kind(enum TokenKind kind)
{
    switch (kind) {
    case TOKEN_IN: return REDIRECT_IN;
    case TOKEN_APPEND: return REDIRECT_APPEND;
    case TOKEN_BOTH: return REDIRECT_BOTH;
    case TOKEN_IN_DUPLICATE: case TOKEN_OUT_DUPLICATE: return REDIRECT_DUPLICATE;
    case TOKEN_HERE: case TOKEN_HERE_TABS: return REDIRECT_HERE;
    default: return REDIRECT_OUT;
    }
}

static struct Redirection *redirection(struct Lexer *lexer)
{
    struct Redirection *result = arena_take(lexer->arena, sizeof *result);
    int fd = -1;

    if (lexer_peek(lexer) == TOKEN_NUMBER) {
        fd = atoi(lexer->word);
        lexer_next(lexer);
    }
    enum TokenKind kind = lexer_peek(lexer);
    int reads = kind == TOKEN_IN || kind == TOKEN_BOTH || kind == TOKEN_IN_DUPLICATE ||
                kind == TOKEN_HERE || kind == TOKEN_HERE_TABS;
    lexer_next(lexer);
    result->kind = redirection_kind(kind);
    result->fd = fd >= 0 ? fd : !reads;
    if (lexer_peek(lexer) != TOKEN_WORD)
        unexpected(lexer);
    result->target = lexer->word;
    if (result->kind == REDIRECT_HERE) { /* before the newline behind the word is read */
        lexer_expect_here(lexer, result, lexer->word);
        if (kind == TOKEN_HERE_TABS)
            result->fd |= 0x10000; /* for read_here_document() */
    }
    lexer_next(lexer);
    return result;
}

static void redirections(struct Lexer *lexer, struct Node *node)
{
    struct Redirection **last = &node->redirections;

    while (*last)
        last = &(*last)->next;
    while (is_redirection(lexer_peek(lexer))) {
        *last = redirection(lexer);
        last = &(*last)->next;
    }
}

/* --- commands ------------------------------------------------------------------------------- */

static struct Node *do_group(struct Lexer *lexer)
{
    skip_newlines(lexer);
    expect_word(lexer, "do");
    struct Node *body = list(lexer);
    expect_word(lexer, "done");
    return body;
}

static struct Node *if_command(struct Lexer *lexer)
{
    struct Node *node = make(lexer, NODE_IF);

    node->left = list(lexer);
    expect_word(lexer, "then");
    node->right = list(lexer);
    if (accept_word(lexer, "elif")) {
        node->other = if_command(lexer);
        return node;
    }
    if (accept_word(lexer, "else"))
        node->other = list(lexer);
    expect_word(lexer, "fi");
    return node;
}

static struct Node *while_command(struct Lexer *lexer, enum NodeKind kind)
{
    struct Node *node = make(lexer, kind);

    node->left = list(lexer);
    node->right = do_group(lexer);
    return node;
}

static struct Node *for_command(struct Lexer *lexer)
{
    struct Node *node = make(lexer, NODE_FOR);
    struct Word **last = &node->words;

    node->name = take_word(lexer);
    if (!is_name(node->name))
        syntax_error(lexer, "bad for loop variable");
    skip_newlines(lexer);
    node->all_arguments = !accept_word(lexer, "in");
    while (!node->all_arguments && lexer_peek(lexer) == TOKEN_WORD)
        last = append_word(lexer, last, take_word(lexer));
    accept(lexer, TOKEN_SEMICOLON);
    node->right = do_group(lexer);
    return node;
}

static struct CaseItem *case_item(struct Lexer *lexer)
{
    struct CaseItem *item = arena_take(lexer->arena, sizeof *item);
    struct Word **last = &item->patterns;

    accept(lexer, TOKEN_OPEN);
    do
        last = append_word(lexer, last, take_word(lexer));
    while (accept(lexer, TOKEN_PIPE));
    if (!accept(lexer, TOKEN_CLOSE))
        unexpected(lexer);
    item->body = list(lexer);
    if (!accept(lexer, TOKEN_DOUBLE_SEMICOLON) && !is_word(lexer, "esac"))
        unexpected(lexer);
    skip_newlines(lexer);
    return item;
}

static struct Node *case_command(struct Lexer *lexer)
{
    struct Node *node = make(lexer, NODE_CASE);
    struct CaseItem **last = &node->items;

    append_word(lexer, &node->words, take_word(lexer));
    skip_newlines(lexer);
    expect_word(lexer, "in");
    skip_newlines(lexer);
    while (!accept_word(lexer, "esac")) {
        *last = case_item(lexer);
        last = &(*last)->next;
    }
    return node;
}

static struct Node *grouped(struct Lexer *lexer, enum NodeKind kind)
{
    struct Node *node = make(lexer, kind);

    node->left = list(lexer);
    if (kind == NODE_GROUP)
        expect_word(lexer, "}");
    else if (!accept(lexer, TOKEN_CLOSE))
        unexpected(lexer);
    return node;
}

static struct Node *function(struct Lexer *lexer, char *name)
{
    struct Node *node = make(lexer, NODE_FUNCTION);

    lexer_next(lexer); /* ( */
    if (!accept(lexer, TOKEN_CLOSE))
        unexpected(lexer);
    if (!is_name(name))
        syntax_error(lexer, "bad function name");
    skip_newlines(lexer);
    node->name = name;
    node->left = command(lexer);
    return node;
}

static int is_assignment(const char *word)
{
    const char *end = skip_name(word);

    return end != word && *end == '=';
}

static struct Node *simple_command(struct Lexer *lexer)
{
    struct Node *node = make(lexer, NODE_COMMAND);
    struct Word **words = &node->words, **assignments = &node->assignments;

    for (;;) {
        enum TokenKind kind = lexer_peek(lexer);
        if (is_redirection(kind)) {
            redirections(lexer, node);
        } else if (kind != TOKEN_WORD) {
            break;
        } else if (!node->words && is_assignment(lexer->word)) {
            assignments = append_word(lexer, assignments, take_word(lexer));
        } else {
            words = append_word(lexer, words, take_word(lexer));
            int first = !node->words->next && !node->assignments && !node->redirections;
            if (first && lexer_peek(lexer) == TOKEN_OPEN)
                return function(lexer, node->words->text);
        }
    }
    if (!node->words && !node->assignments && !node->redirections)
        unexpected(lexer);
    return node;
}

static struct Node *compound_command(struct Lexer *lexer)
{
    if (accept(lexer, TOKEN_OPEN))
        return grouped(lexer, NODE_SUBSHELL);
    if (accept_word(lexer, "{"))
        return grouped(lexer, NODE_GROUP);
    if (accept_word(lexer, "if"))
        return if_command(lexer);
    if (accept_word(lexer, "while"))
        return while_command(lexer, NODE_WHILE);
    if (accept_word(lexer, "until"))
        return while_command(lexer, NODE_UNTIL);
    if (accept_word(lexer, "for"))
        return for_command(lexer);
    if (accept_word(lexer, "case"))
        return case_command(lexer);
    return NULL;
}

static struct Node *command(struct Lexer *lexer)
{
    struct Node *node = compound_command(lexer);

    if (!node)
        return simple_command(lexer);
    redirections(lexer, node);
    return node;
}

/* --- lists ---------------------------------------------------------------------------------- */

static struct Node *pipeline(struct Lexer *lexer)
{
    struct Node *node = make(lexer, NODE_PIPELINE);

    lexer_peek(lexer);
    size_t start = lexer->start, end;
    while (accept_word(lexer, "!"))
        node->negated = !node->negated;
    struct Node **last = &node->left;
    do {
        if (last != &node->left)
            skip_newlines(lexer);
        if (at_end_of_list(lexer))
            unexpected(lexer);
        *last = command(lexer);
        last = &(*last)->next;
        lexer_peek(lexer);
        end = lexer->start;
    } while (accept(lexer, TOKEN_PIPE));
    while (end > start && isspace(lexer->text.chars[end - 1]))
        end--;
    node->source = arena_copy(lexer->arena, lexer->text.chars + start, end - start);
    for (struct Node *stage = node->left; stage; stage = stage->next)
        stage->source = node->source;
    return node;
}

static struct Node *join(struct Lexer *lexer, enum NodeKind kind, struct Node *left,
                         struct Node *right)
{
    struct Node *node = make(lexer, kind);

    node->left = left;
    node->right = right;
    return node;
}

static struct Node *and_or(struct Lexer *lexer)
{
    struct Node *node = pipeline(lexer);

    for (;;) {
        enum TokenKind kind = lexer_peek(lexer);
        if (kind != TOKEN_AND && kind != TOKEN_OR)
            return node;
        lexer_next(lexer);
        skip_newlines(lexer);
        if (at_end_of_list(lexer))
            unexpected(lexer);
        node = join(lexer, kind == TOKEN_AND ? NODE_AND : NODE_OR, node, pipeline(lexer));
    }
}

static struct Node *background(struct Lexer *lexer, struct Node *node)
{
    struct Node *result = join(lexer, NODE_BACKGROUND, node, NULL);

    while (node->kind != NODE_PIPELINE)
        node = node->left;
    result->source = node->source;
    return result;
}

/* What is between two reserved words; newlines separate as well as semicolons. */
static struct Node *list(struct Lexer *lexer)
{
    struct Node *node = NULL;

    for (;;) {
        skip_newlines(lexer);
        if (at_end_of_list(lexer))
            return node;
        struct Node *part = and_or(lexer);
        enum TokenKind kind = lexer_peek(lexer);
        if (kind == TOKEN_AMPERSAND)
            part = background(lexer, part);
        node = node ? join(lexer, NODE_SEQUENCE, node, part) : part;
        if (kind != TOKEN_AMPERSAND && kind != TOKEN_SEMICOLON && kind != TOKEN_NEWLINE)
            return node;
        lexer_next(lexer);
    }
}

/* One line, and the lines that it needs to be complete. */
static struct Node *complete_command(struct Lexer *lexer)
{
    struct Node *node = NULL;

    for (;;) {
        enum TokenKind kind = lexer_peek(lexer);
        if (kind == TOKEN_NEWLINE || kind == TOKEN_END)
            return node;
        struct Node *part = and_or(lexer);
        kind = lexer_peek(lexer);
        if (kind == TOKEN_AMPERSAND)
            part = background(lexer, part);
        node = node ? join(lexer, NODE_SEQUENCE, node, part) : part;
        if (kind == TOKEN_AMPERSAND || kind == TOKEN_SEMICOLON)
            lexer_next(lexer);
        else if (kind != TOKEN_NEWLINE && kind != TOKEN_END)
            unexpected(lexer);
    }
}

enum ParseResult parse(struct Source *source, struct Arena *arena, struct Node **result)
{
    struct Lexer lexer;
    jmp_buf wrong;
    enum ParseResult how;

    lexer_start(&lexer, source, arena);
    lexer.wrong = &wrong;
    *result = NULL;
    if (setjmp(wrong)) {
        text_free(&lexer.text);
        return PARSE_ERROR;
    }
    *result = complete_command(&lexer);
    how = *result ? PARSED : lexer.kind == TOKEN_END ? PARSE_END : PARSED_NOTHING;
    text_free(&lexer.text);
    return how;
}
