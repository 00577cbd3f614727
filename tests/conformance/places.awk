# What exists in the code: FILE:FUNCTION, for definitions begin in the first column; and FILE, blank,
# ID for each id that a file speaks of. An id stands on one line.
#
#   awk -f kit.awk -f places.awk FILE...

FNR == 1 { file = FILENAME; sub(/^common\//, "", file) }
{
    n = host_ids($0, ids)
    for (i = 1; i <= n; i++) print file " " ids[i]
    rest = " " $0
    while (match(rest, /[^A-Za-z0-9-](MUST|SHLD|MAY|REC|U)-[0-9]+/)) {
        print file " " substr(rest, RSTART + 1, RLENGTH - 1)
        rest = substr(rest, RSTART + RLENGTH)
    }
}
/^[a-z].*[a-z0-9_]\(/ && !/;$/ {
    name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name)
    print file ":" name
}
