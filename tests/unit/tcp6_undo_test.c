/* The tests of tcp_undo_test.c, over IPv6. */
#define RIG_IPV6
#include "tcp_undo_test.c"
