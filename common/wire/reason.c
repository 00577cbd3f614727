#include "wire/reason.h"

#include <assert.h>

static const struct reason_text texts[REASON_COUNT] = {
#define REASON(id, kind, name, sentence, source) {REASON_KIND_##kind, name, sentence, source},
#include "wire/reason.def"
#undef REASON
};

const struct reason_text *reason_text(enum reason r)
{
    assert(r < REASON_COUNT);
    return &texts[r];
}
