/* The tests of tcp_persist_test.c, over IPv6. */
#define RIG_IPV6
#include "tcp_persist_test.c"
