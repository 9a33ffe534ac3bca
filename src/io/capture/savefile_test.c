/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a capture, opened by the child that keeps the privileges. */
#undef NDEBUG
#include "io/capture/savefile.h"

#include "base/check.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void guarded_test(const char *folder) {
    char path[200], name[SAVEFILE_NAME_MAX];
    struct savefiles *s;
    snprintf(path, sizeof path, "%s/out.pcap", folder);
    struct savefile_plan plan = {.path = path, .style = SAVEFILE_RING};
    assert(savefiles_make(&s, &plan, true) == OK);
    int fd = savefiles_open(s, 0, 0, name, sizeof name);
    assert(fd > 2 && write(fd, "x", 1) == 1 && access(name, F_OK) == 0 && strstr(name, "out_00001_"));
    SAYS("the child opens the file whose name the plan gives");
    struct rlimit had, tight = {.rlim_cur = (rlim_t)fd + 1};
    assert(getrlimit(RLIMIT_NOFILE, &had) == 0);
    tight.rlim_max = had.rlim_max;
    assert(setrlimit(RLIMIT_NOFILE, &tight) == 0);
    assert(savefiles_open(s, 1, 0, name, sizeof name) == -1 && errno == EMFILE);
    assert(setrlimit(RLIMIT_NOFILE, &had) == 0);
    SAYS("a descriptor that there is no room for is an error, not standard input");
    assert(savefiles_remove(s, 1, 0) == 0 && savefiles_remove(s, 0, 0) == 0);
    assert(savefiles_remove(s, 0, 0) == -1 && errno == ENOENT);
    SAYS("files are removed by their numbers, once");
    close(fd);
    savefiles_free(s);
}

int main(void) {
    char folder[] = "/tmp/weir-savefile-XXXXXX";
    assert(mkdtemp(folder));
    guarded_test(folder);
    assert(rmdir(folder) == 0);
    return 0;
}
