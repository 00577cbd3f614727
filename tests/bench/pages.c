/*
 * pages COMMAND...: run it without large pages, also where it asks for them.
 *
 * A large page is resident as a whole as soon as one byte of it is touched. Where memory is
 * counted, a few thousand connections seem to cost more or less then, by how their table happens to
 * lie.
 */
#include <sys/prctl.h>

#include "tests/bench/kit.h"

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "bench: pages COMMAND...\n");
        return EXIT_USAGE;
    }
    (void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); /* refused where there are none */
    execvp(argv[1], argv + 1);
    kit_fail(argv[1]);
}
