# Who may include whom: the floors of docs/architecture.md, checked over every #include "..." line.
# An include may point to its own folder or to a lower floor. Prints one line per offence.

BEGIN {
    split("base=0 wire=1 ip=2 tcp=2 stack=3 link=4 app=5 run=6", pair, " ")
    for (i in pair) {
        split(pair[i], kv, "=")
        floor[kv[1]] = kv[2]
    }
    # Doors and walls that the floor numbers alone do not say.
    closed["link ip"] = closed["link tcp"] = closed["link stack"] = 1
    closed["app ip"] = closed["app link"] = 1
    insides["app tcp"] = insides["host tcp"] = insides["peer tcp"] = 1
    tcp_open["tcp/state.h"] = tcp_open["tcp/config.h"] = 1
    split("base wire stack link app run tcp", list, " ")
    for (i in list)
        node_may[list[i]] = 1
    split("address exit options netlink self", list, " ")
    for (i in list)
        netsetup_may["run/" list[i] ".h"] = 1
    netsetup_may["base"] = netsetup_may["wire"] = 1
    split("assert errno inttypes limits stdalign stdarg stdbool stddef stdint stdio stdlib string " \
          "sodium", list, " ")
    for (i in list)
        plain["<" list[i] ".h>"] = 1
    plain["<sodium/crypto_shorthash.h>"] = 1
}

function offence(text) {
    printf "%s:%d: %s\n", FILENAME, FNR, text
    bad = 1
}

function is_core(f) {
    return f ~ /^(base|wire|ip|tcp|stack|app)$/
}

FNR == 1 {
    split(FILENAME, part, "/")
    where = part[1] == "common" ? part[2] : part[1]
}

/^[ \t]*#[ \t]*include[ \t]*</ && is_core(where) && FILENAME ~ /^common\// {
    header = $0
    sub(/^[^<]*/, "", header)
    sub(/>.*/, ">", header)
    if (!(header in plain))
        offence("the core includes " header ", which is not plain C11")
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, quoted, "\"")
    path = quoted[2]
    if (path !~ /\//)
        next # beside the file itself
    to = path
    sub(/\/.*/, "", to)
    if (to == where || where == "tests")
        next
    if (where == "netsetup") {
        if (!(to in netsetup_may) && !(path in netsetup_may))
            offence("netsetup may not include " path)
    } else if (where == "host" || where == "peer") {
        if (!(to in node_may))
            offence(where " may not include " path)
        else if ((where " " to) in insides && !(path in tcp_open))
            offence(where " may not look inside tcp: " path)
    } else if (!(to in floor)) {
        offence(where "/ may not include " path)
    } else if (floor[to] >= floor[where]) {
        offence(where "/ (floor " floor[where] ") may not include " path " (floor " floor[to] ")")
    } else if ((where " " to) in closed) {
        offence(where "/ must not know " to "/: " path)
    } else if ((where " " to) in insides && !(path in tcp_open)) {
        offence(where "/ may not look inside tcp: " path)
    }
}

END {
    exit bad
}
