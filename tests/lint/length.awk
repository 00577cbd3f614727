# Functions over 70 lines and files over 600, in code that clang-format has laid out: a function
# body is what stands between "{" and "}" in the first column. Prints "FILE NAME LINES" each; a file
# has the name "-". tests/lint/long.txt lists those that may stay, with a reason each.

FNR == 1 {
    if (last && lines > 600)
        print last, "-", lines
    last = FILENAME
    start = 0
}

{
    lines = FNR
}

/^[A-Za-z_].*\(/ && !/^(typedef|struct [a-z_]+ \{|#)/ {
    name = $0
    sub(/\(.*/, "", name)
    sub(/.*[ *]/, "", name)
    head = FNR
}

/^\{/ {
    start = head
}

/^\}/ {
    if (start && FNR - start + 1 > 70)
        print FILENAME, name, FNR - start + 1
    start = 0
}

END {
    if (last && lines > 600)
        print last, "-", lines
}
