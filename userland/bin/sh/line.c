/* Reading a line from a terminal: editing keys and history. */
#include "sh.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define HISTORY 200
#define CONTROL(letter) ((letter) & 31)

enum Key { KEY_NONE = 256, KEY_LEFT, KEY_RIGHT, KEY_UP, KEY_DOWN, KEY_HOME, KEY_END, KEY_DELETE };

static char *history[HISTORY]; /* the oldest first */
static int history_count;

struct Editor {
    const char *prompt;
    struct Text line;
    size_t at;     /* of the cursor, in bytes */
    int shown;     /* which line of the history is shown; history_count: the new one */
    char *kept;    /* the new line, while an old one is shown */
    struct Text cut;
};

static int is_continuation(char c)
{
    return (c & 0xc0) == 0x80; /* of a character in UTF-8 */
}

static size_t columns(const char *s, size_t size)
{
    size_t count = 0;

    while (size--)
        count += !is_continuation(*s++);
    return count;
}

/* How many columns are left for the line, behind the prompt. */
static size_t room(const struct Editor *editor)
{
    struct winsize window;
    size_t prompt = columns(editor->prompt, strlen(editor->prompt));
    size_t width = ioctl(shell.terminal, TIOCGWINSZ, &window) == 0 && window.ws_col
                       ? window.ws_col
                       : 80;

    return width > prompt + 20 ? width - prompt - 1 : 20;
}

/* Show as much of the line as fits, so that the cursor can be seen. */
static void redraw(const struct Editor *editor)
{
    const char *start = editor->line.chars, *cursor = start + editor->at;
    size_t width = room(editor), shown = editor->line.size;

    while (columns(start, cursor - start) > width)
        start++;
    while (is_continuation(*start))
        start++;
    shown -= start - editor->line.chars;
    while (columns(start, shown) > width)
        shown--;
    size_t behind = columns(cursor, start + shown - cursor);
    printf("\r%s%.*s\033[K", editor->prompt, (int)shown, start);
    if (behind)
        printf("\033[%luD", behind);
    fflush(stdout);
}

/* --- the line ------------------------------------------------------------------------------- */

static void insert(struct Editor *editor, char c)
{
    text_put(&editor->line, 0);
    memmove(editor->line.chars + editor->at + 1, editor->line.chars + editor->at,
            editor->line.size - 1 - editor->at);
    editor->line.chars[editor->at++] = c;
    size_t used = columns(editor->line.chars, editor->line.size);
    if (editor->at == editor->line.size && used < room(editor)) {
        putchar(c);
        fflush(stdout);
    } else {
        redraw(editor);
    }
}

static void delete(struct Editor *editor, size_t from, size_t to, int keep)
{
    if (keep) {
        editor->cut.size = 0;
        text_add(&editor->cut, editor->line.chars + from, to - from);
    }
    memmove(editor->line.chars + from, editor->line.chars + to, editor->line.size - to + 1);
    editor->line.size -= to - from;
    editor->at = from;
    redraw(editor);
}

static size_t before(const struct Editor *editor)
{
    size_t at = editor->at;

    while (at && is_continuation(editor->line.chars[--at]))
        ;
    return at;
}

static size_t behind(const struct Editor *editor)
{
    size_t at = editor->at;

    while (at < editor->line.size && is_continuation(editor->line.chars[++at]))
        ;
    return at;
}

static size_t word_start(const struct Editor *editor)
{
    size_t at = editor->at;

    while (at && isspace(editor->line.chars[at - 1]))
        at--;
    while (at && !isspace(editor->line.chars[at - 1]))
        at--;
    return at;
}

static void replace(struct Editor *editor, const char *text)
{
    editor->line.size = 0;
    text_add(&editor->line, text, strlen(text));
    editor->at = editor->line.size;
    redraw(editor);
}

/* --- history -------------------------------------------------------------------------------- */

static void show(struct Editor *editor, int which)
{
    if (which < 0 || which > history_count)
        return;
    if (editor->shown == history_count) {
        free(editor->kept);
        editor->kept = strdup(editor->line.chars);
    }
    editor->shown = which;
    replace(editor, which < history_count ? history[which] : editor->kept);
}

static void remember(const char *line)
{
    if (!*line || (history_count && !strcmp(history[history_count - 1], line)))
        return;
    if (history_count == HISTORY) {
        free(history[0]);
        memmove(history, history + 1, (HISTORY - 1) * sizeof *history);
        history_count--;
    }
    history[history_count++] = strdup(line);
}

/* --- file names ----------------------------------------------------------------------------- */

static void list_matches(const struct Editor *editor, const struct Word *matches)
{
    putchar('\n');
    for (; matches; matches = matches->next)
        printf("%s  ", matches->text);
    putchar('\n');
    redraw(editor);
}

/* Complete the word before the cursor as far as all file names that start with it agree. */
static void complete(struct Editor *editor)
{
    struct ArenaMark mark = arena_mark(&scratch);
    size_t start = word_start(editor), typed = editor->at - start;
    char *pattern = arena_copy(&scratch, editor->line.chars + start, typed + 1);

    pattern[typed] = '*';
    struct Word *matches = glob(pattern);
    if (matches) {
        size_t common = strlen(matches->text);
        for (const struct Word *other = matches->next; other; other = other->next)
            while (strncmp(other->text, matches->text, common))
                common--;
        for (size_t i = typed; i < common; i++)
            insert(editor, matches->text[i]);
        if (!matches->next)
            insert(editor, ' ');
        else if (common == typed)
            list_matches(editor, matches);
    }
    arena_release(&scratch, mark);
}

/* --- keys ----------------------------------------------------------------------------------- */

static int read_byte(void)
{
    unsigned char c;
    ssize_t size;

    do
        size = read(shell.terminal, &c, 1);
    while (size < 0 && errno == EINTR);
    return size == 1 ? c : -1;
}

/* ESC [ letter, ESC [ number ~, ESC O letter */
static int read_escape_key(void)
{
    int c = read_byte();

    if (c != '[' && c != 'O')
        return KEY_NONE;
    c = read_byte();
    switch (c) {
    case 'A': return KEY_UP;
    case 'B': return KEY_DOWN;
    case 'C': return KEY_RIGHT;
    case 'D': return KEY_LEFT;
    case 'H': return KEY_HOME;
    case 'F': return KEY_END;
    }
    int number = c;
    while (c >= 0 && c != '~' && !isalpha(c))
        c = read_byte();
    return number == '1' || number == '7'   ? KEY_HOME
           : number == '4' || number == '8' ? KEY_END
           : number == '3'                  ? KEY_DELETE
                                            : KEY_NONE;
}

static void move(struct Editor *editor, size_t at)
{
    editor->at = at;
    redraw(editor);
}

/* Act on a key that edits. */
static void edit(struct Editor *editor, int key)
{
    switch (key) {
    case KEY_LEFT: case CONTROL('b'): move(editor, before(editor)); return;
    case KEY_RIGHT: case CONTROL('f'): move(editor, behind(editor)); return;
    case KEY_HOME: case CONTROL('a'): move(editor, 0); return;
    case KEY_END: case CONTROL('e'): move(editor, editor->line.size); return;
    case KEY_UP: case CONTROL('p'): show(editor, editor->shown - 1); return;
    case KEY_DOWN: case CONTROL('n'): show(editor, editor->shown + 1); return;
    case 127: case CONTROL('h'): delete(editor, before(editor), editor->at, 0); return;
    case KEY_DELETE: case CONTROL('d'): delete(editor, editor->at, behind(editor), 0); return;
    case CONTROL('u'): delete(editor, 0, editor->at, 1); return;
    case CONTROL('k'): delete(editor, editor->at, editor->line.size, 1); return;
    case CONTROL('w'): delete(editor, word_start(editor), editor->at, 1); return;
    case CONTROL('l'): printf("\033[H\033[2J"); redraw(editor); return;
    case CONTROL('y'):
        for (size_t i = 0; i < editor->cut.size; i++)
            insert(editor, editor->cut.chars[i]);
        return;
    case '\t': complete(editor); return;
    }
    if (key >= ' ' && key < KEY_NONE)
        insert(editor, key);
}

/* Edit until Enter; 0 at the end of the input. */
static int edit_line(struct Editor *editor)
{
    for (;;) {
        int key = read_byte();
        if (key == 27)
            key = read_escape_key();
        switch (key) {
        case '\r': case '\n':
            return 1;
        case CONTROL('c'):
            printf("^C");
            editor->line.size = 0;
            *editor->line.chars = 0;
            shell.status = 130;
            return 1;
        case -1:
            return 0;
        case CONTROL('d'):
            if (!editor->line.size)
                return 0;
        }
        edit(editor, key);
    }
}

static void make_raw(struct termios *modes)
{
    modes->c_iflag &= ~(ICRNL | IXON);
    modes->c_lflag &= ~(ICANON | ECHO | ISIG | IEXTEN);
    modes->c_cc[VMIN] = 1;
    modes->c_cc[VTIME] = 0;
}

char *line_edit(const char *prompt)
{
    struct Editor editor = {.prompt = prompt, .shown = history_count};
    struct termios cooked, raw;

    text_add(&editor.line, "", 0);
    if (tcgetattr(shell.terminal, &cooked) == 0) {
        raw = cooked;
        make_raw(&raw);
        tcsetattr(shell.terminal, TCSADRAIN, &raw);
    }
    fputs(prompt, stdout);
    fflush(stdout);
    int got = edit_line(&editor);
    putchar('\n');
    fflush(stdout);
    tcsetattr(shell.terminal, TCSADRAIN, &cooked);
    shell.interrupted = 0;
    free(editor.kept);
    text_free(&editor.cut);
    if (!got) {
        text_free(&editor.line);
        return NULL;
    }
    remember(editor.line.chars);
    return editor.line.chars;
}
