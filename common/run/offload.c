#include "run/offload.h"

#include <string.h>

#include "base/text.h"
#include "link/device.h"

enum {
    GO_ON = -1,
    ALL = DEVICE_CSUM | DEVICE_TSO4 | DEVICE_TSO6 | DEVICE_USO | DEVICE_JOIN,
};

static const struct {
    const char *name;
    unsigned means;
} features[] = {
    {"csum", DEVICE_CSUM}, {"tso4", DEVICE_TSO4}, {"tso6", DEVICE_TSO6},
    {"uso", DEVICE_USO},   {"join", DEVICE_JOIN},
};

enum {
    FEATURES = sizeof(features) / sizeof(features[0]),
};

static bool is_word(const char *list, size_t len, const char *word)
{
    return strlen(word) == len && memcmp(list, word, len) == 0;
}

/* What these `len` bytes name, or 0. */
static unsigned meaning(const char *name, size_t len)
{
    for (unsigned i = 0; i < FEATURES; i++)
        if (is_word(name, len, features[i].name))
            return features[i].means | DEVICE_CSUM;
    return 0;
}

int offload_parse(const struct program *prog, const char *list, bool alone,
                  struct offload_choice *ret_choice)
{
    unsigned all = 0;

    *ret_choice = (struct offload_choice){.wanted = alone ? 0 : ALL};
    if (list && strcmp(list, "off") == 0)
        ret_choice->wanted = 0;
    if (!list || strcmp(list, "off") == 0 || strcmp(list, "auto") == 0)
        return GO_ON;
    if (alone)
        return usage_error(prog,
                           "--offload %s does not go with --impair or --seed, for which each "
                           "packet is one as it is on a wire",
                           list);
    for (;;) {
        size_t len = strcspn(list, ",");
        unsigned more = meaning(list, len);

        if (!more)
            return usage_error(prog,
                               "--offload: there is no '%.*s'; there are auto, off, or some "
                               "of csum, tso4, tso6, uso, join with commas between them",
                               (int)len, list);
        all |= more;
        if (!list[len])
            break;
        list += len + 1;
    }
    *ret_choice = (struct offload_choice){all, true};
    return GO_ON;
}

const char *offload_text(unsigned offload, char out[OFFLOAD_TEXT])
{
    struct text t;

    text_init(&t, out, OFFLOAD_TEXT);
    for (unsigned i = 0; i < FEATURES; i++)
        if (offload & features[i].means)
            text_add(&t, "%s%s", t.len ? "," : "", features[i].name);
    if (t.len == 0)
        text_add(&t, "off");
    return out;
}

void offload_tell(struct report *r, const char *tun, const struct offload_choice *choice,
                  unsigned agreed)
{
    char text[OFFLOAD_TEXT];

    r->offload = agreed;
    if (choice->named)
        report_line(r, "offload on %s: %s", tun, offload_text(agreed, text));
}
