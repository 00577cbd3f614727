/*
 * firewall-cmd, run with an argument vector. See firewalld.h.
 *
 * Who asks the bus for firewalld may reach one that keeps another network, such as the machine's
 * from a namespace that shares its /run. So it counts only if its table, or its
 * chain in those of iptables, is in our network.
 */
#include "firewalld.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "exec.h"
#include "firewall.h"

enum {
    CODE_NO_ZONE = 2, /* firewall-cmd's, for an interface without a zone */
};

static int run(const char *first, const char *second, char *out, size_t size)
{
    const char *argv[] = {"firewall-cmd", first, second, NULL};
    int r = exec_run(argv, out, size);

    out[strcspn(out, "\n")] = '\0';
    return r;
}

int firewalld_zone_of(const char *ifname, char zone[ZONE_MAX])
{
    char option[64], out[FIREWALL_TEXT_MAX] = "";
    int r;

    if (!rawtable_has_firewalld() && !firewall_has_firewalld())
        return -ENOENT;
    snprintf(option, sizeof(option), "--get-zone-of-interface=%s", ifname);
    r = run(option, NULL, out, sizeof(out));
    if (r != 0 && r != CODE_NO_ZONE)
        return r < 0 ? r : -EIO;
    snprintf(zone, ZONE_MAX, "%.*s", ZONE_MAX - 1, r == 0 ? out : "");
    return 0;
}

int firewalld_put(const char *ifname, const char *zone, char *said)
{
    char where[64], what[64];
    int r;

    snprintf(where, sizeof(where), "--zone=%s", *zone ? zone : FIREWALLD_ZONE);
    snprintf(what, sizeof(what), "--%s-interface=%s", *zone ? "change" : "remove", ifname);
    r = run(where, what, said, FIREWALL_TEXT_MAX);
    return r > 0 ? -EIO : r;
}
