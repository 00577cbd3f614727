/*
 * figures FILE: the figures of a build/bench.json, one per line as "GROUP.KEY VALUE", so that a
 * shell can compare them; and a check that the file is JSON.
 */
#include <jansson.h>
#include <stdio.h>

#include "run/exit.h"

static void print(const char *group, const char *key, json_t *v)
{
    printf("%s.%s ", group, key);
    if (json_is_number(v))
        printf("%.6g\n", json_number_value(v));
    else if (json_is_string(v))
        printf("%s\n", json_string_value(v));
    else
        printf("%s\n", json_is_null(v) ? "null" : "?");
}

int main(int argc, char **argv)
{
    json_t *root, *members, *v;
    const char *group, *key;
    json_error_t error;

    root = argc == 2 ? json_load_file(argv[1], JSON_REJECT_DUPLICATES, &error) : NULL;
    if (!root) {
        fprintf(stderr, "figures: %s\n", argc == 2 ? error.text : "figures FILE");
        return EXIT_FAILED;
    }
    json_object_foreach(root, group, members)
    {
        json_object_foreach(members, key, v) print(group, key, v);
    }
    json_decref(root);
    return EXIT_DONE;
}
