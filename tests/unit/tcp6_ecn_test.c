/* The tests of tcp_ecn_test.c, over IPv6. */
#define RIG_IPV6
#include "tcp_ecn_test.c"
