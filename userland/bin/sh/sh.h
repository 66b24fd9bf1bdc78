/* sh: what its parts know of each other. A line goes
 *
 *     source → lexer → parser → execute → expand → redirect → fork, exec
 */
#pragma once

#include <setjmp.h>
#include <stddef.h>
#include <sys/types.h>
#include <termios.h>

/* --- arena.c: memory that is freed all at once ---------------------------------------------- */

struct Arena {
    struct Chunk *chunk;
};

struct ArenaMark {
    struct Chunk *chunk;
    size_t used;
};

extern struct Arena scratch; /* what expansion makes; each command releases what it took */

void *arena_take(struct Arena *arena, size_t size);
char *arena_copy(struct Arena *arena, const char *s, size_t size);
struct ArenaMark arena_mark(const struct Arena *arena);
void arena_release(struct Arena *arena, struct ArenaMark mark);

/* --- text.c: strings that grow -------------------------------------------------------------- */

struct Text {
    char *chars; /* always ends with a zero, once something was put */
    size_t size, room;
};

void text_put(struct Text *text, char c);
void text_add(struct Text *text, const char *s, size_t size);
void text_free(struct Text *text);

/* --- source.c: where lines come from -------------------------------------------------------- */

struct Source {
    /* The next line with its newline, valid until the next call; NULL at the end. */
    const char *(*next_line)(struct Source *source, int continued);
    const char *rest; /* of a string */
    int fd;           /* of a file */
    int person;       /* who can try again after an error */
    struct Text line;
};

void source_string(struct Source *source, const char *text);
void source_file(struct Source *source, int fd);
void source_terminal(struct Source *source);

char *line_edit(const char *prompt); /* line.c; NULL at the end, "" after Ctrl-C */

/* --- quoting.c ------------------------------------------------------------------------------ */

/* Skip one piece: a plain character, \x, '…', "…", `…`, $(…) or ${…}. NULL: it does not end. */
const char *skip_piece(const char *s);
const char *skip_double_quoted_piece(const char *s);
const char *skip_name(const char *s);
int is_name(const char *s);

/* --- parse.c, lexer.c ----------------------------------------------------------------------- */

struct Word {
    struct Word *next;
    char *text; /* as it was written, quotes and all */
};

enum RedirectionKind { REDIRECT_IN, REDIRECT_OUT, REDIRECT_APPEND, REDIRECT_BOTH, REDIRECT_DUPLICATE, REDIRECT_HERE };

struct Redirection {
    struct Redirection *next;
    enum RedirectionKind kind;
    int fd;
    char *target; /* file, number of a descriptor, or the text of a here-document */
    int quoted;   /* here-document: no expansion */
};

struct CaseItem {
    struct CaseItem *next;
    struct Word *patterns;
    struct Node *body;
};

enum NodeKind {
    NODE_COMMAND,  /* words, assignments */
    NODE_PIPELINE, /* stages: left and its next; negated */
    NODE_AND, NODE_OR, NODE_SEQUENCE, /* left, right */
    NODE_BACKGROUND,                  /* left */
    NODE_IF,           /* left: condition, right: then, other: else */
    NODE_WHILE, NODE_UNTIL,           /* left: condition, right: body */
    NODE_FOR,          /* name, words, right: body; all_arguments: no `in` */
    NODE_CASE,         /* words: the subject, items */
    NODE_GROUP, NODE_SUBSHELL,        /* left */
    NODE_FUNCTION,     /* name, left: body */
};

struct Node {
    enum NodeKind kind;
    struct Node *next; /* in a pipeline */
    struct Node *left, *right, *other;
    struct Word *words, *assignments;
    struct Redirection *redirections;
    struct CaseItem *items;
    char *name;
    char *source; /* of a pipeline, for `jobs` */
    int negated, all_arguments;
};

enum TokenKind {
    TOKEN_END, TOKEN_NEWLINE, TOKEN_WORD, TOKEN_NUMBER, /* before < or > */
    TOKEN_AND, TOKEN_OR, TOKEN_SEMICOLON, TOKEN_DOUBLE_SEMICOLON, TOKEN_AMPERSAND, TOKEN_PIPE,
    TOKEN_OPEN, TOKEN_CLOSE,
    TOKEN_IN, TOKEN_OUT, TOKEN_APPEND, TOKEN_BOTH, TOKEN_IN_DUPLICATE, TOKEN_OUT_DUPLICATE,
    TOKEN_HERE, TOKEN_HERE_TABS, TOKEN_CLOBBER,
};

struct Lexer {
    struct Source *source;
    struct Arena *arena;
    struct Text text; /* of the command so far */
    size_t at;        /* what was taken from it */
    enum TokenKind kind;
    char *word;        /* of a word token */
    size_t start, end; /* of the token */
    int peeked, at_end;
    struct Redirection *here; /* documents that begin after this line */
    struct Word *delimiters;
    jmp_buf *wrong; /* where syntax errors go */
};

void lexer_start(struct Lexer *lexer, struct Source *source, struct Arena *arena);
enum TokenKind lexer_peek(struct Lexer *lexer);
void lexer_next(struct Lexer *lexer);
void lexer_expect_here(struct Lexer *lexer, struct Redirection *redirection, const char *delimiter);
_Noreturn void syntax_error(struct Lexer *lexer, const char *what);

enum ParseResult { PARSED, PARSED_NOTHING, PARSE_END, PARSE_ERROR };

/* Parse the next complete command. */
enum ParseResult parse(struct Source *source, struct Arena *arena, struct Node **result);

/* --- expand.c, parameter.c, arithmetic.c, glob.c, substitute.c ------------------------------ */

enum Mark {
    MARK_PLAIN,  /* from the script, not quoted: pattern characters are special */
    MARK_QUOTED, /* stands for itself */
    MARK_RESULT, /* of an expansion that was not quoted: is split into fields, too */
    MARK_EMPTY,  /* no character: here were quotes, so that the field exists */
    MARK_BREAK,  /* no character: between two arguments in "$@" */
};

struct Expansion {
    struct Text chars, marks;
};

enum Quoting { UNQUOTED, DOUBLE_QUOTED, HERE_DOCUMENT };

void expand_text(struct Expansion *expansion, const char *s, enum Quoting quoting);
void expansion_put(struct Expansion *expansion, char c, enum Mark mark);
void expansion_add(struct Expansion *expansion, const char *s, enum Quoting quoting);
const char *expand_dollar(struct Expansion *expansion, const char *s, enum Quoting quoting);

struct Word *expand_words(const struct Word *words);             /* to fields */
char *expand_string(const char *text);                           /* to one string */
char *expand_here(const char *text);
char *expand_pattern(const char *text);                          /* quoted characters: \c */
long arithmetic(const char *text);
char *command_output(const char *command);
struct Word *glob(const char *pattern);                          /* NULL: nothing matches */

/* --- variables.c ---------------------------------------------------------------------------- */

enum { VARIABLE_EXPORTED = 1, VARIABLE_READONLY = 2 };

struct Variable {
    struct Variable *next;
    char *name;
    char *value; /* NULL: has attributes only */
    int flags;
};

extern struct Variable *variables;

const char *variable_get(const char *name);
int variable_set(const char *name, const char *value, int flags);
void variable_unset(const char *name);
struct Variable *variable_find(const char *name);
struct Variable *variable_make(const char *name);
void variables_from_environment(void);
char **variables_to_environment(void);
int variable_assign(const char *assignment, int flags); /* NAME=word, the word is expanded */

/* --- jobs.c --------------------------------------------------------------------------------- */

enum ProcessState { RUNNING, STOPPED, DONE };

struct Process {
    struct Process *next;
    pid_t pid;
    enum ProcessState state;
    int status; /* as wait() gives it */
};

struct Job {
    struct Job *next;
    int number;
    pid_t pgid;
    struct Process *processes; /* the last of the pipeline first */
    char *source;
    int background, state_known;
};

extern struct Job *jobs;

struct Job *job_make(const char *source, int background);
/* Fork a process of a job; in the child 0, with its group and signals set. */
pid_t job_fork(struct Job *job);
int job_wait(struct Job *job);        /* in the foreground; returns the exit status */
int job_continue(struct Job *job, int background);
void jobs_report(void);               /* say what ended, before a prompt */
void jobs_collect(void);              /* ask the kernel, without waiting */
void jobs_forget(void);               /* in a child: they are not ours */
int job_done(const struct Job *job);
int job_status(const struct Job *job);
struct Job *job_named(const char *name);
void job_print(const struct Job *job, int with_pids);
void job_remove(struct Job *job);
int wait_status(int status);          /* what `$?` is for a status of wait() */

/* --- redirect.c ----------------------------------------------------------------------------- */

/* Redirect, so that it can be undone if asked. -1 if a file cannot be opened. */
int redirect(const struct Redirection *redirections, int undoable);
struct SavedFd *redirect_mark(void);
void redirect_undo(struct SavedFd *mark); /* what was redirected since the mark */

/* --- execute.c ------------------------------------------------------------------------------ */

enum { IN_CHILD = 1 }; /* the process ends after this node: exec without fork */

int execute(const struct Node *node, int flags);
int execute_source(struct Source *source); /* all of it */
int execute_string(const char *text);

struct Function {
    struct Function *next;
    char *name;
    const struct Node *body;
};

extern struct Function *functions;

/* --- builtins.c, trap.c --------------------------------------------------------------------- */

typedef int Builtin(int argc, char *argv[]);

Builtin *builtin_find(const char *name);
int is_special_builtin(const char *name);
char *find_program(const char *name); /* its path in the scratch arena, or NULL */

extern Builtin builtin_jobs, builtin_fg, builtin_bg, builtin_wait, builtin_kill; /* job_control.c */
extern Builtin builtin_trap;                                                      /* trap.c */
extern Builtin builtin_help, builtin_type;                                        /* help.c */
extern Builtin builtin_export, builtin_readonly, builtin_unset, builtin_set, builtin_shift;
extern Builtin builtin_local, builtin_read; /* variable_builtins.c */

void run_traps(void); /* of signals that arrived */
void run_exit_trap(void);
void reset_traps(void); /* in a child */

/* Variables that have their old value again after local_undo(). */
void local_save(const char *name);
struct Local *local_mark(void);
void local_undo(struct Local *mark);

/* --- the state of the shell ----------------------------------------------------------------- */

enum Leaving { STAY, LEAVE_LOOP, CONTINUE_LOOP, LEAVE_FUNCTION };

struct Shell {
    char *name;          /* $0 */
    char **arguments;    /* $1 … */
    int argument_count;
    char **outer_arguments; /* while in a function: those outside of all functions */
    int outer_count;
    int status;          /* $? */
    pid_t pid;           /* $$ */
    pid_t background_pid; /* $! */
    int substituted;     /* status of the last $(…), of a command without words */
    int interactive;
    int monitor;         /* job control */
    int terminal;        /* descriptor of the terminal, if interactive */
    struct termios modes; /* of the terminal, for programs */
    int exit_on_error, trace, error_on_unset, no_glob;
    int tested;          /* inside a condition: errors do not end the shell */
    enum Leaving leaving;
    int levels;          /* of loops that are being left */
    int loops;           /* that we are in */
    int functions;       /* that we are in */
    volatile int interrupted;
    jmp_buf *top;        /* where an interrupt or an error of expansion goes */
};

extern struct Shell shell;

/* Complain and give up the command; ends a shell that is not interactive. */
__attribute__((format(printf, 1, 2))) _Noreturn void fail(const char *format, ...);
_Noreturn void shell_exit(int status);
