/* The tests of tcp_rto_test.c, over IPv6. */
#define RIG_IPV6
#include "tcp_rto_test.c"
