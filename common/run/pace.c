#include "run/pace.h"

bool pace_may(struct pace *p, int64_t now)
{
    if (p->more == 0 && now - p->since >= SEC) {
        p->since = now;
        p->said = 0;
    }
    if (p->said < PACE_LINES) {
        p->said++;
        return true;
    }
    p->more++;
    return false;
}

int64_t pace_turn(struct pace *p, const struct report *r, int64_t now)
{
    if (p->more == 0)
        return TIME_NEVER;
    if (now - p->since < SEC)
        return p->since + SEC;
    report_line(r, "... and %u more %s", p->more, p->what);
    p->more = 0;
    return TIME_NEVER;
}
