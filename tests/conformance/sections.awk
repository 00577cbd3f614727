# The sections of RFCs that tests are named after, as the second part of docs/conformance.md: a row
# for each section, with its tests. rfc6675_5_1_timeout of sack_repair_test.c stands for RFC 6675,
# section 5.1; draft_5_3_1_startup is one of BBR's draft.
#
#   awk -v verdict=FILE -f sections.awk rfcs.txt results tests...
#
# rfcs.txt names the RFCs that must have some. What is wrong goes to `verdict`: KIND, tab, sentence.

BEGIN { FS = "\t" }
FNR == 1 { part++ }

part == 1 {
    if (/^([0-9]|draft)/) { split($0, f, / *\| */); title[(f[1] == "draft" ? "" : "RFC ") f[1]] = f[2] }
    next
}
part == 2 { result[$2 "\t" $3] = $1; next }

FNR == 1 { file = FILENAME; sub(/.*\//, "", file); sub(/_test\.c$/, "", file) }
/^static void (rfc[0-9]+|draft)_[a-z0-9_]+\(void \*\*/ {
    name = $0; sub(/^static void /, "", name); sub(/\(.*/, "", name)
    words = name; rfc = words; section = ""
    sub(/_.*/, "", rfc); sub(/^[a-z0-9]+_/, "", words)
    sub(/^rfc/, "RFC ", rfc)
    while (match(words, /^[0-9]+(_|$)/)) {
        section = section (section == "" ? "" : ".") substr(words, 1, RLENGTH - (words ~ /^[0-9]+_/))
        words = substr(words, RLENGTH + 1)
    }
    gsub(/_/, " ", words)
    if (result[file "\t" name] != "pass") {
        print "section\t" file ": " name ": did not pass" >>verdict
        words = words " (FAIL)"
    }
    had[rfc] = 1
    tests++
    key = rfc "\t" section
    if (!(key in row)) keys[++n] = key
    row[key] = row[key] (row[key] == "" ? "" : "<br>") "`" file "`: " words
}

# RFCs by number and the draft last, sections by each of their numbers.
function rank(key,    f, s, i, r) {
    split(key, f, "\t")
    r = f[1] ~ /^RFC/ ? sprintf("%05d", substr(f[1], 5)) : "99999"
    split(f[2], s, ".")
    for (i = 1; i <= 5; i++) r = r sprintf(".%03d", s[i])
    return r
}

END {
    for (rfc in title)
        if (!(rfc in had))
            print "section\t" rfc ", " title[rfc] ": no test is named after a section of it" >>verdict
    print "summary\tsections: " tests " tests are named after " n " sections of RFCs" >>verdict
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && rank(keys[j]) < rank(keys[j - 1]); j--) {
            t = keys[j]; keys[j] = keys[j - 1]; keys[j - 1] = t
        }
    print ""
    print "## Sections of RFCs that tests are named after"
    print ""
    print "Examples, algorithms and scenarios of the RFCs, each as a test. All of them passed."
    last = ""
    for (i = 1; i <= n; i++) {
        split(keys[i], f, "\t")
        if (f[1] != last) {
            last = f[1]
            what = f[1] == "draft" ? "draft-ietf-ccwg-bbr" : f[1]
            print ""
            print "### " what (title[f[1]] == "" ? "" : ": " title[f[1]])
            print ""
            print "| section | tests |"
            print "|---|---|"
        }
        print "| " (f[2] == "" ? "-" : f[2]) " | " row[keys[i]] " |"
    }
}
