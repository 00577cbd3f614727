/* The tests of tcp_end_test.c, over IPv6. */
#define RIG_IPV6
#include "tcp_end_test.c"
