/* The tests of expect_test.c, over IPv6. */
#define RIG_IPV6
#include "expect_test.c"
