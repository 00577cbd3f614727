/* Super-segments, over IPv6. */
#define RIG_IPV6
#include "tcp_super_test.c"
