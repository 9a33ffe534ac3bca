/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: a lesson plays in a new folder, which becomes the present one so that the commands shown are
 * short, and in a network namespace of its own where the system allows one: then its ports are those of the text,
 * nothing of the machine is disturbed, and nothing of the machine is in the capture. Where it does not, loopback is
 * used, with free ports. Each step waits for the effect of the one before, never only for time. Children end with this
 * process. The folder keeps captures and keys where the lesson came to its end, and loses everything else. */
#include "app/lesson/lesson.h"
#include "app/lesson/world.h"
#include "app/story.h"
#include "view/words.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_ether.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEP_MS = 20, SETTLE_MS = 300, RUN_MS = 30000, LINES = 8, LINE_BYTES = 1024 };

/* ---- words on the screen ---- */

static const char *paint(const struct scene *s, const char *code) { return s->color ? code : ""; }

/* wrapped prints a text in lines of the terminal's width. */
static void wrapped(const struct scene *s, const char *text, size_t indent) {
    struct writer w = wr_grow();
    text_wrap(&w, slice_str(text), indent, s->width);
    fwrite(w.buf, 1, wr_len(&w), stdout);
    wr_free(&w);
}

void scene_say(struct scene *s, const char *text) {
    if (children_stopped()) return;
    putchar('\n');
    wrapped(s, words(text), 0);
    fflush(stdout);
}

void scene_step(struct scene *s, const char *text) {
    if (children_stopped()) return;
    printf("\n%s", paint(s, "\033[1m"));
    wrapped(s, words(text), 0);
    printf("%s", paint(s, "\033[0m"));
    fflush(stdout);
}

/* pause waits for Enter where a person sits there. */
static void wait_enter(struct scene *s) {
    if (s->yes || children_stopped()) return;
    printf("%s%s%s", paint(s, "\033[2m"), words(N_("(Enter goes on)")), paint(s, "\033[0m"));
    fflush(stdout);
    char byte;
    ssize_t n;
    do n = read(STDIN_FILENO, &byte, 1);
    while ((n < 0 && errno == EINTR && !children_stopped()) || (n == 1 && byte != '\n'));
    if (n == 0) s->yes = true; /* nobody is there any more */
}

void scene_ask(struct scene *s, const char *question, const char *answer) {
    if (children_stopped()) return;
    printf("\n%s? ", paint(s, "\033[1;33m"));
    wrapped(s, words(question), 2);
    printf("%s", paint(s, "\033[0m"));
    wait_enter(s);
    if (children_stopped()) return;
    printf("%s> ", paint(s, "\033[33m"));
    wrapped(s, words(answer), 2);
    printf("%s", paint(s, "\033[0m"));
    fflush(stdout);
}

/* as_typed prints a command line with this program's name as a person would have to type it. */
static void as_typed(const struct scene *s, const char *line) {
    while (*line) {
        bool ours = !strncmp(line, "weir ", 5);
        size_t n = strcspn(line, " ") + 1;
        if (n > strlen(line)) n = strlen(line);
        if (ours) printf("%s ", s->typed);
        else printf("%.*s", (int)n, line);
        line += n;
    }
}

void scene_next(struct scene *s, const char *const *lines) {
    if (children_stopped()) return;
    scene_step(s, N_("To go on:"));
    if (s->in_dir) printf("  cd %s\n", s->dir);
    for (; *lines; lines++) {
        printf("  ");
        as_typed(s, *lines);
        putchar('\n');
    }
    fflush(stdout);
}

static void prompt(struct scene *s, const char *line, const char *behind) {
    printf("\n%s$ ", paint(s, "\033[1;36m"));
    as_typed(s, line);
    printf("%s%s\n", behind, paint(s, "\033[0m"));
    fflush(stdout);
}

const char *scene_line(const char *format, ...) {
    static char lines[LINES][LINE_BYTES];
    static int next;
    char *line = lines[next++ % LINES];
    va_list ap;
    va_start(ap, format);
    vsnprintf(line, LINE_BYTES, format, ap);
    va_end(ap);
    return line;
}

int scene_failed(struct scene *s, const char *text) {
    if (children_stopped()) return EXIT_TROUBLE;
    fflush(stdout);
    return opt_bad_use(s->cmd, "%s", words(text));
}

/* ---- commands ---- */

/* shell runs a line by sh, which knows "weir" as this program; "exec" lets signals reach the program itself. */
static int shell(struct scene *s, const char *log, const char *line, bool alone) {
    char text[LINE_BYTES + LESSON_PATH + 64];
    snprintf(text, sizeof text, "weir() { \"%s\" \"$@\"; }\n%s", s->self, line);
    bool ours = alone && !strncmp(line, "weir ", 5);
    if (ours) snprintf(text, sizeof text, "exec \"%s\" %s", s->self, line + 5);
    else if (alone) snprintf(text, sizeof text, "exec %s", line);
    return child_start(&s->kids, log, (char *[]){"/bin/sh", "-c", text, NULL});
}

static int run_to_end(struct scene *s, const char *log, const char *line) {
    if (children_stopped()) return -1;
    int at = shell(s, log, line, false), status = at < 0 ? -1 : child_wait(&s->kids, at, RUN_MS);
    if (status >= 0 && at == s->kids.n - 1) s->kids.n--;
    return status;
}

int scene_run(struct scene *s, const char *line) {
    if (children_stopped()) return -1;
    prompt(s, line, "");
    return run_to_end(s, NULL, line);
}

int scene_quiet(struct scene *s, const char *log, const char *line) { return run_to_end(s, log, line); }

int scene_start(struct scene *s, const char *log, const char *line) {
    if (children_stopped()) return -1;
    prompt(s, line, " &");
    return shell(s, log, line, true);
}

void scene_show(struct scene *s, const char *log) {
    char line[1024];
    FILE *f = children_stopped() ? NULL : fopen(log, "re");
    while (f && fgets(line, sizeof line, f)) printf("%s  %s%s", paint(s, "\033[2m"), line, paint(s, "\033[0m"));
    if (f) fclose(f);
    fflush(stdout);
}

/* ---- waiting for effects ---- */

static int lines_in(const char *path) {
    FILE *f = fopen(path, "re");
    int n = 0;
    for (int c; f && (c = getc(f)) != EOF;) n += c == '\n';
    if (f) fclose(f);
    return n;
}

bool scene_lines(struct scene *s, const char *log, int lines) {
    (void)s;
    for (int left = LESSON_START_MS; left > 0; left -= STEP_MS)
        if (lines_in(log) >= lines) return true;
        else if (!children_nap(STEP_MS)) break;
    return false;
}

bool scene_subscribed(struct scene *s, const char *client) {
    char line[256], wanted[64];
    bool found = false;
    (void)s;
    snprintf(wanted, sizeof wanted, ": %s ", client); /* "TIME: CLIENT QOS FILTER" */
    for (int left = LESSON_START_MS; left > 0 && !found && children_nap(STEP_MS); left -= STEP_MS) {
        FILE *f = fopen("broker.log", "re");
        while (f && !found && fgets(line, sizeof line, f)) found = strstr(line, wanted) != NULL;
        if (f) fclose(f);
    }
    return found;
}

static int loopback_socket(struct sockaddr_in *a, int port) {
    *a = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

/* bindable gives the port bound for a moment: `port`, or any where it is 0; 0 where there is none. */
static int bindable(int port) {
    struct sockaddr_in a;
    socklen_t n = sizeof a;
    int fd = loopback_socket(&a, port), got = 0, on = 1;
    if (fd >= 0) (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd >= 0 && !bind(fd, (struct sockaddr *)&a, sizeof a) && !getsockname(fd, (struct sockaddr *)&a, &n))
        got = ntohs(a.sin_port);
    if (fd >= 0) close(fd);
    return got;
}

void scene_port(struct scene *s, int wanted, char port[static LESSON_PORT]) {
    int got = s->own_net ? bindable(wanted) : 0;
    snprintf(port, LESSON_PORT, "%d", got ? got : bindable(0));
}

/* listening looks in the kernel's table, so that a capture does not see us knocking. */
static bool listening(unsigned port) {
    char line[256];
    unsigned local, state;
    bool found = false;
    static const char *const tables[] = {"/proc/self/net/tcp", "/proc/self/net/tcp6"};
    for (size_t i = 0; i < 2 && !found; i++) {
        FILE *f = fopen(tables[i], "re");
        while (f && !found && fgets(line, sizeof line, f))
            found = sscanf(line, "%*s %*[0-9A-F]:%x %*[0-9A-F]:%*x %x", &local, &state) == 2 && local == port &&
                    state == 10;
        if (f) fclose(f);
    }
    return found;
}

bool scene_listens(struct scene *s, const char *port) {
    (void)s;
    for (int left = LESSON_START_MS; left > 0; left -= STEP_MS)
        if (listening((unsigned)atoi(port))) return true;
        else if (!children_nap(STEP_MS)) break;
    return false;
}

/* ---- actors that many lessons need ---- */

bool scene_write(struct scene *s, const char *name, const char *text, ...) {
    (void)s;
    FILE *f = fopen(name, "we");
    va_list ap;
    if (!f) return false;
    va_start(ap, text);
    vfprintf(f, text, ap);
    va_end(ap);
    return fclose(f) == 0;
}

bool scene_broker(struct scene *s, const char *port, const char *more) {
    const char *user = s->own_net && getuid() == 0 ? "user root\n" : ""; /* the namespace may have no other user */
    return scene_write(s, "broker.conf",
                       "listener %s 127.0.0.1\nallow_anonymous true\npersistence false\nlog_dest stderr\nlog_type "
                       "subscribe\n%s%s",
                       port, user, more) &&
           scene_start(s, "broker.log", "mosquitto -c broker.conf") >= 0 && scene_listens(s, port);
}

bool scene_capture(struct scene *s, const char *file, const char *filter) {
    struct stat st;
    if (children_stopped()) return false;
    unlink("capture.log");
    unlink(file);
    prompt(s, scene_line("weir capture -i lo -w %s %s", file, filter), " &");
    s->capture = shell(s, "capture.log", scene_line("weir capture -i lo -U -Z root -w %s %s", file, filter), true);
    for (int left = LESSON_START_MS; s->capture >= 0 && left > 0 && children_nap(STEP_MS); left -= STEP_MS) {
        if (!child_running(&s->kids, s->capture)) return false;
        /* it says so, or the file has its head; a moment more lets the kernel's filter settle */
        if (lines_in("capture.log") > 0 || (!stat(file, &st) && st.st_size > 0)) return children_nap(SETTLE_MS);
    }
    return false;
}

bool scene_capture_end(struct scene *s) {
    if (s->capture < 0 || !children_nap(SETTLE_MS)) return false;
    child_signal(&s->kids, s->capture, SIGINT);
    bool ok = child_wait(&s->kids, s->capture, LESSON_START_MS) == 0;
    s->capture = -1;
    scene_show(s, "capture.log");
    return ok;
}

/* ---- beginning and end ---- */

/* path_complete adds the folders of servers and administration, which a user's PATH often lacks. */
static void path_complete(void) {
    const char *path = getenv("PATH");
    char all[4096];
    snprintf(all, sizeof all, "%s:/usr/sbin:/usr/local/sbin:/sbin", path ? path : "/usr/bin:/bin");
    setenv("PATH", all, 1);
}

static bool in_path(const char *program, char out[static LESSON_PATH]) {
    char all[4096], *save = NULL;
    snprintf(all, sizeof all, "%s", getenv("PATH"));
    for (char *dir = strtok_r(all, ":", &save); dir; dir = strtok_r(NULL, ":", &save)) {
        int n = snprintf(out, LESSON_PATH, "%s/%s", dir, program);
        if (n < LESSON_PATH && !access(out, X_OK)) return true;
    }
    return false;
}

/* name_self: "weir" where the shell would find this very file, else the whole path. */
static void name_self(struct scene *s) {
    char found[LESSON_PATH], real[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", s->self, sizeof s->self - 1);
    s->self[n > 0 ? n : 0] = 0;
    bool ours = in_path("weir", found) && realpath(found, real) && !strcmp(real, s->self);
    snprintf(s->typed, sizeof s->typed, "%s", ours ? "weir" : s->self);
}

static bool make_dir(struct scene *s) {
    const char *tmp = getenv("TMPDIR");
    snprintf(s->dir, sizeof s->dir - 1, "%s/weir-%s-XXXXXX", tmp && tmp[0] ? tmp : "/tmp", s->lesson->name);
    if (mkdtemp(s->dir) && chdir(s->dir) == 0) return true;
    s->dir[0] = 0;
    return false;
}

/* worth_keeping: what a person goes on with. */
static bool worth_keeping(const char *name) {
    static const char *const ends[] = {".pcapng", "keys.log", ".key", ".yaml", ".db"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t n = strlen(name), m = strlen(ends[i]);
        if (n >= m && !strcmp(name + n - m, ends[i])) return true;
    }
    return false;
}

/* Under sudo the captures belong to who typed the command, so that the next commands need no sudo. */
static void give_back(const char *path) {
    const char *uid = getenv("SUDO_UID"), *gid = getenv("SUDO_GID");
    if (geteuid() != 0 || !uid || !gid) return;
    if (lchown(path, (uid_t)strtoul(uid, NULL, 10), (gid_t)strtoul(gid, NULL, 10)))
        fprintf(stderr, "weir lesson: %s stays with root\n", path);
}

static void clean_up(struct scene *s) {
    children_end(&s->kids);
    DIR *d = s->dir[0] ? opendir(s->dir) : NULL;
    bool keep = s->done && !children_stopped();
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        if (keep && worth_keeping(e->d_name)) give_back(e->d_name);
        else if (unlinkat(dirfd(d), e->d_name, 0)) fprintf(stderr, "weir lesson: %s/%s stays\n", s->dir, e->d_name);
    }
    if (d) closedir(d);
    if (keep) give_back(s->dir);
    if (keep && s->keep) give_back(s->keep);
    (void)!chdir("/");
    if (s->dir[0]) rmdir(s->dir); /* fails where something is kept */
}

/* Whether capturing is allowed: the same socket libpcap would open. */
static bool may_capture(void) {
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    if (fd >= 0) close(fd);
    return fd >= 0;
}

/* hindrance gives what keeps a lesson from playing, as one sentence with the remedy; NULL: nothing. */
static const char *hindrance(struct scene *s) {
    static char text[512];
    char program[LESSON_PATH], packages[256] = "";
    for (const char *const *p = s->lesson->programs; *p; p += 2) {
        if (in_path(p[0], program) || strstr(packages, p[1])) continue;
        strncat(packages, " ", sizeof packages - strlen(packages) - 1);
        strncat(packages, p[1], sizeof packages - strlen(packages) - 1);
    }
    if (packages[0]) {
        struct writer w = wr_fixed(text, sizeof text - 1);
        struct argument args[] = {{.text = slice_str(s->lesson->name)}, {.text = slice_str(packages)}};
        words_fill(&w, N_("The lesson '%1$s' needs programs that are not here: `sudo apt install%2$s`."), args, 2);
        *w.p = 0;
        return text;
    }
    s->own_net = own_network();
    if (s->own_net || may_capture()) return NULL;
    return words(N_("Capturing needs the right to open the interface: run this with sudo, or once `sudo setcap "
                    "cap_net_raw,cap_net_admin+ep` on the program."));
}

static int play(struct scene *s, bool sample) {
    const char *why = sample ? NULL : hindrance(s);
    bool mqtt = s->lesson->play == lesson_mqtt; /* the one a sample ships for */
    if (why && !mqtt) return opt_bad_use(s->cmd, "%s", why);
    if (why) printf("%s\n", why);
    if (!make_dir(s)) return opt_bad_use(s->cmd, "cannot make a folder in the temporary folder");
    if (sample || why) return lesson_sample(s);
    scene_step(s, s->lesson->what);
    if (s->own_net)
        scene_say(
            s, N_("This plays in a network of its own: nothing of this machine is touched, and no other traffic is in "
                  "the capture."));
    s->in_dir = !s->keep;
    prompt(s, scene_line("cd %s", s->dir), "");
    int rc = s->lesson->play(s);
    s->done = rc == EXIT_FINE;
    return rc;
}

/* capture_kept is where the capture goes that is asked for with -w: an absolute path, since the folder changes. */
static const char *capture_kept(const char *file, char path[PATH_MAX]) {
    char cwd[PATH_MAX / 2];
    if (!file || *file == '/' || !getcwd(cwd, sizeof cwd)) return file;
    snprintf(path, PATH_MAX, "%s/%s", cwd, file);
    return path;
}

int lesson_play(const struct lesson *l, const struct opt_command *cmd, const char *file, bool yes, bool sample) {
    char path[PATH_MAX];
    struct scene s = {.cmd = cmd,
                      .lesson = l,
                      .keep = capture_kept(file, path),
                      .yes = yes || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO),
                      .color = story_color(0),
                      .width = story_width(),
                      .capture = -1};
    children_watch();
    path_complete();
    name_self(&s);

    int rc = play(&s, sample);
    clean_up(&s);
    if (children_stopped()) {
        signal(children_stopped(), SIG_DFL);
        raise(children_stopped());
    }
    return rc;
}
