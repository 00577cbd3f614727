# The requirement ids in the comments of tests: ID, FILE (without what all have), NAME of the test.
#
#   awk -f kit.awk -f tags.awk FILE...
#
# In C the comment stands directly above a test function. In a script it is one or more lines that
# begin with #, and the test is the next line that says a result: its first string, in which what
# the shell fills in is a wildcard.

FNR == 1 {
    text = ""; inside = 0
    file = FILENAME; sub(/.*\//, "", file); sub(/(_test)?\.(c|sh)$/, "", file)
    script = FILENAME ~ /\.sh$/
}

script && /^ *#/   { text = text " " $0; next }
script && text != "" && /^ *(is|ok|check|not_ok) ".*"/ {
    name = $0; sub(/^[^"]*"/, "", name); sub(/".*/, "", name)
    gsub(/\$\{?[A-Za-z_]+\}?/, "*", name)
    emit(name); text = ""; next
}
script { if (/^ *$/) text = ""; next }

inside || /^\/\*/ {
    if (!inside) text = ""
    text = text " " $0
    inside = !/\*\//
    next
}
/^static void [a-z0-9_]+\(void \*\*/ {
    name = $3; sub(/\(.*/, "", name)
    emit(name)
}
{ text = "" }

function emit(test,    rest, id, list, n, i) {
    n = host_ids(text, list)
    for (i = 1; i <= n; i++)
        if (!((list[i], file, test) in seen)) {
            seen[list[i], file, test] = 1
            print list[i] "\t" file "\t" test
        }
    rest = " " text
    while (match(rest, /[^A-Za-z0-9-](MUST|SHLD|MAY|REC|U)-[0-9]+/)) {
        id = substr(rest, RSTART + 1, RLENGTH - 1)
        rest = substr(rest, RSTART + RLENGTH)
        if (!((id, file, test) in seen))
            print id "\t" file "\t" test
        seen[id, file, test] = 1
    }
}
