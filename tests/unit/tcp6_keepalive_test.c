/* The tests of tcp_keepalive_test.c, over IPv6. */
#define RIG_IPV6
#include "tcp_keepalive_test.c"
