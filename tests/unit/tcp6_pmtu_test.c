/* The tests of tcp_pmtu_test.c, over IPv6. */
#define RIG_IPV6
#include "tcp_pmtu_test.c"
