/* xargs: run a program (echo) with the words of standard input as arguments; -n N at most at once,
 * -I TEXT once for each line, in place of TEXT, -r not without any word. */
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_ARGUMENTS 1000

static char *command[MOST_ARGUMENTS + 64];
static int fixed, count, result;

/* Run the command with what was collected. */
static void run(void)
{
    int status;

    command[fixed + count] = NULL;
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        err(1, "fork");
    if (pid == 0) {
        execvp(command[0], command);
        warn("%s", command[0]);
        _exit(errno == ENOENT ? 127 : 126);
    }
    while (waitpid(pid, &status, 0) < 0)
        ;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (code >= 126)
        exit(code);
    if (code)
        result = 123;
    while (count)
        free(command[fixed + --count]);
}

/* The next word: blanks end it, quotes and backslashes protect. NULL at the end. */
static char *next_word(void)
{
    char word[4096];
    size_t size = 0;
    int c = getchar(), quote = 0;

    while (c != EOF && isspace(c))
        c = getchar();
    if (c == EOF)
        return NULL;
    for (; c != EOF && (quote || !isspace(c)); c = getchar()) {
        if (quote ? c == quote : c == '\'' || c == '"') {
            quote = quote ? 0 : c;
            continue;
        }
        if (c == '\\' && !quote)
            c = getchar();
        if (size == sizeof word - 1)
            errx(1, "a word is too long");
        word[size++] = c;
    }
    word[size] = 0;
    return strdup(word);
}

/* A word with every `text` in it replaced. */
static char *replaced(const char *word, const char *text, const char *by)
{
    size_t length = strlen(text), used = 0;
    char *copy = malloc(strlen(word) * (strlen(by) + 1) + 1);

    for (; *word; ) {
        if (!strncmp(word, text, length)) {
            strcpy(copy + used, by);
            used += strlen(by);
            word += length;
        } else {
            copy[used++] = *word++;
        }
    }
    copy[used] = 0;
    return copy;
}

static void run_for_each_line(char *words[], int word_count, const char *text)
{
    char *line = NULL;
    size_t room = 0;

    fixed = 0;
    while (getline(&line, &room, stdin) > 0) {
        line[strcspn(line, "\n")] = 0;
        char *start = line + strspn(line, " \t");
        if (!*start)
            continue;
        for (count = 0; count < word_count; count++)
            command[count] = replaced(words[count], text, start);
        run();
    }
    free(line);
}

int main(int argc, char *argv[])
{
    static char *echo[] = {"echo"};
    int most = MOST_ARGUMENTS, skip_empty = 0, ran = 0;
    const char *text = NULL;
    char *word;

    /* Our own options end where the command begins. */
    for (int option; optind < argc && argv[optind][0] == '-' &&
                     (option = getopt(argc, argv, "n:I:r")) != -1;)
        switch (option) {
        case 'n': most = atoi(optarg); break;
        case 'I': text = optarg; break;
        case 'r': skip_empty = 1; break;
        default: return 1;
        }
    char **words = optind < argc ? argv + optind : echo;
    fixed = optind < argc ? argc - optind : 1;
    if (fixed > 60 || most < 1)
        errx(1, "usage: xargs [-n N] [-I TEXT] [-r] [PROGRAM [ARGUMENT]...]");
    if (text) {
        run_for_each_line(words, fixed, text);
        return result;
    }
    memcpy(command, words, fixed * sizeof *command);
    while ((word = next_word())) {
        command[fixed + count++] = word;
        if (count == most || count == MOST_ARGUMENTS) {
            run();
            ran = 1;
        }
    }
    if (count || (!ran && !skip_empty))
        run();
    return result;
}
