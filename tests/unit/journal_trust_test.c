/*
 * What the journal promises about trust and about loss. Folders and files that somebody else owns,
 * or could have put there, are refused, and links to elsewhere are not followed. What is saved is
 * on disk before it counts: fsync is our own here, and only writes down what it was asked for and
 * when. Others are played by giving things away, for which one has to be root; those tests are
 * skipped for everyone else.
 */
#include "netsetup/journal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    SOMEBODY = 4321, /* a user id that is not ours */
};

static char top[] = "/tmp/journal-trust-XXXXXX";
static char dir[64], path[128], temporary[128], elsewhere[64], target[128];
static const struct netns_id here = {.inode = 4711, .cookie = 1, .boot = "b-1"};
static const struct op change = {.kind = OP_RULE, .ifname = "tun0"};

/* What fsync was called for since the test began. */
static struct {
    unsigned calls;
    bool folder[2];   /* the folder, or a file */
    bool in_place[2]; /* whether the journal had its name by then */
    int error;        /* to fail with, or 0 */
} synced;

int fsync(int fd)
{
    unsigned i = synced.calls++;
    struct stat st;

    if (i < 2) {
        synced.folder[i] = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
        synced.in_place[i] = access(path, F_OK) == 0;
    }
    errno = synced.error;
    return synced.error ? -1 : 0;
}

static int make_top(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(top));
    snprintf(dir, sizeof(dir), "%s/state", top);
    snprintf(path, sizeof(path), "%s/net-4711.json", dir);
    snprintf(temporary, sizeof(temporary), "%s/net-4711.tmp", dir);
    snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", top);
    snprintf(target, sizeof(target), "%s/net-4711.json", elsewhere);
    return 0;
}

static int remove_top(void **state)
{
    (void)state;
    return rmdir(top); /* fails if a test left something behind */
}

static int clear(void **state)
{
    (void)state;
    memset(&synced, 0, sizeof(synced));
    unlink(path);
    unlink(temporary);
    unlink(target);
    if (rmdir(dir) < 0)
        unlink(dir);
    rmdir(elsewhere);
    return 0;
}

/* A folder with a journal of one change in it, the file at `file`. */
static void make_journal(const char *folder, const char *file)
{
    struct journal *j = NULL;

    assert_int_equal(journal_open_in(folder, &here, true, &j), 0);
    assert_int_equal(journal_put(j, &change), 0);
    assert_int_equal(journal_save(j), 0);
    journal_close(j);
    assert_int_equal(access(file, F_OK), 0);
}

/* Neither `up` and `down` nor `status` and `plan` take what is in `dir`. */
static void both_say(int want)
{
    struct journal *j = NULL;

    assert_int_equal(journal_open_in(dir, &here, true, &j), want);
    assert_int_equal(journal_open_in(dir, &here, false, &j), want);
}

/* ---- links ---- */

static void a_file_that_is_a_link_is_not_read(void **state)
{
    (void)state;
    make_journal(elsewhere, target);
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(symlink(target, path), 0);
    both_say(-ELOOP);
}

static void a_folder_that_is_a_link_is_not_entered(void **state)
{
    struct journal *j = NULL;

    (void)state;
    make_journal(elsewhere, target);
    assert_int_equal(symlink(elsewhere, dir), 0);
    assert_true(journal_open_in(dir, &here, true, &j) < 0);
    assert_true(journal_open_in(dir, &here, false, &j) < 0);
}

/* What is written goes to a new file; a link that waits there does not lead it to another. */
static void nothing_is_written_through_a_link(void **state)
{
    struct journal *j = NULL;
    struct stat st;

    (void)state;
    assert_int_equal(mkdir(elsewhere, 0700), 0);
    assert_int_equal(journal_open_in(dir, &here, true, &j), 0);
    assert_int_equal(symlink(target, temporary), 0);
    assert_int_equal(journal_put(j, &change), 0);
    assert_int_equal(journal_save(j), -ELOOP);
    assert_int_not_equal(lstat(target, &st), 0);
    assert_int_equal(unlink(temporary), 0); /* it stays, because it is not ours to take away */
    assert_int_equal(journal_save(j), 0);
    j->ops = 0;
    assert_int_equal(journal_save(j), 0);
    journal_close(j);
}

/* Whoever reads while it is written sees all of the old or all of the new: it is another file. */
static void what_is_there_is_replaced_whole(void **state)
{
    struct journal *j = NULL;
    struct stat before, after;

    (void)state;
    make_journal(dir, path);
    assert_int_equal(mkdir(elsewhere, 0700), 0);
    assert_int_equal(link(path, target), 0); /* keeps the old file, and so its number */
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(journal_open_in(dir, &here, true, &j), 0);
    assert_int_equal(journal_save(j), 0);
    assert_int_equal(stat(path, &after), 0);
    assert_true(before.st_ino != after.st_ino);
    journal_close(j);
}

/* ---- on disk ---- */

static void it_is_on_disk_before_it_counts(void **state)
{
    (void)state;
    make_journal(dir, path);
    assert_int_equal(synced.calls, 2);
    assert_true(!synced.folder[0] && !synced.in_place[0]); /* the bytes, then the name */
    assert_true(synced.folder[1] && synced.in_place[1]);
}

static void a_disk_that_fails_is_an_error(void **state)
{
    struct journal *j = NULL;
    struct stat st;

    (void)state;
    assert_int_equal(journal_open_in(dir, &here, true, &j), 0);
    assert_int_equal(journal_put(j, &change), 0);
    synced.error = EIO;
    assert_int_equal(journal_save(j), -EIO);
    assert_int_not_equal(lstat(path, &st), 0); /* nothing half written bears the name */
    assert_int_not_equal(lstat(temporary, &st), 0);
    j->ops = 0;
    journal_close(j);
}

/* ---- somebody else's ---- */

static void give_away(const char *name)
{
    if (chown(name, SOMEBODY, (gid_t)-1) < 0)
        skip(); /* not root, or root where there is nobody else */
}

static void somebodys_folder(void **state)
{
    (void)state;
    make_journal(dir, path);
    give_away(dir);
    both_say(-EACCES);
}

static void somebodys_file(void **state)
{
    (void)state;
    make_journal(dir, path);
    give_away(path);
    both_say(-EACCES);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, clear, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_that_is_a_link_is_not_read),
        TEST(a_folder_that_is_a_link_is_not_entered),
        TEST(nothing_is_written_through_a_link),
        TEST(what_is_there_is_replaced_whole),
        TEST(it_is_on_disk_before_it_counts),
        TEST(a_disk_that_fails_is_an_error),
        TEST(somebodys_folder),
        TEST(somebodys_file),
    };

    return cmocka_run_group_tests(tests, make_top, remove_top);
}
