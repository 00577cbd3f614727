#include "run/choice.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "run/nearest.h"
#include "tcp/cc/cc.h"

enum {
    GO_ON = -1,
    COLUMN = 20, /* where the explanation begins */
};

static const char *switch_name(const void *arg, unsigned i)
{
    const struct tcp_switch *s = tcp_switch_at(i);

    (void)arg;
    return s ? s->name : NULL;
}

static const char *module_name(const void *arg, unsigned i)
{
    const struct cc_ops *m = cc_next(NULL);

    (void)arg;
    for (; m && i; i--)
        m = cc_next(m);
    return m ? m->name : NULL;
}

/* All names, with commas between them. */
static const char *names(char *out, size_t size,
                         const char *(*name_at)(const void *arg, unsigned i))
{
    size_t at = 0;

    out[0] = '\0';
    for (unsigned i = 0; name_at(NULL, i) && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%s", i ? ", " : "", name_at(NULL, i));
    return out;
}

/*
 * "--cc: there is no congestion control 'cubik' (did you mean 'cubic'?)", or all names where none
 * is near.
 */
static int no_such(const struct program *prog, const char *option, const char *kind,
                   const char *name, size_t len,
                   const char *(*name_at)(const void *arg, unsigned i))
{
    const char *near = nearest_name(name, len, name_at, NULL);
    char all[400];

    if (near && len)
        return usage_error(prog, "--%s: there is no %s '%.*s' (did you mean '%s'?)", option, kind,
                           (int)len, name, near);
    return usage_error(prog, "--%s: there is no %s '%.*s'; there are %s", option, kind, (int)len,
                       name, names(all, sizeof(all), name_at));
}

static int take_cc(const struct program *prog, const char *name, struct tcp_config *cfg)
{
    const struct cc_ops *module = cc_find(name);

    if (!module)
        return no_such(prog, "cc", "congestion control", name, strlen(name), module_name);
    cfg->cc = module;
    return GO_ON;
}

static int take_without(const struct program *prog, const char *list, struct tcp_config *cfg)
{
    for (;;) {
        size_t len = strcspn(list, ",");
        const struct tcp_switch *s = tcp_switch_find(list, len);

        if (!s)
            return no_such(prog, "without", "mechanism", list, len, switch_name);
        *tcp_switch_of(s, cfg) = false;
        if (!list[len])
            return GO_ON;
        list += len + 1;
    }
}

int choice_take(const struct program *prog, const char *cc, const char *without,
                struct tcp_config *cfg)
{
    int code = cc ? take_cc(prog, cc, cfg) : GO_ON;

    if (code == GO_ON && without)
        code = take_without(prog, without, cfg);
    return code;
}

void choice_help(void)
{
    char text[200];

    puts("\ncongestion control (--cc):");
    for (const struct cc_ops *m = cc_next(NULL); m; m = cc_next(m))
        options_row(m->name, COLUMN, m->help);
    puts("\nmechanisms (--without, with commas between them):");
    for (unsigned i = 0; tcp_switch_at(i); i++) {
        const struct tcp_switch *s = tcp_switch_at(i);

        snprintf(text, sizeof(text), "%s (%s)", s->sentence, s->rfc);
        options_row(s->name, COLUMN, text);
    }
}
