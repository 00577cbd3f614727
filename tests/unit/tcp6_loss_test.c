/* The tests of tcp_loss_test.c, over IPv6. */
#define RIG_IPV6
#include "tcp_loss_test.c"
