/* The tests of tcp_plpmtud_test.c, over IPv6. */
#define RIG_IPV6
#include "tcp_plpmtud_test.c"
