# Joins what is required, what is tagged and what ran into docs/conformance.md, and says on `verdict`
# what is wrong, one fault per line: KIND, tab, sentence.
#
#   awk -v verdict=FILE -f kit.awk -f report.awk requirements.txt functions tags results matrix
#
# `functions` has FILE:FUNCTION per line, or FILE, blank, ID where the file speaks of it; `matrix` is what the event tests print with --table.

BEGIN { FS = "\t" }
FNR == 1 { part++ }

# ---- reading ----

part == 1 {
    if (/^#/ || /^ *$/) next
    n = split($0, f, / *\| */)
    if (n < 5 || f[1] !~ /^(MUST|SHLD|MAY|REC|U)-[0-9]+$/) fault("form", "requirements.txt: " $0)
    order[++ids] = f[1]
    words[f[1]] = f[2]; section[f[1]] = f[3]; where[f[1]] = f[4]; note[f[1]] = f[5]
    next
}
part == 2 { exists[$0] = 1; next }
part == 3 {
    if (!($1 in words)) fault("tag", $2 ": " $3 ": no such id: " $1)
    tagged[$1] = tagged[$1] (tagged[$1] == "" ? "" : "\n") $2 "\t" $3
    next
}
part == 4 { take_result(); next }
part == 5 { matrix[++lines] = $0 }

function fault(kind, what) { print kind "\t" what >verdict; faults++ }

# ---- one test ----

# Fills `shown`; returns pass, FAIL, no test, or a dash where none is asked for.
function prove(id,    list, n, i, f, good, bad, r) {
    shown = ""
    n = split(tagged[id], list, "\n")
    for (i = 1; i <= n; i++) {
        split(list[i], f, "\t")
        shown = shown (i > 1 ? "<br>" : "") "`" f[1] "`: " spaced(f[2])
        r = outcome(f[1], f[2])
        if (r == "pass") good++
        if (r == "fail") { bad++; fault(id, f[1] ": " f[2] " fails") }
    }
    if (bad) return "FAIL"
    if (good) return "pass"
    if (excused(id)) return "-"
    fault(id, words[id] " (" (n ? "its test did not run" : "no test has its id") ")")
    return n ? "not run" : "no test"
}

function excused(id) { return id !~ /^MUST/ && note[id] ~ /^(not followed|applications): / }

# ---- the places ----

function places(id,    list, n, i, path, out, told) {
    if (where[id] == "-" || where[id] == "") {
        if (!excused(id)) fault("place", id ": no FILE:FUNCTION is named")
        return "-"
    }
    n = split(where[id], list, / +/)
    for (i = 1; i <= n; i++) {
        path = list[i]; sub(/:.*/, "", path)
        if ((path " " id) in exists) told = 1
        sub(/\.c$/, ".h", path)
        if ((path " " id) in exists) told = 1
        if (!(list[i] in exists)) fault("place", id ": " list[i] " does not exist")
        out = out (i > 1 ? "<br>" : "") "`" list[i] "`"
    }
    if (!told) fault("place", id ": the file that is named, and its header, do not speak of it")
    return out
}

# ---- the page ----

function table(title, prefix,    i, id, r, row) {
    print "\n## " title "\n"
    print "| id | what is asked for | section | where | test | result |"
    print "|---|---|---|---|---|---|"
    for (i = 1; i <= ids; i++) {
        id = order[i]
        if (id !~ "^(" prefix ")-") continue
        r = prove(id)
        row = words[id]
        if (note[id] != "") row = row " *" toupper(substr(note[id], 1, 1)) substr(note[id], 2) ".*"
        print "| " id " | " row " | " section[id] " | " places(id) " | " (shown == "" ? "-" : shown) \
            " | " r " |"
    }
}

function count(prefix,    i, id) {
    total = proven = left = 0
    for (i = 1; i <= ids; i++) {
        id = order[i]
        if (id !~ "^(" prefix ")-") continue
        total++
        if (passes(id)) proven++
        else if (excused(id)) left++
    }
}

function passes(id,    list, n, i, f, r, good) {
    n = split(tagged[id], list, "\n")
    for (i = 1; i <= n; i++) {
        split(list[i], f, "\t")
        r = outcome(f[1], f[2])
        if (r == "fail") return 0
        if (r == "pass") good = 1
    }
    return good
}

function summary(name, prefix) {
    count(prefix)
    print "| " name " | " total " | " proven " | " (left ? left : "-") " |"
    print "summary\t" proven " of " total - left " " name >verdict
}

function cells(    i, f, n, j, row, file) {
    for (i = 1; i <= lines; i++) {
        n = split(matrix[i], f, "\t")
        if (f[1] == "F") file = f[2]
        else if (f[1] == "T") print "\n### " f[2] "\n\n" f[3] "\n"
        else if (f[1] == "C") {
            row = "| |"
            for (j = 2; j <= n; j++) { column[j] = f[j]; row = row " " f[j] " |" }
            print row
            gsub(/[^|]+/, "---", row)
            print row
        } else if (f[1] == "R") {
            row = "| " f[2] " |"
            for (j = 3; j <= n; j++) {
                if (f[j] == "") { row = row "  |"; continue }
                all_cells++
                key = file "\t" f[2] " in " column[j - 1]
                if (result[key] == "pass") good_cells++
                else {
                    f[j] = f[j] " **" (result[key] == "fail" ? "FAIL" : "not run") "**"
                    fault("cell", f[2] " in " column[j - 1] ": " (key in result ? result[key] : "not run"))
                }
                row = row " " f[j] " |"
            }
            print row
        }
    }
    print "summary\t" good_cells + 0 " of " all_cells + 0 " cells of the matrix" >verdict
}

END {
    print "# Conformance to RFC 9293"
    print ""
    print "Generated by `make conformance` from `tests/conformance/requirements.txt`, the ids in the comments above"
    print "the tests, and what these tests said; `make test` fails where a MUST has no passing test, where"
    print "a place that is named does not exist, and where this page is not what it would be now."
    print "[conformance-hosts.md](conformance-hosts.md) is the same for IP, ICMP and UDP."
    print ""
    print "| | in the RFC | proven by a passing test | left out, or for applications |"
    print "|---|---|---|---|"
    summary("MUST", "MUST")
    summary("SHOULD and RECOMMENDED", "SHLD|REC")
    summary("MAY", "MAY")
    summary("unlabelled sentences", "U")
    print ""
    print "MUST includes MUST NOT, SHOULD includes SHOULD NOT, as the RFC's numbers do. A test is named by its file"
    print "in `tests/unit` or `tests/e2e`; files of the stack are under `common/`."
    table("MUST", "MUST")
    table("SHOULD", "SHLD|REC")
    table("MAY", "MAY")
    table("Sentences without a label", "U")
    if (lines) {
        print "\n## State by event"
        print "\nEach cell of section 3.10 is a test of its own: what is sent, and the state afterwards."
        cells()
    }
}
