# What the readers of tags and results share.

# Put the ids of hosts.txt that stand in a comment into list[1..n]; returns n. After "RFC 1122" each
# section with a letter, as 3.2.1.3-a, is of that RFC, until another is named.
function host_ids(text, list,    words, n, i, w, rfc, last, found) {
    n = split(text, words, /[ \t]+/)
    for (i = 1; i <= n; i++) {
        w = words[i]
        sub(/^[[(]+/, "", w); sub(/[])\].,:;]+$/, "", w)
        if (w ~ /^[0-9]+$/ && last == "RFC") rfc = w
        else if (rfc != "" && w ~ /^[0-9]+(\.[0-9]+)*[a-f]?-[a-z]$/) list[++found] = "RFC " rfc " " w
        if (w != "" && w !~ /^[*\/#]+$/) last = w
    }
    return found + 0
}

# ---- results ----

# Of one test in several builds the worst counts.
function worse(a, b) { return a == "fail" || (a == "skip" && b == "pass") }

# A line of results.awk.
function take_result(    key) {
    key = $2 "\t" $3
    if (!(key in result) || worse($1, result[key])) result[key] = $1
    names[$2] = names[$2] $3 "\n"
}

# A script's test may have wildcards: then each name that fits counts.
function outcome(file, name,    re, list, n, i, best) {
    if (name !~ /\*/) return result[file "\t" name]
    re = name; gsub(/[][()+.?|^$]/, "\\\\&", re); gsub(/\*/, ".*", re)
    n = split(names[file], list, "\n")
    for (i = 1; i <= n; i++)
        if (list[i] ~ "^" re "$" && (best == "" || worse(result[file "\t" list[i]], best)))
            best = result[file "\t" list[i]]
    return best
}

# The tests of a requirement, from tagged[id], a line "FILE tab NAME" each: fills `shown`, what stands in the
# column of tests, `named`, how many there are, `good`, how many passed, and broken[1..bad], a sentence for
# each that failed; returns bad.
function look_at_tests(id,    list, f, i, r) {
    shown = ""; good = bad = 0
    named = split(tagged[id], list, "\n")
    for (i = 1; i <= named; i++) {
        split(list[i], f, "\t")
        shown = shown (i > 1 ? "<br>" : "") "`" f[1] "`: " spaced(f[2])
        r = outcome(f[1], f[2])
        if (r == "pass") good++
        if (r == "fail") broken[++bad] = f[1] ": " f[2] " fails"
    }
    return bad
}

function spaced(name) { gsub(/_/, " ", name); return name }
