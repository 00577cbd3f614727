# What is wrong with docs/hostile.md, one fault per line: KIND, tab, sentence.
#
#   awk -f hostile.awk exists results docs/hostile.md
#
# A row's last cell names its tests in backquotes: `FILE:FUNCTION` of tests/unit, `NAME.sh` of
# tests/e2e, `fuzz:NAME`, or `sim`. In `event_NAME:TEXT` the text is a cell's name and may hold a *.

BEGIN { FS = "\t" }
FNR == 1 { part++ }

part == 1 && $1 == "BAD" { must[$2] = 1; next }
part == 1 { exists[$1] = 1; next }
part == 2 {
    if ($1 == "fail") failed[$2] = failed[$2, $3] = 1
    if ($1 == "pass") passed[$2] = passed[$2, $3] = 1
    if ($1 != "fail") seen[$2] = 1
    if ($2 ~ /^event_/) names[$2] = names[$2] $3 "\t"
    next
}
part == 3 && /^\| *[0-9]+\.[0-9]+ *\|/ {
    rows++
    cells = split($0, cell, "|")
    number = cell[2]
    gsub(/ /, "", number)
    if (cells != 6 || !check_tests(cell[5])) fault("row", number ": no test is named")
}

function fault(kind, what) { print kind "\t" what }

function check_tests(text,    n) {
    while (match(text, /`[^`]+`/)) {
        check(substr(text, RSTART + 1, RLENGTH - 2))
        text = substr(text, RSTART + RLENGTH)
        n++
    }
    return n
}

function check(test,    f) {
    named[test] = 1
    if (split(test, f, ":") == 2 && f[1] ~ /^event_/) { check_cells(f[1], f[2]); return }
    if (!(test in exists)) fault("missing", number ": " test)
    else if (!passes(test, f)) fault("result", number ": " test)
}

function passes(test, f,    log_name) {
    if (f[1] == "fuzz") return ("fuzz" in passed) && !("fuzz" in failed)
    if (test ~ /\.sh$/) sub(/\.sh$/, "", test)
    else if (test != "sim") return ((f[1], f[2]) in passed) && !((f[1], f[2]) in failed)
    log_name = test
    return (log_name in seen) && !(log_name in failed)
}

# Each cell whose name fits, and there is one.
function check_cells(file, text,    re, list, n, i, found) {
    re = text; gsub(/[][()+.?|^$]/, "\\\\&", re); gsub(/\*/, ".*", re)
    n = split(names[file], list, "\t")
    for (i = 1; i <= n; i++)
        if (list[i] ~ "^" re "$") {
            found = 1
            if (!((file, list[i]) in passed) || (file, list[i]) in failed)
                fault("result", number ": " file ": " list[i])
        }
    if (!found) fault("missing", number ": " file ": " text)
}

END {
    for (test in must)
        if (!(test in named)) fault("unnamed", test)
    if (!rows) fault("row", "there is none")
    print "rows\t" rows + 0
}
