/* Running what was parsed. */
#include "sh.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct Function *functions;
static int definitions; /* of functions so far: their text must be kept */

/* --- simple commands ------------------------------------------------------------------------ */

_Noreturn static void exec_program(char *argv[])
{
    char **environment = variables_to_environment();
    const char *path = strchr(argv[0], '/') ? argv[0] : find_program(argv[0]);

    fflush(NULL);
    if (!path) {
        fprintf(stderr, "%s: %s: not found\n", shell.name, argv[0]);
        _exit(127);
    }
    execve(path, argv, environment);
    if (errno == ENOEXEC) { /* a script without #! */
        char *program = variable_get("SHELL") ? (char *)variable_get("SHELL") : "/bin/sh";
        argv[-1] = program;
        argv[0] = (char *)path;
        execve(program, argv - 1, environment);
    }
    int missing = errno == ENOENT || errno == ENOTDIR;
    fprintf(stderr, "%s: %s: %s\n", shell.name, argv[0],
            errno == ENOENT ? "not found" : strerror(errno));
    _exit(missing ? 127 : 126);
}

static void assign_all(const struct Word *assignments, int flags)
{
    for (; assignments; assignments = assignments->next)
        variable_assign(assignments->text, flags);
}

static int run_external(const struct Node *node, char *argv[], int flags)
{
    struct Job *job = NULL;

    if (!(flags & IN_CHILD)) {
        job = job_make(node->source ? node->source : argv[0], 0);
        pid_t pid = job_fork(job);
        if (pid < 0) {
            fprintf(stderr, "%s: fork: %s\n", shell.name, strerror(errno));
            job_remove(job);
            return 254;
        }
        if (pid > 0)
            return job_wait(job);
    }
    assign_all(node->assignments, VARIABLE_EXPORTED);
    if (redirect(node->redirections, 0) < 0)
        _exit(1);
    exec_program(argv);
}

static int call_function(const struct Function *function, int argc, char *argv[])
{
    char **arguments = shell.arguments;
    int count = shell.argument_count, loops = shell.loops;
    struct Local *mark = local_mark();

    if (!shell.functions) { /* for who gives up all functions at once */
        shell.outer_arguments = arguments;
        shell.outer_count = count;
    }
    shell.arguments = argv + 1;
    shell.argument_count = argc - 1;
    shell.loops = 0;
    shell.functions++;
    int status = execute(function->body, 0);
    shell.functions--;
    shell.loops = loops;
    shell.arguments = arguments;
    shell.argument_count = count;
    local_undo(mark);
    if (shell.leaving == LEAVE_FUNCTION)
        shell.leaving = STAY;
    return status;
}

static const struct Function *function_find(const char *name)
{
    for (const struct Function *function = functions; function; function = function->next)
        if (!strcmp(function->name, name))
            return function;
    return NULL;
}

/* Save the variables that are assigned for one command only. */
static void save_assigned(const struct Word *assignments)
{
    for (; assignments; assignments = assignments->next) {
        const char *equals = strchr(assignments->text, '=');
        local_save(arena_copy(&scratch, assignments->text, equals - assignments->text));
    }
}

/* What runs inside the shell: its redirections and assignments are undone afterwards. */
static int run_inside(const struct Node *node, int argc, char *argv[])
{
    const struct Function *function = function_find(argv[0]);
    Builtin *builtin = builtin_find(argv[0]);
    struct Local *locals = local_mark();
    struct SavedFd *mark = redirect_mark();
    int permanent = !strcmp(argv[0], "exec");
    int undone = node->assignments && (function || !is_special_builtin(argv[0]));
    int status = 1;

    if (undone)
        save_assigned(node->assignments);
    assign_all(node->assignments, function || permanent ? VARIABLE_EXPORTED : 0);
    if (redirect(node->redirections, !permanent) == 0)
        status = function ? call_function(function, argc, argv) : builtin(argc, argv);
    else if (permanent && !shell.interactive)
        shell_exit(1);
    if (undone)
        local_undo(locals);
    redirect_undo(mark);
    return status;
}

static int run_nothing(const struct Node *node)
{
    struct SavedFd *mark = redirect_mark();

    shell.substituted = 0;
    int failed = redirect(node->redirections, 1) < 0;
    redirect_undo(mark);
    assign_all(node->assignments, 0);
    return failed ? 1 : shell.substituted;
}

static void trace(int argc, char *argv[])
{
    fflush(stdout);
    fputc('+', stderr);
    for (int i = 0; i < argc; i++)
        fprintf(stderr, " %s", argv[i]);
    fputc('\n', stderr);
}

/* The fields as argv, with room before it for the interpreter of a script. */
static char **argv_of(const struct Word *fields, int *argc)
{
    int count = 0;

    for (const struct Word *field = fields; field; field = field->next)
        count++;
    char **argv = (char **)arena_take(&scratch, (count + 2) * sizeof *argv) + 1;
    *argc = count;
    for (int i = 0; i < count; i++, fields = fields->next)
        argv[i] = fields->text;
    return argv;
}

static int run_command(const struct Node *node, int flags)
{
    struct ArenaMark mark = arena_mark(&scratch);
    int argc, status;

    shell.substituted = 0;
    char **argv = argv_of(expand_words(node->words), &argc);
    if (shell.trace && argc)
        trace(argc, argv);
    if (argc == 0)
        status = node->assignments || node->redirections ? run_nothing(node) : shell.substituted;
    else if (function_find(argv[0]) || builtin_find(argv[0]))
        status = run_inside(node, argc, argv);
    else
        status = run_external(node, argv, flags);
    arena_release(&scratch, mark);
    return status;
}

/* --- pipelines ------------------------------------------------------------------------------ */

struct Ends {
    int in, out, unused; /* -1: none */
};

_Noreturn static void run_stage(const struct Node *stage, struct Ends ends)
{
    if (ends.in >= 0) {
        dup2(ends.in, STDIN_FILENO);
        close(ends.in);
    }
    if (ends.out >= 0) {
        dup2(ends.out, STDOUT_FILENO);
        close(ends.out);
    }
    if (ends.unused >= 0)
        close(ends.unused);
    shell_exit(execute(stage, IN_CHILD));
}

static int run_stages(const struct Node *node)
{
    struct Job *job = job_make(node->source, 0);
    int in = -1;

    for (const struct Node *stage = node->left; stage; stage = stage->next) {
        int fds[2] = {-1, -1};
        if (stage->next && pipe(fds) < 0)
            fail("pipe: %s", strerror(errno));
        pid_t pid = job_fork(job);
        if (pid == 0)
            run_stage(stage, (struct Ends){in, fds[1], fds[0]});
        if (pid < 0)
            fprintf(stderr, "%s: fork: %s\n", shell.name, strerror(errno));
        if (in >= 0)
            close(in);
        if (fds[1] >= 0)
            close(fds[1]);
        in = fds[0];
    }
    return job_wait(job);
}

static int run_pipeline(const struct Node *node, int flags)
{
    shell.tested += node->negated;
    int alone = !node->left->next;
    int status = alone ? execute(node->left, node->negated ? 0 : flags) : run_stages(node);
    shell.tested -= node->negated;
    shell.status = node->negated ? !status : status;
    if (status && shell.exit_on_error && !shell.tested && !node->negated)
        shell_exit(status);
    return shell.status;
}

static int run_background(const struct Node *node)
{
    struct Job *job = job_make(node->source, 1);
    int own_group = shell.monitor;
    pid_t pid = job_fork(job);

    if (pid == 0) {
        if (!own_group) { /* else reading from the terminal stops it */
            int null = open("/dev/null", O_RDONLY);
            if (null > 0) {
                dup2(null, STDIN_FILENO);
                close(null);
            }
        }
        shell_exit(execute(node->left, IN_CHILD));
    }
    if (pid < 0) {
        fprintf(stderr, "%s: fork: %s\n", shell.name, strerror(errno));
        job_remove(job);
        return 254;
    }
    shell.background_pid = pid;
    if (shell.interactive)
        fprintf(stderr, "[%d] %d\n", job->number, pid);
    return 0;
}

static int run_subshell(const struct Node *node, int flags)
{
    if (flags & IN_CHILD)
        return execute(node->left, 0);
    struct Job *job = job_make(node->source, 0);
    pid_t pid = job_fork(job);
    if (pid == 0)
        shell_exit(execute(node->left, IN_CHILD));
    if (pid > 0)
        return job_wait(job);
    fprintf(stderr, "%s: fork: %s\n", shell.name, strerror(errno));
    job_remove(job);
    return 254;
}

/* --- control flow --------------------------------------------------------------------------- */

static int condition(const struct Node *node)
{
    shell.tested++;
    int status = execute(node, 0);
    shell.tested--;
    return status;
}

static int run_and_or(const struct Node *node)
{
    int status = condition(node->left);

    if (shell.leaving || (status == 0) != (node->kind == NODE_AND))
        return status;
    return execute(node->right, 0);
}

static int run_if(const struct Node *node)
{
    int status = condition(node->left);

    if (shell.leaving)
        return status;
    if (status == 0)
        return execute(node->right, 0);
    return node->other ? execute(node->other, 0) : 0;
}

/* After a round of a loop: is it left? `break 2` and `continue 2` leave inner loops, too. */
static int loop_ends(void)
{
    if (shell.leaving == STAY)
        return 0;
    if (shell.leaving == LEAVE_FUNCTION)
        return 1;
    if (--shell.levels > 0)
        return 1;
    int ends = shell.leaving == LEAVE_LOOP;
    shell.leaving = STAY;
    return ends;
}

static int run_while(const struct Node *node)
{
    int status = 0;

    shell.loops++;
    for (;;) {
        int test = condition(node->left);
        if (shell.leaving) {
            if (loop_ends())
                break;
            continue;
        }
        if ((test == 0) != (node->kind == NODE_WHILE))
            break;
        status = execute(node->right, 0);
        if (loop_ends())
            break;
    }
    shell.loops--;
    return status;
}

static struct Word *all_arguments(void)
{
    struct Word *first = NULL, **last = &first;

    for (int i = 0; i < shell.argument_count; i++) {
        *last = arena_take(&scratch, sizeof **last);
        (*last)->text = shell.arguments[i];
        last = &(*last)->next;
    }
    return first;
}

static int run_for(const struct Node *node)
{
    struct ArenaMark mark = arena_mark(&scratch);
    struct Word *word = node->all_arguments ? all_arguments() : expand_words(node->words);
    int status = 0;

    shell.loops++;
    for (; word; word = word->next) {
        variable_set(node->name, word->text, 0);
        status = execute(node->right, 0);
        if (loop_ends())
            break;
    }
    shell.loops--;
    arena_release(&scratch, mark);
    return status;
}

static int run_case(const struct Node *node)
{
    struct ArenaMark mark = arena_mark(&scratch);
    const char *subject = expand_string(node->words->text);
    const struct Node *body = NULL;
    int found = 0;

    for (const struct CaseItem *item = node->items; item && !found; item = item->next)
        for (const struct Word *word = item->patterns; word && !found; word = word->next)
            if (fnmatch(expand_pattern(word->text), subject, 0) == 0) {
                body = item->body;
                found = 1;
            }
    arena_release(&scratch, mark);
    return body ? execute(body, 0) : 0;
}

static int define(const struct Node *node)
{
    struct Function *function = (struct Function *)function_find(node->name);

    if (!function) {
        function = calloc(1, sizeof *function);
        function->next = functions;
        functions = function;
    }
    function->name = node->name;
    function->body = node->left;
    definitions++;
    return 0;
}

static int run_sequence(const struct Node *node)
{
    int status = execute(node->left, 0);

    return shell.leaving ? status : execute(node->right, 0);
}

static int run_kind(const struct Node *node, int flags)
{
    switch (node->kind) {
    case NODE_COMMAND: return run_command(node, flags);
    case NODE_PIPELINE: return run_pipeline(node, flags);
    case NODE_AND: case NODE_OR: return run_and_or(node);
    case NODE_SEQUENCE: return run_sequence(node);
    case NODE_BACKGROUND: return run_background(node);
    case NODE_IF: return run_if(node);
    case NODE_WHILE: case NODE_UNTIL: return run_while(node);
    case NODE_FOR: return run_for(node);
    case NODE_CASE: return run_case(node);
    case NODE_GROUP: return execute(node->left, 0);
    case NODE_SUBSHELL: return run_subshell(node, flags);
    case NODE_FUNCTION: return define(node);
    }
    return 0;
}

/* A compound command with redirections of its own. */
static int run_redirected(const struct Node *node, int flags)
{
    struct ArenaMark texts = arena_mark(&scratch);
    struct SavedFd *mark = redirect_mark();
    int status = redirect(node->redirections, 1) < 0 ? 1 : run_kind(node, flags);

    redirect_undo(mark);
    arena_release(&scratch, texts);
    return status;
}

int execute(const struct Node *node, int flags)
{
    if (!node)
        return 0;
    if (shell.interrupted && shell.top) {
        shell.interrupted = 0;
        shell.status = 130;
        longjmp(*shell.top, 1);
    }
    if (node->kind != NODE_COMMAND && node->redirections)
        shell.status = run_redirected(node, flags);
    else
        shell.status = run_kind(node, flags);
    run_traps();
    return shell.status;
}

/* --- whole sources -------------------------------------------------------------------------- */

int execute_source(struct Source *source)
{
    struct ArenaMark nothing = {0};

    for (;;) {
        struct Arena arena = {0};
        struct Node *node;
        int before = definitions;
        enum ParseResult result = parse(source, &arena, &node);

        if (result == PARSED)
            execute(node, 0);
        else if (result == PARSE_ERROR)
            shell.status = 2;
        if (definitions == before)
            arena_release(&arena, nothing);
        if (source->person) { /* at the next prompt all is well again */
            shell.leaving = STAY;
            arena_release(&scratch, nothing);
        } else if (result == PARSE_ERROR && !shell.interactive) {
            shell_exit(2);
        }
        if (result == PARSE_END || shell.leaving || (result == PARSE_ERROR && !source->person))
            return shell.status;
    }
}

int execute_string(const char *text)
{
    struct Source source;

    source_string(&source, text);
    execute_source(&source);
    text_free(&source.line);
    return shell.status;
}
