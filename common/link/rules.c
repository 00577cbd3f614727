/*
 * The text is cut into sections at ';', into rules at ',', and into words at blanks. A rule is a
 * name with its words behind it; the table has a reader for each name, which takes its words from
 * the left. The first thing that does not fit ends it all, with a phrase.
 *
 * Numbers are read as millionths, in integers: what a percentage is in parts per million, and a
 * time in ns, should not depend on how a machine rounds.
 */
#include "link/rules.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    WORDS_MAX = 8,
    MILLION = 1000000,
    QUEUE_PACKETS = 100, /* before a rate, unless told otherwise */
    MTU_MIN = 68,        /* bytes (RFC 791) */
};

static const int64_t reorder_by_min = 10 * MSEC; /* unless told otherwise */
static const uint64_t number_max = UINT64_C(4294967295);

struct words {
    char *word[WORDS_MAX];
    unsigned n, at; /* how many, and which is next */
    char *why;
};

struct rule {
    const char *name;
    const char *usage;
    const char *help;
    /* Read the words into *p, and more that is not a path's into *silent; false: w->why says why */
    bool (*read)(struct words *w, struct path_config *p, bool *silent);
};

/* ---- Words ---- */

static bool wrong(struct words *w, const char *word, const char *wanted)
{
    snprintf(w->why, RULES_WHY, "'%.40s' is not %s", word, wanted);
    return false;
}

/* The next word, or NULL and an error that says what is missing. */
static const char *need(struct words *w, const char *wanted)
{
    if (w->at < w->n)
        return w->word[w->at++];
    snprintf(w->why, RULES_WHY, "'%.20s' needs %s behind it", w->word[0], wanted);
    return NULL;
}

/* The next word if it is this one. */
static bool taken(struct words *w, const char *word)
{
    if (w->at == w->n || strcmp(w->word[w->at], word) != 0)
        return false;
    w->at++;
    return true;
}

/* ---- Numbers ---- */

/*
 * A number such as 5 or 0.25 at the beginning of `text`, in millionths; *ret_unit is what follows.
 * False if there is none, or one of more than six digits behind the point, or above number_max.
 */
static bool read_number(const char *text, uint64_t *ret, const char **ret_unit)
{
    uint64_t v = 0, place = MILLION;

    if (*text < '0' || *text > '9')
        return false;
    for (; *text >= '0' && *text <= '9'; text++) {
        v = v * 10 + (uint64_t)(*text - '0');
        if (v > number_max)
            return false;
    }
    v *= MILLION;
    if (*text == '.') {
        for (text++; *text >= '0' && *text <= '9'; text++) {
            place /= 10;
            if (place == 0)
                return false;
            v += (uint64_t)(*text - '0') * place;
        }
    }
    *ret = v;
    *ret_unit = text;
    return true;
}

struct unit {
    const char *name;
    uint64_t size;
};

/* A number with one of these units, in units of size 1; rounded down. Units are up to 10^9, so it
 * fits into 64 bits before it is compared with `max`. */
static bool read_quantity(const char *text, const struct unit *unit, uint64_t max, uint64_t *ret)
{
    uint64_t v;

    if (!read_number(text, &v, &text))
        return false;
    for (; unit->name; unit++) {
        if (strcmp(unit->name, text) != 0)
            continue;
        *ret = v / MILLION * unit->size + v % MILLION * unit->size / MILLION;
        return *ret <= max;
    }
    return false;
}

static bool read_time(struct words *w, const char *word, int64_t *ret)
{
    static const struct unit units[] = {{"us", (uint64_t)USEC},
                                        {"ms", (uint64_t)MSEC},
                                        {"s", (uint64_t)SEC},
                                        {NULL, 0}};
    uint64_t v;

    if (!read_quantity(word, units, UINT64_C(86400) * (uint64_t)SEC, &v))
        return wrong(w, word, "a time of up to 86400s with its unit, such as 20ms, 500us or 1.5s");
    *ret = (int64_t)v;
    return true;
}

static bool need_time(struct words *w, int64_t *ret)
{
    const char *word = need(w, "a time such as 20ms");

    return word && read_time(w, word, ret);
}

/* The next word, if there is one, as a time. */
static bool may_time(struct words *w, int64_t *ret)
{
    return w->at == w->n || read_time(w, w->word[w->at++], ret);
}

static bool read_percent(struct words *w, const char *word, uint32_t *ret)
{
    static const struct unit units[] = {{"%", 10000}, {NULL, 0}};
    uint64_t v;

    if (!read_quantity(word, units, MILLION, &v))
        return wrong(w, word, "a percentage from 0% to 100%, such as 1% or 0.05%");
    *ret = (uint32_t)v;
    return true;
}

static bool need_percent(struct words *w, uint32_t *ret)
{
    const char *word = need(w, "a percentage such as 1%");

    return word && read_percent(w, word, ret);
}

/* "50p": packets; "64kb": bytes. The other one is left alone. */
static bool read_size(struct words *w, const char *word, uint32_t *ret_bytes, uint32_t *ret_packets)
{
    static const struct unit packets[] = {{"p", 1}, {NULL, 0}};
    static const struct unit bytes[] = {{"b", 1}, {"kb", 1000}, {"mb", MILLION}, {NULL, 0}};
    uint64_t v;

    if (read_quantity(word, packets, PATH_WAITING, &v) && v > 0)
        *ret_packets = (uint32_t)v;
    else if (read_quantity(word, bytes, UINT32_MAX, &v) && v > 0)
        *ret_bytes = (uint32_t)v;
    else
        return wrong(w, word, "a length such as 50p (packets, up to 1024) or 64kb (bytes)");
    return true;
}

/* A whole number without a unit. */
static bool read_count(const char **text, uint32_t *ret)
{
    uint64_t v = 0;

    if (**text < '0' || **text > '9')
        return false;
    for (; **text >= '0' && **text <= '9'; ++*text) {
        v = v * 10 + (uint64_t)(**text - '0');
        if (v > UINT32_MAX)
            return false;
    }
    *ret = (uint32_t)v;
    return true;
}

/* ---- Rules ---- */

static bool rule_delay(struct words *w, struct path_config *p, bool *silent)
{
    (void)silent;
    if (!need_time(w, &p->delay))
        return false;
    if (w->at < w->n && strcmp(w->word[w->at], "unordered") != 0 &&
        !read_time(w, w->word[w->at++], &p->jitter))
        return false;
    p->in_order = !taken(w, "unordered");
    return true;
}

static bool rule_loss(struct words *w, struct path_config *p, bool *silent)
{
    (void)silent;
    return need_percent(w, &p->loss);
}

static bool rule_burst(struct words *w, struct path_config *p, bool *silent)
{
    (void)silent;
    p->burst_loss = MILLION;
    return need_percent(w, &p->burst_enter) && need_percent(w, &p->burst_leave) &&
           (w->at == w->n || need_percent(w, &p->burst_loss));
}

static bool rule_reorder(struct words *w, struct path_config *p, bool *silent)
{
    (void)silent;
    return need_percent(w, &p->reorder) && may_time(w, &p->reorder_by);
}

static bool rule_duplicate(struct words *w, struct path_config *p, bool *silent)
{
    (void)silent;
    return need_percent(w, &p->duplicate);
}

static bool rule_corrupt(struct words *w, struct path_config *p, bool *silent)
{
    (void)silent;
    return need_percent(w, &p->corrupt);
}

static bool rule_rate(struct words *w, struct path_config *p, bool *silent)
{
    static const struct unit units[] = {
        {"bit", 1}, {"kbit", 1000}, {"mbit", MILLION}, {"gbit", 1000 * MILLION}, {NULL, 0}};
    const char *word = need(w, "a rate such as 10mbit");
    uint64_t bits;

    (void)silent;
    if (!word)
        return false;
    if (!read_quantity(word, units, UINT64_C(100000000000), &bits) || bits < 8)
        return wrong(w, word, "a rate from 8bit to 100gbit, such as 10mbit or 500kbit");
    p->rate = bits / 8;
    p->queue = UINT32_MAX;
    p->queue_packets = QUEUE_PACKETS;
    if (!taken(w, "queue"))
        return true;
    word = need(w, "a length such as 50p");
    p->queue_packets = 0;
    return word && read_size(w, word, &p->queue, &p->queue_packets);
}

static bool rule_drop(struct words *w, struct path_config *p, bool *silent)
{
    static const char *const kinds[PACKET_KINDS] = {
        [PACKET_SYN] = "syn", [PACKET_SYN_ACK] = "syn-ack", [PACKET_RST] = "rst",
        [PACKET_FIN] = "fin", [PACKET_DATA] = "data",       [PACKET_ACK] = "ack",
    };
    static const char wanted[] = "a kind: syn, syn-ack, rst, fin, data or ack";
    struct mask m = {PACKET_OTHER, 0, 0};
    const char *kind = need(w, wanted), *word, *at;

    (void)silent;
    if (!kind)
        return false;
    for (uint32_t k = 0; k < PACKET_KINDS; k++)
        if (kinds[k] && strcmp(kinds[k], kind) == 0)
            m.kind = k;
    if (m.kind == PACKET_OTHER)
        return wrong(w, kind, wanted);
    word = at = need(w, "a number, or FIRST-LAST");
    if (!word)
        return false;
    if (!read_count(&at, &m.first) || (*at == '-' ? (at++, !read_count(&at, &m.last)) : 0) || *at)
        return wrong(w, word, "a number such as 2, or FIRST-LAST such as 2-5");
    if (!strchr(word, '-'))
        m.last = m.first;
    if (m.first == 0 || m.last < m.first)
        return wrong(w, word, "a number from 1 on, or FIRST-LAST in ascending order");
    for (unsigned i = 0; i < PATH_MASKS; i++) {
        if (p->mask[i].kind != PACKET_OTHER)
            continue;
        p->mask[i] = m;
        return true;
    }
    snprintf(w->why, RULES_WHY, "there are more than %d 'drop' for one direction", PATH_MASKS);
    return false;
}

static bool rule_down(struct words *w, struct path_config *p, bool *silent)
{
    (void)silent;
    if (!need_time(w, &p->down_from) || !need_time(w, &p->down_until))
        return false;
    if (p->down_until <= p->down_from)
        return wrong(w, w->word[2], "later than the time before it");
    return true;
}

static bool rule_mtu(struct words *w, struct path_config *p, bool *silent)
{
    static const char wanted[] = "a number of bytes from 68 to 65535";
    const char *word = need(w, wanted), *at = word;

    if (!word)
        return false;
    if (!read_count(&at, &p->mtu) || *at || p->mtu < MTU_MIN || p->mtu > UINT16_MAX)
        return wrong(w, word, wanted);
    *silent = taken(w, "silent");
    return true;
}

static bool rule_mark(struct words *w, struct path_config *p, bool *silent)
{
    const char *word = need(w, "a percentage, or a length of the queue");

    (void)silent;
    if (!word)
        return false;
    return strchr(word, '%') ? read_percent(w, word, &p->mark)
                             : read_size(w, word, &p->mark_bytes, &p->mark_packets);
}

static const struct rule rules[] = {
    {"delay", "delay TIME [JITTER] [unordered]",
     "all come later by TIME, and by up to JITTER more; in order, unless unordered", rule_delay},
    {"loss", "loss PERCENT", "so many are lost, each by itself", rule_loss},
    {"burst", "burst ENTER LEAVE [LOSS]",
     "bursts of loss (Gilbert and Elliott): with each packet one begins or ends with these "
     "percentages; within, LOSS (100%) are lost",
     rule_burst},
    {"reorder", "reorder PERCENT [BY]",
     "so many come later by up to BY (the delay, at least 10ms), and are overtaken", rule_reorder},
    {"duplicate", "duplicate PERCENT",
     "so many come twice, the second right behind, or by up to reorder's BY later", rule_duplicate},
    {"corrupt", "corrupt PERCENT", "in so many one bit is turned", rule_corrupt},
    {"rate", "rate RATE [queue LENGTH]",
     "no faster than RATE; what finds the queue before it (100p) full is lost", rule_rate},
    {"ce-mark", "ce-mark PERCENT|LENGTH",
     "of packets that know ECN, so many get its mark; or all that find so many in rate's queue",
     rule_mark},
    {"drop", "drop KIND FIRST[-LAST]",
     "these of a kind are lost, counted from 1; KIND is syn, syn-ack, rst, fin, data or ack",
     rule_drop},
    {"down", "down FROM UNTIL", "all are lost between these times since the first packet",
     rule_down},
    {"mtu", "mtu BYTES [silent]",
     "larger ones are lost, and answered as a router does, unless silent", rule_mtu},
};

enum {
    RULES = sizeof(rules) / sizeof(rules[0]),
};

const char *rules_usage(unsigned i, const char **ret_help)
{
    if (i >= RULES)
        return NULL;
    *ret_help = rules[i].help;
    return rules[i].usage;
}

/* ---- The text ---- */

static const struct rule *find(const char *name)
{
    for (unsigned i = 0; i < RULES; i++)
        if (strcmp(rules[i].name, name) == 0)
            return &rules[i];
    return NULL;
}

static bool unknown(char *why, const char *name)
{
    size_t n = (size_t)snprintf(why, RULES_WHY, "'%.20s' is no impairment; there are", name);

    for (unsigned i = 0; i < RULES && n < RULES_WHY; i++)
        n += (size_t)snprintf(why + n, RULES_WHY - n, "%s %s", i ? "," : "", rules[i].name);
    return false;
}

static bool split(char *text, struct words *w)
{
    char *save = NULL;

    for (char *word = strtok_r(text, " \t\n", &save); word; word = strtok_r(NULL, " \t\n", &save)) {
        if (w->n == WORDS_MAX) {
            snprintf(w->why, RULES_WHY, "there are too many words behind '%.20s'", w->word[0]);
            return false;
        }
        w->word[w->n++] = word;
    }
    return true;
}

/* One rule for the directions in the set `which`; `given` has the rules that each has already. */
static bool read_rule(char *text, unsigned which, unsigned given[IMPAIR_DIRECTIONS],
                      struct rules *r, char *why)
{
    struct words w = {.why = why};
    const struct rule *rule;

    if (!split(text, &w))
        return false;
    if (w.n == 0) {
        snprintf(why, RULES_WHY, "there is nothing between two separators, or at an end");
        return false;
    }
    rule = find(w.word[0]);
    if (!rule)
        return unknown(why, w.word[0]);
    for (unsigned d = 0; d < IMPAIR_DIRECTIONS; d++) {
        unsigned bit = 1U << (rule - rules);

        if (!(which & 1U << d))
            continue;
        if (given[d] & bit && rule->read != rule_drop) {
            snprintf(why, RULES_WHY, "'%s' stands twice for one direction", rule->name);
            return false;
        }
        given[d] |= bit;
        w.at = 1;
        if (!rule->read(&w, &r->path[d], &r->silent[d]))
            return false;
    }
    if (w.at < w.n) {
        snprintf(why, RULES_WHY, "'%.40s' is one word too many; it is: %s", w.word[w.at],
                 rule->usage);
        return false;
    }
    return true;
}

static bool read_section(char *text, unsigned given[IMPAIR_DIRECTIONS], struct rules *r, char *why)
{
    unsigned which = 1U << IMPAIR_OUT | 1U << IMPAIR_IN;
    char *colon = strchr(text, ':');

    if (colon) {
        char *save = NULL, *name;

        *colon = '\0';
        name = strtok_r(text, " \t\n", &save);
        which = name && strcmp(name, "out") == 0  ? 1U << IMPAIR_OUT
                : name && strcmp(name, "in") == 0 ? 1U << IMPAIR_IN
                                                  : 0;
        if (!which || strtok_r(NULL, " \t\n", &save)) {
            snprintf(why, RULES_WHY, "'%.20s:' is not a direction, out: or in:", name ? name : "");
            return false;
        }
        text = colon + 1;
    }
    for (char *next; text; text = next) {
        next = strchr(text, ',');
        if (next)
            *next++ = '\0';
        if (!read_rule(text, which, given, r, why))
            return false;
    }
    return true;
}

/* What needs more than one rule. */
static bool complete(struct rules *r, char *why)
{
    for (unsigned d = 0; d < IMPAIR_DIRECTIONS; d++) {
        struct path_config *p = &r->path[d];

        if (p->reorder && p->reorder_by == 0)
            p->reorder_by = time_max(p->delay, reorder_by_min);
        if ((p->mark_bytes || p->mark_packets) && p->rate == 0) {
            snprintf(why, RULES_WHY, "'ce-mark' with a length needs 'rate', whose queue it is");
            return false;
        }
    }
    return true;
}

int rules_parse(const char *text, struct rules *ret_rules, char *why)
{
    unsigned given[IMPAIR_DIRECTIONS] = {0};
    char copy[RULES_TEXT], *section = copy, *next;
    struct rules r = {.path = {{.in_order = true}, {.in_order = true}}};

    if (strlen(text) >= sizeof(copy)) {
        snprintf(why, RULES_WHY, "these are more than %d bytes", RULES_TEXT - 1);
        return -EINVAL;
    }
    strcpy(copy, text);
    for (; section; section = next) {
        next = strchr(section, ';');
        if (next)
            *next++ = '\0';
        if (!read_section(section, given, &r, why))
            return -EINVAL;
    }
    if (!complete(&r, why))
        return -EINVAL;
    *ret_rules = r;
    return 0;
}
