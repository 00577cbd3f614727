/* The tests of tcp_close_test.c, over IPv6. */
#define RIG_IPV6
#include "tcp_close_test.c"
