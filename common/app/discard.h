/*
 * Discard (RFC 863): takes everything and answers nothing. It keeps nothing per connection, so any
 * number of connections costs it nothing.
 */
#ifndef APP_DISCARD_H
#define APP_DISCARD_H

#include "app/app.h"

struct discard {
    struct app app; /* what a listener is given */
    uint64_t bytes; /* taken in all connections together */
};

void discard_init(struct discard *d);

/*
 * Take everything that waits on a connection and throw it away, for any application. At the end of
 * the stream the connection is closed from our side too. Returns how many bytes there were.
 */
uint64_t discard_drain(struct stack *st, struct conn_id conn);

#endif
