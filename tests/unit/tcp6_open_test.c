/* The tests of tcp_open_test.c, over IPv6. */
#define RIG_IPV6
#include "tcp_open_test.c"
