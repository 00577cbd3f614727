/* The tests of tcp_again_test.c, over IPv6. */
#define RIG_IPV6
#include "tcp_again_test.c"
