/* The journal on disk: what goes in comes out, and what is damaged or not ours is not believed. */
#include "netsetup/journal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

static char top[] = "/tmp/journal-test-XXXXXX";
static char dir[64], path[300];
static const struct netns_id here = {.inode = 4711, .cookie = 0xfedcba9876543210, .boot = "b-1"};

static int make_top(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(top));
    snprintf(dir, sizeof(dir), "%s/state", top);
    snprintf(path, sizeof(path), "%s/net-4711.json", dir);
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
    unlink(path);
    rmdir(dir);
    return 0;
}

static struct journal *open_journal(void)
{
    struct journal *j = NULL;

    assert_int_equal(journal_open_in(dir, &here, true, &j), 0);
    return j;
}

/* Write `text` as the journal file. */
static void write_text(const char *text)
{
    FILE *f;

    mkdir(dir, 0700);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static const struct op every_kind[] = {
    {.kind = OP_DEVICE,
     .ifname = "tun0",
     .index = 7,
     .owner = 1000,
     .group = 12,
     .holder = {"lab", "run 4711 815 12"},
     .holders = 2},
    {.kind = OP_ADDRESS, .ifname = "tun0", .index = 7},
    {.kind = OP_MTU, .ifname = "tun0", .index = 7, .mtu = 9000, .mtu_before = 1500},
    {.kind = OP_LINK_UP, .ifname = "a-name-of-15-ch", .index = 2147483647},
    {.kind = OP_CHAIN, .table_too = true, .firewall = FIREWALL_NFTABLES},
    {.kind = OP_RULE, .ifname = "tun0", .firewall = FIREWALL_IPTABLES_NFT},
    {.kind = OP_RULE, .ifname = "tun1", .firewall = FIREWALL_IPTABLES_LEGACY},
    {.kind = OP_ZONE, .ifname = "tun0", .zone = "public"},
    {.kind = OP_ZONE, .ifname = "tun1"},
    {.kind = OP_SYSCTL,
     .want = {"net/ipv4/ip_forward", "1"},
     .saved = {{"net/ipv4/ip_forward", "0"}, {"net/ipv4/conf/eth0.5/forwarding", "1"}},
     .saved_count = 2,
     .undoing = true},
    {.kind = OP_ADDRESS, .ifname = "tun0", .index = 7, .addr = {.prefix_len = 128}, .mroute = true},
    {.kind = OP_CHAIN, .family = FAMILY_IPV6, .firewall = FIREWALL_IPTABLES_NFT},
    {.kind = OP_RULE,
     .ifname = "tun0",
     .family = FAMILY_IPV6,
     .firewall = FIREWALL_IPTABLES_LEGACY},
    {.kind = OP_CHAIN, .masquerade = true, .firewall = FIREWALL_IPTABLES_NFT},
    {.kind = OP_RULE, .ifname = "tun0", .firewall = FIREWALL_NFTABLES, .addr = {.prefix_len = 24}},
    {.kind = OP_RULE,
     .ifname = "eth0",
     .firewall = FIREWALL_IPTABLES_NFT,
     .masquerade = true,
     .addr = {.prefix_len = 24}},
    {.kind = OP_SYSCTL,
     .ifname = "eth0.5",
     .index = 3,
     .want = {"net/ipv6/conf/eth0.5/accept_ra", "2"},
     .saved = {{"net/ipv6/conf/eth0.5/accept_ra", "1"}},
     .saved_count = 1},
};

enum {
    KINDS = sizeof(every_kind) / sizeof(every_kind[0]),
};

static void every_kind_survives(void **state)
{
    const struct addr v6 = {.b = {0xfd, [3] = 1, [15] = 7}};
    struct journal *j = open_journal();

    (void)state;
    for (unsigned i = 0; i < KINDS; i++) {
        struct op op = every_kind[i];

        if (op.kind == OP_ADDRESS && op.addr.prefix_len == 128)
            op.addr.addr = v6;
        else if (op.kind == OP_ADDRESS || op.addr.prefix_len)
            op.addr = (struct netlink_addr){.addr = addr_v4(0x0a000001), .prefix_len = 24};
        assert_int_equal(journal_put(j, &op), 0);
    }
    assert_int_equal(journal_save(j), 0);
    journal_close(j);

    j = open_journal();
    assert_int_equal(j->ops, KINDS);
    for (unsigned i = 0; i < KINDS; i++) {
        const struct op *a = &every_kind[i], *b = &j->op[i];

        assert_int_equal(a->kind, b->kind);
        assert_string_equal(a->ifname, b->ifname);
        assert_int_equal(a->index, b->index);
        assert_int_equal(a->owner, b->owner);
        assert_int_equal(a->group, b->group);
        assert_string_equal(a->zone, b->zone);
        assert_int_equal(a->mtu, b->mtu);
        assert_int_equal(a->mtu_before, b->mtu_before);
        assert_int_equal(a->holders, b->holders);
        for (unsigned h = 0; h < a->holders; h++)
            assert_string_equal(a->holder[h], b->holder[h]);
        assert_int_equal(a->table_too, b->table_too);
        assert_int_equal(a->undoing, b->undoing);
        assert_int_equal(a->family, b->family);
        assert_int_equal(a->mroute, b->mroute);
        if (a->kind == OP_RULE)
            assert_int_equal(a->firewall, b->firewall);
        assert_int_equal(a->masquerade, b->masquerade);
        if (a->kind == OP_RULE)
            assert_int_equal(a->addr.prefix_len, b->addr.prefix_len);
        assert_int_equal(a->saved_count, b->saved_count);
        assert_memory_equal(a->saved, b->saved, sizeof(a->saved));
        assert_memory_equal(&a->want, &b->want, sizeof(a->want));
    }
    assert_int_equal(addr_v4_value(&j->op[1].addr.addr), 0x0a000001);
    assert_int_equal(j->op[1].addr.prefix_len, 24);
    assert_int_equal(addr_v4_value(&j->op[KINDS - 2].addr.addr), 0x0a000001);
    assert_true(addr_eq(&j->op[KINDS - 7].addr.addr, &v6));
    assert_int_equal(j->op[KINDS - 7].addr.prefix_len, 128);
    assert_true(journal_made_device(j, "tun0", 7));
    assert_false(journal_made_device(j, "tun0", 8));
    assert_false(journal_made_device(j, "tun1", 7));
    journal_close(j);
}

static void the_same_thing_is_kept_once(void **state)
{
    struct journal *j = open_journal();
    struct op device = every_kind[0], chain = {.kind = OP_CHAIN, .firewall = FIREWALL_NFTABLES};

    (void)state;
    assert_int_equal(journal_put(j, &device), 0);
    assert_int_equal(journal_put(j, &every_kind[4]), 0);
    device.index = 99;
    assert_int_equal(journal_put(j, &device), 0);
    assert_int_equal(journal_put(j, &chain), 0);
    assert_int_equal(j->ops, 2);
    chain.firewall = FIREWALL_IPTABLES_NFT; /* that is another one */
    assert_int_equal(journal_put(j, &chain), 0);
    assert_int_equal(j->ops, 3);
    journal_drop(j, 2);
    assert_int_equal(j->op[0].index, 99);
    assert_true(j->op[1].table_too); /* it was missing before our first change */
    journal_drop(j, 0);
    assert_int_equal(j->ops, 1);
    assert_int_equal(j->op[0].kind, OP_CHAIN);
    journal_drop(j, 0);
    assert_int_equal(journal_save(j), 0);
    journal_close(j);
}

static void it_has_room_for_so_many(void **state)
{
    struct journal *j = open_journal();
    struct op op = {.kind = OP_RULE};

    (void)state;
    for (int i = 0; i < JOURNAL_OPS_MAX; i++) {
        snprintf(op.ifname, sizeof(op.ifname), "tun%d", i);
        assert_int_equal(journal_put(j, &op), 0);
    }
    assert_int_equal(journal_put(j, &op), 0); /* there already */
    snprintf(op.ifname, sizeof(op.ifname), "tunx");
    assert_int_equal(journal_put(j, &op), -E2BIG);
    j->ops = 0;
    journal_close(j);
}

static void an_empty_journal_leaves_nothing(void **state)
{
    struct journal *j = open_journal();

    (void)state;
    assert_int_equal(journal_put(j, &every_kind[0]), 0);
    assert_int_equal(journal_save(j), 0);
    assert_int_equal(access(path, F_OK), 0);
    journal_drop(j, 0);
    assert_int_equal(journal_save(j), 0);
    assert_int_not_equal(access(path, F_OK), 0);
    journal_close(j);
    assert_int_not_equal(access(dir, F_OK), 0);
}

static void a_namespace_that_is_gone(void **state)
{
    struct netns_id others[3] = {here, here, here};
    struct journal *j = open_journal();

    (void)state;
    assert_int_equal(journal_put(j, &every_kind[0]), 0);
    assert_int_equal(journal_save(j), 0);
    journal_close(j);
    others[0].cookie++;
    snprintf(others[1].boot, sizeof(others[1].boot), "b-2");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(journal_open_in(dir, &others[i], false, &j), 0);
        assert_int_equal(j->ops, 0);
        journal_close(j);
    }
    others[2].inode++; /* another file altogether */
    assert_int_equal(journal_open_in(dir, &others[2], false, &j), 0);
    assert_int_equal(j->ops, 0);
    journal_close(j);
}

/* Save a journal with one change for a namespace; its path to out[300]. */
static void save_for(const struct netns_id *netns, char *out)
{
    struct journal *j = NULL;

    assert_int_equal(journal_open_in(dir, netns, true, &j), 0);
    snprintf(out, 300, "%s", j->path);
    assert_int_equal(journal_put(j, &every_kind[0]), 0);
    assert_int_equal(journal_save(j), 0);
    journal_close(j);
}

/* Whoever changes something removes what an earlier boot has left, and nothing else. */
static void journals_of_earlier_boots(void **state)
{
    struct netns_id old = here, other = here;
    char old_path[300], other_path[300], here_path[300], foreign[330];
    struct journal *j = NULL;

    (void)state;
    old.inode = 1;
    snprintf(old.boot, sizeof(old.boot), "b-0");
    other.inode = 2;
    other.cookie++;
    save_for(&other, other_path);
    save_for(&here, here_path);
    save_for(&old, old_path); /* which removes both: to it, they are of another boot */
    assert_int_not_equal(access(other_path, F_OK), 0);
    snprintf(foreign, sizeof(foreign), "%s.note", old_path);
    assert_int_equal(link(old_path, foreign), 0);
    assert_int_equal(journal_open_in(dir, &here, false, &j), 0);
    journal_close(j);
    assert_int_equal(access(old_path, F_OK), 0); /* looking removes nothing */
    save_for(&other, other_path);
    assert_int_not_equal(access(old_path, F_OK), 0);
    assert_int_equal(access(foreign, F_OK), 0);
    save_for(&here, here_path);
    assert_int_equal(access(other_path, F_OK), 0); /* of this boot: it may be alive */
    assert_int_equal(unlink(foreign) + unlink(other_path) + unlink(here_path), 0);
}

/* What a run was writing when it was killed is removed by the next that changes something. */
static void what_was_being_written(void **state)
{
    struct netns_id old = here;
    char of_here[300], of_another[300], foreign[300], old_path[300];
    struct journal *j = NULL;

    (void)state;
    snprintf(of_here, sizeof(of_here), "%s/net-4711.tmp", dir);
    snprintf(of_another, sizeof(of_another), "%s/net-1.tmp", dir);
    snprintf(foreign, sizeof(foreign), "%s/net-1.tmp.note", dir);
    old.inode = 5; /* of this boot: it stays */
    save_for(&old, old_path);
    assert_int_equal(link(old_path, of_here) + link(old_path, of_another), 0);
    assert_int_equal(link(old_path, foreign), 0);
    assert_int_equal(journal_open_in(dir, &here, false, &j), 0);
    journal_close(j);
    assert_int_equal(access(of_here, F_OK), 0); /* looking removes nothing */
    journal_close(open_journal());
    assert_int_not_equal(access(of_here, F_OK), 0);
    assert_int_not_equal(access(of_another, F_OK), 0);
    assert_int_equal(access(foreign, F_OK) + access(old_path, F_OK), 0);
    assert_int_equal(unlink(foreign) + unlink(old_path), 0);
}

/* A link in the place of the file that is written is not followed, and not removed either. */
static void a_link_to_write_through(void **state)
{
    struct journal *j = open_journal();
    struct stat st;

    (void)state;
    assert_int_equal(journal_put(j, &every_kind[0]), 0);
    assert_int_equal(symlink("/tmp/journal-test-target", j->temporary), 0);
    assert_int_equal(journal_save(j), -ELOOP);
    assert_int_equal(lstat(j->temporary, &st), 0);
    assert_int_not_equal(access("/tmp/journal-test-target", F_OK), 0);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(unlink(j->temporary), 0);
    assert_int_equal(journal_save(j), 0);
    journal_close(j);
}

#define HEAD                                                                                       \
    "{\"version\": 1, \"boot\": \"b-1\", \"netns\": \"1267\", \"cookie\": \"fedcba9876543210\", "

static void damage_is_not_guessed_at(void **state)
{
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"version\": 5, \"changes\": []}",
        "{\"version\": 0, \"changes\": []}",
        HEAD "\"changes\": 5}",
        HEAD "\"changes\": [5]}",
        HEAD "\"changes\": [{}]}",
        HEAD "\"changes\": [{\"op\": \"format-disk\"}]}",
        HEAD "\"changes\": [{\"op\": \"link-up\", \"ifname\": \"tun0\"}]}",
        HEAD "\"changes\": [{\"op\": \"link-up\", \"ifname\": \"tun0\", \"index\": 0}]}",
        HEAD "\"changes\": [{\"op\": \"link-up\", \"ifname\": \"tun0\", \"index\": \"2\"}]}",
        HEAD "\"changes\": [{\"op\": \"link-up\", \"index\": 2}]}",
        HEAD
        "\"changes\": [{\"op\": \"link-up\", \"ifname\": \"sixteen-letters-\", \"index\": 2}]}",
        HEAD "\"changes\": [{\"op\": \"address\", \"ifname\": \"tun0\", \"index\": 2, "
             "\"address\": \"10.0.0\", \"prefix\": 24}]}",
        HEAD "\"changes\": [{\"op\": \"address\", \"ifname\": \"tun0\", \"index\": 2, "
             "\"address\": \"10.0.0.1\", \"prefix\": 33}]}",
        HEAD "\"changes\": [{\"op\": \"address\", \"ifname\": \"tun0\", \"index\": 2, "
             "\"address\": \"fd00::1\", \"prefix\": 129}]}",
        HEAD "\"changes\": [{\"op\": \"address\", \"ifname\": \"tun0\", \"index\": 2, "
             "\"address\": \"::ffff:10.0.0.1\", \"prefix\": 24}]}",
        HEAD "\"changes\": [{\"op\": \"rule\", \"ifname\": \"tun0\", \"firewall\": \"pf\"}]}",
        HEAD "\"changes\": [{\"op\": \"rule\", \"ifname\": \"tun0\", \"firewall\": \"nft\", "
             "\"family\": \"ipx\"}]}",
        HEAD "\"changes\": [{\"op\": \"rule\", \"ifname\": \"tun0\", \"firewall\": \"nft\", "
             "\"address\": \"10.0.0\", \"prefix\": 24}]}",
        HEAD "\"changes\": [{\"op\": \"rule\", \"ifname\": \"tun0\", \"firewall\": \"nft\", "
             "\"address\": \"10.0.0.0\"}]}",
        HEAD "\"changes\": [{\"op\": \"rule\", \"ifname\": \"eth0\", \"firewall\": \"nft\", "
             "\"masquerade\": true}]}",
        HEAD "\"changes\": [{\"op\": \"chain\", \"family\": 6}]}",
        HEAD "\"changes\": [{\"op\": \"sysctl\", \"name\": \"net/ipv6/conf/eth0/accept_ra\", "
             "\"value\": \"2\", \"saved\": [], \"ifname\": \"eth0\"}]}",
        HEAD "\"changes\": [{\"op\": \"sysctl\", \"name\": \"net/ipv6/conf/eth0/accept_ra\", "
             "\"value\": \"2\", \"saved\": [], \"ifname\": 5, \"index\": 1}]}",
        HEAD "\"changes\": [{\"op\": \"sysctl\", \"name\": \"net/ipv4/ip_forward\"}]}",
        HEAD "\"changes\": [{\"op\": \"sysctl\", \"name\": \"kernel/core_pattern\", \"value\": "
             "\"1\", \"saved\": []}]}",
        HEAD "\"changes\": [{\"op\": \"sysctl\", \"name\": \"net/ipv4/ip_forward\", \"value\": "
             "\"1\", \"saved\": [[\"net/ipv4/../../kernel/panic\", \"1\"]]}]}",
        HEAD "\"changes\": [{\"op\": \"sysctl\", \"name\": \"net/ipv4/ip_forward\", \"value\": "
             "\"1\", \"saved\": [[\"net/ipv4/ip_forward\"]]}]}",
    };
    struct journal *j;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        int r;

        write_text(texts[i]);
        j = NULL;
        r = journal_open_in(dir, &here, true, &j);
        if (r != -EBADMSG)
            fail_msg("%d for %s", r, texts[i]);
        assert_int_equal(j->ops, 0);
        assert_string_equal(j->path, path);
        journal_close(j);
        assert_int_equal(access(path, F_OK), 0); /* and it is not thrown away */
    }
    write_text(HEAD "\"changes\": []}");
    j = open_journal();
    assert_int_equal(j->ops, 0);
    journal_close(j);
}

/* One that was written before there was IPv6 is undone all the same, as IPv4's. */
static void an_earlier_version(void **state)
{
    struct journal *j;

    (void)state;
    write_text(HEAD "\"changes\": [{\"op\": \"chain\", \"table\": true}, "
                    "{\"op\": \"rule\", \"ifname\": \"tun0\", \"firewall\": \"nft\"}]}");
    j = open_journal();
    assert_int_equal(j->ops, 2);
    assert_int_equal(j->op[1].kind, OP_RULE);
    assert_int_equal(j->op[1].family, FAMILY_IPV4);
    assert_int_equal(j->op[1].holders, 1);
    assert_string_equal(j->op[1].holder[0], LAB_NAME);
    j->ops = 0;
    journal_close(j);
}

static void a_folder_that_others_can_write_to(void **state)
{
    struct journal *j = NULL;

    (void)state;
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(chmod(dir, 0777), 0);
    assert_int_equal(journal_open_in(dir, &here, true, &j), -EACCES);
    assert_int_equal(journal_open_in(dir, &here, false, &j), -EACCES);
    rmdir(dir);
    assert_int_equal(symlink("/tmp", dir), 0);
    assert_true(journal_open_in(dir, &here, true, &j) < 0);
    assert_true(journal_open_in(dir, &here, false, &j) < 0);
    unlink(dir);
    assert_int_equal(journal_open_in("/proc/nowhere", &here, true, &j), -ENOENT);
}

/* Two processes that add and take away, each under the lock: neither loses the other's work. */
static void one_at_a_time(void **state)
{
    enum { PROCESSES = 4, ROUNDS = 50 };
    int status;

    (void)state;
    for (int p = 0; p < PROCESSES; p++) {
        if (fork())
            continue;
        for (int i = 0; i < ROUNDS; i++) {
            struct op op = {.kind = OP_RULE, .firewall = FIREWALL_IPTABLES_NFT};
            struct journal *j;

            snprintf(op.ifname, sizeof(op.ifname), "tun%d", p);
            if (journal_open_in(dir, &here, true, &j) < 0 || journal_put(j, &op) < 0 ||
                journal_save(j) < 0)
                _exit(1);
            journal_close(j);
            if (journal_open_in(dir, &here, true, &j) < 0 || !journal_find(j, &op))
                _exit(2);
            journal_drop(j, (unsigned)(journal_find(j, &op) - j->op));
            if (journal_save(j) < 0)
                _exit(3);
            journal_close(j);
        }
        _exit(0);
    }
    for (int p = 0; p < PROCESSES; p++) {
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    assert_int_not_equal(access(dir, F_OK), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, clear, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_kind_survives),
        TEST(the_same_thing_is_kept_once),
        TEST(it_has_room_for_so_many),
        TEST(an_empty_journal_leaves_nothing),
        TEST(a_namespace_that_is_gone),
        TEST(journals_of_earlier_boots),
        TEST(what_was_being_written),
        TEST(a_link_to_write_through),
        TEST(damage_is_not_guessed_at),
        TEST(an_earlier_version),
        TEST(a_folder_that_others_can_write_to),
        TEST(one_at_a_time),
    };

    return cmocka_run_group_tests(tests, make_top, remove_top);
}
