/* The tests of tcp_timestamp_test.c, over IPv6. */
#define RIG_IPV6
#include "tcp_timestamp_test.c"
