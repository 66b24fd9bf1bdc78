/* The commands that the shell has built in, and the short ones among them. */
#include "builtins.h"

#include "sh.h"

#include <commands.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int builtin_true(int argc, char *argv[])
{
    (void)argc, (void)argv;
    return 0;
}

static int builtin_false(int argc, char *argv[])
{
    (void)argc, (void)argv;
    return 1;
}

static int builtin_cd(int argc, char *argv[])
{
    char directory[PATH_MAX];
    const char *to = argc > 1 ? argv[1] : variable_get("HOME");
    int back = to && !strcmp(to, "-");

    if (back)
        to = variable_get("OLDPWD");
    if (!to) {
        fprintf(stderr, "%s: cd: %s not set\n", shell.name, back ? "OLDPWD" : "HOME");
        return 1;
    }
    if (chdir(to) < 0) {
        fprintf(stderr, "%s: cd: can't cd to %s: %s\n", shell.name, to, strerror(errno));
        return 1;
    }
    if (variable_get("PWD"))
        variable_set("OLDPWD", variable_get("PWD"), 0);
    if (getcwd(directory, sizeof directory))
        variable_set("PWD", directory, 0);
    if (back)
        puts(directory);
    return 0;
}

static int builtin_pwd(int argc, char *argv[])
{
    char directory[PATH_MAX];

    (void)argc, (void)argv;
    if (!getcwd(directory, sizeof directory)) {
        fprintf(stderr, "%s: pwd: %s\n", shell.name, strerror(errno));
        return 1;
    }
    puts(directory);
    return 0;
}

static int builtin_exit(int argc, char *argv[])
{
    shell_exit(argc > 1 ? atoi(argv[1]) & 255 : shell.status);
}

static int leave_loop(int argc, char *argv[], enum Leaving how)
{
    int levels = argc > 1 ? atoi(argv[1]) : 1;

    if (levels < 1)
        return 1;
    if (!shell.loops)
        return 0;
    shell.levels = levels < shell.loops ? levels : shell.loops;
    shell.leaving = how;
    return 0;
}

static int builtin_break(int argc, char *argv[])
{
    return leave_loop(argc, argv, LEAVE_LOOP);
}

static int builtin_continue(int argc, char *argv[])
{
    return leave_loop(argc, argv, CONTINUE_LOOP);
}

static int builtin_return(int argc, char *argv[])
{
    shell.leaving = LEAVE_FUNCTION;
    return argc > 1 ? atoi(argv[1]) & 255 : shell.status;
}

static int builtin_eval(int argc, char *argv[])
{
    struct Text text = {0};

    for (int i = 1; i < argc; i++) {
        text_add(&text, argv[i], strlen(argv[i]));
        text_put(&text, ' ');
    }
    if (!text.size)
        return 0;
    shell.status = 0;
    int status = execute_string(text.chars);
    text_free(&text);
    return status;
}

/* `.`: run a file in this shell. */
static int builtin_source(int argc, char *argv[])
{
    struct Source source;
    int fd = argc > 1 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0) {
        fprintf(stderr, "%s: .: can't open %s\n", shell.name, argc > 1 ? argv[1] : "nothing");
        return 2;
    }
    source_file(&source, fd);
    shell.status = 0;
    execute_source(&source);
    close(fd);
    text_free(&source.line);
    if (shell.leaving == LEAVE_FUNCTION)
        shell.leaving = STAY;
    return shell.status;
}

static int builtin_exec(int argc, char *argv[])
{
    if (argc == 1)
        return 0; /* the redirections stay */
    char *path = strchr(argv[1], '/') ? argv[1] : find_program(argv[1]);
    fflush(NULL);
    reset_traps();
    if (path)
        execve(path, argv + 1, variables_to_environment());
    fprintf(stderr, "%s: exec: %s: %s\n", shell.name, argv[1], path ? strerror(errno) : "not found");
    if (!shell.interactive)
        shell_exit(path ? 126 : 127);
    return path ? 126 : 127;
}

static int builtin_umask(int argc, char *argv[])
{
    if (argc > 1) {
        umask(strtoul(argv[1], NULL, 8));
        return 0;
    }
    mode_t mask = umask(0);
    umask(mask);
    printf("%04o\n", mask);
    return 0;
}

/* `command NAME …`: not a function of that name; `command -v NAME`: where is it? */
static int builtin_command(int argc, char *argv[])
{
    if (argc > 2 && !strcmp(argv[1], "-v")) {
        char *path = find_program(argv[2]);
        if (builtin_find(argv[2]))
            puts(argv[2]);
        else if (path)
            puts(path);
        return !path && !builtin_find(argv[2]);
    }
    if (argc < 2)
        return 0;
    Builtin *builtin = builtin_find(argv[1]);
    if (builtin)
        return builtin(argc - 1, argv + 1);
    struct Job *job = job_make(argv[1], 0);
    if (job_fork(job) == 0)
        shell_exit(builtin_exec(argc, argv));
    return job_wait(job);
}

const struct BuiltinEntry builtins[] = {
    {".", builtin_source, 1, "FILE", "run the commands of a file here"},
    {":", builtin_true, 1, "", "do nothing"},
    {"[", test_command, 0, "CONDITION ]", "see test"},
    {"bg", builtin_bg, 0, "[%JOB]", "let a stopped job go on in the background"},
    {"break", builtin_break, 1, "[N]", "leave a loop"},
    {"cd", builtin_cd, 0, "[DIRECTORY|-]", "change the working directory"},
    {"command", builtin_command, 0, "[-v] NAME [ARGUMENT]...", "run or find a command"},
    {"continue", builtin_continue, 1, "[N]", "go on with the next round of a loop"},
    {"echo", echo_command, 0, "[-neE] [WORD]...", "print words"},
    {"eval", builtin_eval, 1, "[WORD]...", "run words as a command"},
    {"exec", builtin_exec, 1, "[PROGRAM [ARGUMENT]...]", "become a program; keep redirections"},
    {"exit", builtin_exit, 1, "[STATUS]", "leave the shell"},
    {"export", builtin_export, 1, "[NAME[=VALUE]]...", "pass variables on to programs"},
    {"false", builtin_false, 0, "", "fail"},
    {"fg", builtin_fg, 0, "[%JOB]", "bring a job to the foreground"},
    {"help", builtin_help, 0, "", "this text"},
    {"jobs", builtin_jobs, 0, "[-l]", "list jobs"},
    {"kill", builtin_kill, 0, "[-SIGNAL] PID|%JOB...", "send a signal; -l lists them"},
    {"local", builtin_local, 0, "NAME[=VALUE]...", "variables of a function"},
    {"printf", printf_command, 0, "FORMAT [ARGUMENT]...", "print formatted"},
    {"pwd", builtin_pwd, 0, "", "print the working directory"},
    {"read", builtin_read, 0, "[-r] [-p PROMPT] [NAME]...", "read a line into variables"},
    {"readonly", builtin_readonly, 1, "[NAME[=VALUE]]...", "protect variables"},
    {"return", builtin_return, 1, "[STATUS]", "leave a function"},
    {"set", builtin_set, 1, "[-efux] [--] [WORD]...", "set options and $1, $2, ..."},
    {"shift", builtin_shift, 1, "[N]", "drop $1"},
    {"test", test_command, 0, "CONDITION", "-f FILE, -z TEXT, A = B, N -lt M, ..."},
    {"trap", builtin_trap, 1, "[COMMAND SIGNAL...]", "what to do when a signal arrives"},
    {"true", builtin_true, 0, "", "succeed"},
    {"type", builtin_type, 0, "NAME...", "what a command is"},
    {"umask", builtin_umask, 0, "[MASK]", "permissions that new files do not get"},
    {"unset", builtin_unset, 1, "[-f] NAME...", "forget variables or functions"},
    {"wait", builtin_wait, 0, "[PID|%JOB]...", "wait for background jobs"},
};

const size_t builtin_count = sizeof builtins / sizeof *builtins;

static const struct BuiltinEntry *entry_of(const char *name)
{
    for (size_t i = 0; i < builtin_count; i++)
        if (!strcmp(builtins[i].name, name))
            return &builtins[i];
    return NULL;
}

Builtin *builtin_find(const char *name)
{
    const struct BuiltinEntry *entry = entry_of(name);

    return entry ? entry->run : NULL;
}

int is_special_builtin(const char *name)
{
    const struct BuiltinEntry *entry = entry_of(name);

    return entry && entry->special;
}
