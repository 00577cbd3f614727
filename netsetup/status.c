/*
 * `netsetup status`: devices, routes, rules with their counters, forwarding, of both families, and
 * what of it is ours. The facts are collected into one JSON value; the text is printed from that
 * same value, so the two cannot disagree.
 */
#include <inttypes.h>
#include <jansson.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attached.h"
#include "setup.h"

enum {
    LIST_MAX = 32, /* addresses, and routes, that are listed for one device */
};

/* ---- collecting ---- */

static json_t *cidr_to_json(const struct addr *addr, unsigned prefix_len)
{
    char text[ADDR_TEXT_MAX];

    return json_sprintf("%s/%u", addr_format(addr, text), prefix_len);
}

static json_t *addresses_to_json(struct setup *s, int index)
{
    struct netlink_addr list[LIST_MAX];
    json_t *out = json_array();
    size_t n = 0;

    netlink_addr_list(s->nl, index, list, LIST_MAX, &n);
    for (size_t i = 0; i < n && i < LIST_MAX; i++)
        json_array_append_new(out, cidr_to_json(&list[i].addr, list[i].prefix_len));
    return out;
}

static json_t *routes_to_json(struct setup *s, int index)
{
    struct netlink_route list[LIST_MAX];
    json_t *out = json_array();
    char text[ADDR_TEXT_MAX];
    size_t n = 0;

    netlink_route_list(s->nl, index, list, LIST_MAX, &n);
    for (size_t i = 0; i < n && i < LIST_MAX; i++) {
        json_t *route = json_object();

        json_object_set_new(route, "to", cidr_to_json(&list[i].dst, list[i].prefix_len));
        if (list[i].has_gateway)
            json_object_set_new(route, "via", json_string(addr_format(&list[i].gateway, text)));
        json_array_append_new(out, route);
    }
    return out;
}

static json_t *owner_to_json(int64_t owner)
{
    const struct passwd *pw = owner >= 0 ? getpwuid((uid_t)owner) : NULL;

    if (owner < 0)
        return json_null();
    return json_pack("{sI ss*}", "id", (json_int_t)owner, "name", pw ? pw->pw_name : NULL);
}

static json_t *wanted_to_json(const struct lab_node *n)
{
    json_t *out = json_array();

    for (unsigned i = 0; i < n->addrs; i++)
        json_array_append_new(out, cidr_to_json(&n->addr[i].addr, n->addr[i].prefix_len));
    return out;
}

static json_t *device_to_json(struct setup *s, unsigned i)
{
    const struct device_facts *d = &s->facts.device[i];
    const struct netlink_link *l = &d->link;
    json_t *o = json_object();
    struct attached program;

    json_object_set_new(o, "name", json_string(s->lab.node[i].ifname));
    json_object_set_new(o, "exists", json_boolean(d->exists));
    json_object_set_new(o, "wanted", wanted_to_json(&s->lab.node[i]));
    if (!d->exists)
        return o;
    json_object_set_new(o, "tun", json_boolean(l->is_tun));
    json_object_set_new(o, "up", json_boolean(l->up));
    json_object_set_new(o, "attached", json_boolean(l->carrier));
    if (l->carrier && attached_find(s->lab.node[i].ifname, &program))
        json_object_set_new(o, "program",
                            json_pack("{ss si}", "name", program.name, "process", program.pid));
    json_object_set_new(o, "persistent", json_boolean(l->persist));
    json_object_set_new(o, "ours", json_boolean(d->ours));
    if (s->facts.firewalld)
        json_object_set_new(o, "trusted", json_boolean(d->trusted));
    json_object_set_new(o, "mtu", json_integer(l->mtu));
    json_object_set_new(o, "owner", owner_to_json(l->owner));
    json_object_set_new(o, "addresses", addresses_to_json(s, l->index));
    json_object_set_new(o, "routes", routes_to_json(s, l->index));
    json_object_set_new(o, "packets_from_node", json_integer((json_int_t)l->rx_packets));
    json_object_set_new(o, "packets_to_node", json_integer((json_int_t)l->tx_packets));
    json_object_set_new(o, "packets_dropped", json_integer((json_int_t)l->tx_dropped));
    return o;
}

static const char *family_text(enum family family)
{
    return family == FAMILY_IPV6 ? "ipv6" : "ipv4";
}

/* What is said of rules that belong together. */
struct tally {
    bool ours, present, counted;
    uint64_t packets, bytes;
};

static void tally_rule(struct setup *s, const struct rule *r, bool present, struct tally *t)
{
    struct op like = {.kind = OP_RULE,
                      .family = r->family,
                      .firewall = r->kind,
                      .masquerade = r->masquerade,
                      .addr = r->net};
    uint64_t packets, bytes;

    snprintf(like.ifname, sizeof(like.ifname), "%s", r->ifname);
    t->ours &= journal_find(s->journal, &like) != NULL;
    t->present &= present;
    if (!present || firewall_rule_counters(r, &packets, &bytes) < 0)
        return;
    t->counted = true;
    t->packets += packets;
    t->bytes += bytes;
}

static void set_tally(json_t *o, const struct setup *s, const struct rule *r, const struct tally *t)
{
    json_object_set_new(o, "family", json_string(family_text(r->family)));
    json_object_set_new(o, "ours", json_boolean(t->ours));
    if (s->facts.firewall[r->family].kind == FIREWALL_UNKNOWN)
        return;
    json_object_set_new(o, "present", json_boolean(t->present));
    if (t->present && t->counted) {
        json_object_set_new(o, "packets", json_integer((json_int_t)t->packets));
        json_object_set_new(o, "bytes", json_integer((json_int_t)t->bytes));
    }
}

static json_t *rule_to_json(struct setup *s, enum family family, unsigned i)
{
    const struct device_facts *d = &s->facts.device[i];
    struct rule r = {.family = family,
                     .kind = s->facts.firewall[family].kind,
                     .ifname = s->lab.node[i].ifname};
    struct tally t = {.ours = true, .present = true};
    struct netlink_addr net[LAB_NETS_MAX];
    unsigned nets = rule_networks(&s->lab, &s->facts, net);
    json_t *o = json_object();

    if (!s->lab.narrow)
        tally_rule(s, &r, d->rule[family], &t);
    for (unsigned k = 0; s->lab.narrow && k < nets && k < LAB_NETS_MAX; k++) {
        if (family_of(&net[k].addr) != family)
            continue;
        r.net = net[k];
        tally_rule(s, &r, d->rule_to[k], &t);
    }
    json_object_set_new(o, "device", json_string(r.ifname));
    if (s->lab.narrow)
        json_object_set_new(o, "to", json_string("lab"));
    set_tally(o, s, &r, &t);
    return o;
}

/* The way out: {"interface": "eth0", "rules": [{"from": "10.0.0.0/24", ...}, ...]} */
static json_t *way_out_to_json(struct setup *s)
{
    struct rule r = {.masquerade = true, .ifname = s->lab.internet};
    struct netlink_addr net[LAB_NETS_MAX];
    unsigned nets = rule_networks(&s->lab, &s->facts, net);
    json_t *rules = json_array();

    for (unsigned k = 0; k < nets && k < LAB_NETS_MAX; k++) {
        struct tally t = {.ours = true, .present = true};
        json_t *o = json_object();

        r.family = family_of(&net[k].addr);
        r.kind = s->facts.firewall[r.family].kind;
        r.net = net[k];
        tally_rule(s, &r, s->facts.masquerade[k], &t);
        json_object_set_new(o, "from", cidr_to_json(&net[k].addr, net[k].prefix_len));
        set_tally(o, s, &r, &t);
        json_array_append_new(rules, o);
    }
    return json_pack("{ss so}", "interface", s->lab.internet, "rules", rules);
}

/* A family's tool: {"family": "ipv6", "tool": "ip6tables (nft)", "error": "..."} */
static json_t *firewall_to_json(const struct setup *s, enum family family)
{
    const char *said = s->firewall_said[family];

    return json_pack("{ss ss ss*}", "family", family_text(family), "tool",
                     firewall_name(family, s->facts.firewall[family].kind), "error",
                     said[0] ? said : NULL);
}

static json_t *forwarding_to_json(struct setup *s, enum family family)
{
    struct op like = {.kind = OP_SYSCTL};
    const struct op *entry;
    json_t *o = json_object();

    snprintf(like.want.name, sizeof(like.want.name), "%s",
             family == FAMILY_IPV6 ? "net/ipv6/conf/all/forwarding" : "net/ipv4/ip_forward");
    entry = journal_find(s->journal, &like);
    json_object_set_new(o, "value", json_integer(s->facts.forwarding[family]));
    json_object_set_new(o, "ours", json_boolean(entry != NULL));
    if (entry && entry->saved_count)
        json_object_set_new(o, "before", json_integer(atoi(entry->saved[0].value)));
    return o;
}

const char *forward_command(const struct lab *lab, enum family family, char out[COMMAND_TEXT_MAX])
{
    const char *a = lab->node[0].ifname, *b = lab->node[1].ifname, *tool = firewall_tool(family);

    snprintf(out, COMMAND_TEXT_MAX,
             "%s -I FORWARD -i %s -o %s -j ACCEPT; %s -I FORWARD -i %s -o %s -j ACCEPT", tool, a, b,
             tool, b, a);
    return out;
}

const char *forward_warning(const struct lab *lab, enum family family, char out[FORWARD_TEXT_MAX])
{
    const char *a = lab->node[0].ifname, *b = lab->node[1].ifname;
    char command[COMMAND_TEXT_MAX];

    snprintf(out, FORWARD_TEXT_MAX,
             "%s FORWARD drops by default: packets between %s and %s will not pass; use a "
             "namespace (unshare -Urn) or allow both ways: %s",
             firewall_tool(family), a, b, forward_command(lab, family, command));
    return out;
}

/* What there is of one family, appended to the lists of all. */
static void collect_family(struct setup *s, enum family family, json_t *firewalls, json_t *rules,
                           json_t *warnings)
{
    char text[FORWARD_TEXT_MAX];

    json_array_append_new(firewalls, firewall_to_json(s, family));
    for (unsigned i = 0; i < s->lab.nodes; i++)
        json_array_append_new(rules, rule_to_json(s, family, i));
    if (s->facts.firewall[family].forward_drops)
        json_array_append_new(warnings, json_string(forward_warning(&s->lab, family, text)));
}

static json_t *collect(struct setup *s)
{
    json_t *root = json_object(), *devices = json_array(), *rules = json_array();
    json_t *firewalls = json_array(), *warnings = json_array();

    for (unsigned i = 0; i < s->lab.nodes; i++)
        json_array_append_new(devices, device_to_json(s, i));
    for (enum family f = 0; f < FAMILIES; f++)
        if (lab_speaks(&s->lab, &s->facts, f))
            collect_family(s, f, firewalls, rules, warnings);
    json_object_set_new(root, "up", json_boolean(plan_is_up(&s->lab, &s->facts)));
    json_object_set_new(root, "devices", devices);
    json_object_set_new(root, "firewalls", firewalls);
    json_object_set_new(root, "rules", rules);
    if (s->lab.internet[0])
        json_object_set_new(root, "internet", way_out_to_json(s));
    json_object_set_new(root, "ip_forward", forwarding_to_json(s, FAMILY_IPV4));
    json_object_set_new(root, "ipv6", json_boolean(s->facts.ipv6));
    if (s->facts.ipv6)
        json_object_set_new(root, "ipv6_forwarding", forwarding_to_json(s, FAMILY_IPV6));
    else
        json_object_set_new(root, "ipv6_off", json_string(s->facts.ipv6_off));
    json_object_set_new(root, "warnings", warnings);
    if (s->journal->ops)
        json_object_set_new(root, "journal", json_string(s->journal->path));
    return root;
}

/* ---- printing ---- */

static bool is_true(const json_t *o, const char *key)
{
    return json_is_true(json_object_get(o, key));
}

static long long number(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s ? s : "";
}

static void print_owner(const json_t *owner)
{
    if (!json_is_object(owner))
        printf(", for any user with privilege");
    else if (*text_of(owner, "name"))
        printf(", for user %s", text_of(owner, "name"));
    else
        printf(", for user id %lld", number(owner, "id"));
}

static void print_device(const json_t *d)
{
    const json_t *item;
    size_t i;

    if (!is_true(d, "exists")) {
        printf("%-11s missing (wanted:", text_of(d, "name"));
        json_array_foreach(json_object_get(d, "wanted"), i, item)
            printf(" %s", json_string_value(item));
        puts(")");
        return;
    }
    printf("%-11s %s%s, %s", text_of(d, "name"), is_true(d, "up") ? "up" : "down",
           is_true(d, "tun") ? "" : ", not a TUN device",
           is_true(d, "attached") ? "node attached" : "no node attached");
    if (json_object_get(d, "program"))
        printf(" (%s, process %lld)", text_of(json_object_get(d, "program"), "name"),
               number(json_object_get(d, "program"), "process"));
    printf(", mtu %lld", number(d, "mtu"));
    if (is_true(d, "tun"))
        print_owner(json_object_get(d, "owner"));
    if (json_object_get(d, "trusted"))
        printf(", %s firewalld", is_true(d, "trusted") ? "trusted by" : "not trusted by");
    puts(is_true(d, "ours") ? ", made by netsetup" : ", not made by netsetup");
    json_array_foreach(json_object_get(d, "addresses"), i, item)
        printf("%-11s address %s\n", "", json_string_value(item));
    json_array_foreach(json_object_get(d, "routes"), i, item)
    {
        const char *via = text_of(item, "via");

        printf("%-11s route %s%s%s\n", "", text_of(item, "to"), *via ? " via " : "", via);
    }
    printf("%-11s packets: %lld from the node, %lld to it, %lld dropped\n", "",
           number(d, "packets_from_node"), number(d, "packets_to_node"),
           number(d, "packets_dropped"));
}

static void print_presence(const json_t *r)
{
    if (!json_object_get(r, "present"))
        puts("unknown without privilege");
    else if (!is_true(r, "present"))
        puts("missing");
    else
        printf("%lld packet%s, %lld bytes, %s\n", number(r, "packets"),
               number(r, "packets") == 1 ? "" : "s", number(r, "bytes"),
               is_true(r, "ours") ? "added by netsetup" : "not added by netsetup");
}

static void print_rule(const json_t *r)
{
    printf("%-11s NOTRACK for what comes in on %s%s: ", "", text_of(r, "device"),
           json_object_get(r, "to") ? " for the lab" : "");
    print_presence(r);
}

static void print_way_out(const json_t *internet)
{
    const json_t *rule;
    size_t i;

    if (!internet)
        return;
    printf("%-11s through %s\n", "internet", text_of(internet, "interface"));
    json_array_foreach(json_object_get(internet, "rules"), i, rule)
    {
        printf("%-11s MASQUERADE for what is from %s: ", "", text_of(rule, "from"));
        print_presence(rule);
    }
}

/* One family's tool and its rules. */
static void print_firewall(const json_t *firewall, const json_t *rules)
{
    const char *error = text_of(firewall, "error"), *family = text_of(firewall, "family");
    const json_t *rule;
    size_t i;

    printf("%-11s %s%s%s\n", strcmp(family, "ipv6") == 0 ? "rules IPv6" : "rules",
           text_of(firewall, "tool"), *error ? ": " : "", error);
    json_array_foreach(rules, i, rule)
    {
        if (strcmp(text_of(rule, "family"), family) == 0)
            print_rule(rule);
    }
}

static void print_forwarding(const char *name, const json_t *forward)
{
    long long value = number(forward, "value");
    const char *whose = ", set by netsetup";

    if (!is_true(forward, "ours"))
        whose = "";
    else if (value == 0)
        whose = ", turned off since netsetup set it to 1";
    printf("%-11s %lld%s\n", name, value, whose);
}

static void print_text(const json_t *root)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(root, "devices"), i, item) print_device(item);
    json_array_foreach(json_object_get(root, "firewalls"), i, item)
        print_firewall(item, json_object_get(root, "rules"));
    print_way_out(json_object_get(root, "internet"));
    print_forwarding("ip_forward", json_object_get(root, "ip_forward"));
    if (is_true(root, "ipv6"))
        print_forwarding("forwarding6", json_object_get(root, "ipv6_forwarding"));
    else
        printf("%-11s off: %s\n", "IPv6", text_of(root, "ipv6_off"));
    json_array_foreach(json_object_get(root, "warnings"), i, item)
        printf("%-11s %s\n", "warning", json_string_value(item));
    printf("%-11s %s\n", "network", is_true(root, "up") ? "up" : "not up");
}

int status(struct setup *s)
{
    json_t *root = collect(s);

    if (s->json) {
        json_dumpf(root, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        print_text(root);
    }
    json_decref(root);
    return plan_is_up(&s->lab, &s->facts) ? EXIT_DONE : EXIT_NOT_UP;
}
