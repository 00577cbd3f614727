# What speed.sh measured, as a table, as one for docs/performance.md, as JSON, or as a picture:
#
#   awk -f report.awk -v form=table|md|json|svg -v head=TEXT keys.txt ratios.txt why samples
#
# samples has lines "KEY VALUE", one for each repetition; why has lines "KEY TEXT" for keys that
# could not be measured, or not as one would wish. A figure is the median of its repetitions; the
# quartiles say how much they differ.

BEGIN {
    FS = " *[|] *"
    title["bulk"] = "One transfer"
    title["mss"] = "Packets without offload"
    title["rr"] = "A byte there and back"
    title["conn"] = "Connections opened and closed"
    title["idle"] = "Memory of an idle connection"
    title["core"] = "The core alone, a small segment out and in"
}

function trim(s) {
    gsub(/^ +| +$/, "", s)
    return s
}

FNR == 1 { file++ }
/^#/ || /^ *$/ { next }
file == 1 {
    key[++keys] = trim($1)
    unit[key[keys]] = trim($2)
    words[key[keys]] = trim($3)
}
file == 2 {
    ratio[++ratios] = trim($1)
    over[ratio[ratios]] = trim($2)
    under[ratio[ratios]] = trim($3)
    split(trim($4), bound, " ")
    most[ratio[ratios]] = bound[1] == "<"
    limit[ratio[ratios]] = bound[2]
    aim[ratio[ratios]] = trim($5)
    says[ratio[ratios]] = trim($6)
    alone[ratio[ratios]] = trim($7)
}
file == 3 {
    k = $0
    sub(/ .*/, "", k)
    why[k] = substr($0, length(k) + 2)
}
file == 4 {
    split($0, part, " ")
    sample[part[1], ++count[part[1]]] = part[2] + 0
}

# Sort the samples of a key by insertion, and find what stands at a quarter, a half, three quarters.
function settle(k,   i, j, v, n) {
    n = count[k]
    for (i = 2; i <= n; i++) {
        v = sample[k, i]
        for (j = i - 1; j > 0 && sample[k, j] > v; j--)
            sample[k, j + 1] = sample[k, j]
        sample[k, j + 1] = v
    }
    median[k] = n % 2 ? sample[k, (n + 1) / 2] : (sample[k, n / 2] + sample[k, n / 2 + 1]) / 2
    low[k] = sample[k, int((n + 3) / 4)]
    high[k] = sample[k, n + 1 - int((n + 3) / 4)]
    moved += high[k] > 1.5 * low[k]
}

# A number with as many digits as mean something.
function number(v) {
    return v >= 1000 ? sprintf("%.0f", v) : v >= 100 ? sprintf("%.1f", v) : sprintf("%.3g", v)
}

function value(k) {
    return k ~ /^[0-9.]+$/ ? k + 0 : median[k]
}

function known(k) {
    return k ~ /^[0-9.]+$/ || (k in median)
}

function meets(r, v) {
    return most[r] ? v <= limit[r] + 0 : v >= limit[r] + 0
}

# What is to be said of a ratio that is known: `no` is how it is said that the bound is missed.
function verdict(r, no) {
    if (met[r])
        return "met"
    return no (r in device && !meets(r, device[r]) ? ", nor by the device alone: " number(device[r]) : "")
}

# The first part of a key: keys that share it are an object in JSON, and stand under one title.
function part_of(k) {
    sub(/\..*/, "", k)
    return k
}

END {
    for (i = 1; i <= keys; i++)
        if (count[key[i]])
            settle(key[i])
    if (moved)
        warning = "Figures that moved by more than half from turn to turn: " moved \
            ". Something else ran; measure again before you judge by them."
    for (i = 1; i <= ratios; i++) {
        r = ratio[i]
        if (known(over[r]) && known(under[r]) && value(under[r]) > 0) {
            have[r] = value(over[r]) / value(under[r])
            met[r] = meets(r, have[r])
            if (alone[r] in median)
                device[r] = median[alone[r]] / value(under[r])
        } else {
            why[r] = known(over[r]) ? why[under[r]] : why[over[r]]
        }
    }
    if (form == "json")
        json()
    else if (form == "svg")
        svg()
    else if (form == "md")
        md()
    else
        table()
}

# ---- On the terminal ----

function table(   i, k, r) {
    printf "%s\n\n%-62s %8s %s\n", head, "", "median", "quartiles"
    for (i = 1; i <= keys; i++) {
        k = key[i]
        if (part_of(k) != part_of(key[i - 1]))
            print title[part_of(k)]
        if (k in median)
            printf "  %-52s %7s %8s %s\n", words[k], unit[k], number(median[k]),
                (count[k] > 1 ? number(low[k]) " to " number(high[k]) : "")
        else
            printf "  %-52s %7s %8s %s\n", words[k], unit[k], "-", why[k]
        if ((k in median) && (k in why))
            printf "  %-52s %7s %8s   (%s)\n", "", "", "", why[k]
    }
    if (warning)
        printf "\n%s\n", warning
    printf "\n%-62s %8s %9s %6s\n", "Ratios within this run", "is", "must be", "aim"
    for (i = 1; i <= ratios; i++) {
        r = ratio[i]
        printf "  %-60s %8s %3s %5s %6s  %s\n", says[r], r in have ? number(have[r]) : "-",
            most[r] ? "<=" : ">=", limit[r], aim[r],
            r in have ? verdict(r, "not met") : why[r]
    }
}

# The same for docs/performance.md.
function md(   i, k, r) {
    printf "%s.\n\n| what | unit | median | quartiles |\n|---|---|---|---|\n", head
    for (i = 1; i <= keys; i++) {
        k = key[i]
        if (part_of(k) != part_of(key[i - 1]))
            printf "| **%s** | | | |\n", title[part_of(k)]
        printf "| %s | %s | %s | %s |\n", words[k], unit[k], k in median ? number(median[k]) : "-",
            k in median ? (count[k] > 1 ? number(low[k]) " to " number(high[k]) : "") : why[k]
    }
    if (warning)
        printf "\n%s\n", warning
    printf "\n| ratio within this run | is | must be | aim | |\n|---|---|---|---|---|\n"
    for (i = 1; i <= ratios; i++) {
        r = ratio[i]
        printf "| %s | %s | %s %s | %s | %s |\n", says[r], r in have ? number(have[r]) : "-",
            most[r] ? "at most" : "at least", limit[r], aim[r],
            r in have ? verdict(r, "**not met**") : why[r]
    }
}

# ---- For programs ----

function quoted(s) {
    gsub(/\\/, "\\\\", s)
    gsub(/"/, "\\\"", s)
    return "\"" s "\""
}

function group_begin(k,   g) {
    g = part_of(k)
    if (g == group)
        printf ",\n"
    else
        printf "%s  %s: {\n", group == "" ? "" : "\n  },\n", quoted(g)
    group = g
    sub(/^[^.]*\./, "", k)
    printf "    %s: ", quoted(k)
}

# All keys and what is a ratio of two, those of one group together.
function members(   i, j, g, seen, order, n, list, m) {
    for (i = 1; i <= keys; i++)
        list[++m] = key[i]
    for (i = 1; i <= ratios; i++)
        if (under[ratio[i]] != 1)
            list[++m] = ratio[i]
    for (i = 1; i <= m; i++) {
        g = part_of(list[i])
        if (!(g in seen))
            order[++n] = g
        seen[g] = 1
    }
    for (j = 1; j <= n; j++)
        for (i = 1; i <= m; i++)
            if (index(list[i], order[j] ".") == 1)
                all[++alls] = list[i]
}

function json(   i, k, n) {
    printf "{\n  \"about\": %s,\n", quoted(head)
    members()
    for (i = 1; i <= alls; i++) {
        k = all[i]
        group_begin(k)
        printf "%s", k in median ? number(median[k]) : k in have ? number(have[k]) : "null"
    }
    printf "\n  },\n  \"why\": {"
    for (i = 1; i <= alls; i++)
        if (all[i] in why)
            printf "%s\n    %s: %s", n++ ? "," : "", quoted(all[i]), quoted(why[all[i]])
    printf "\n  },\n  \"quartiles\": {"
    n = 0
    for (i = 1; i <= keys; i++)
        if (key[i] in median)
            printf "%s\n    %s: [%s, %s]", n++ ? "," : "", quoted(key[i]), number(low[key[i]]),
                number(high[key[i]])
    printf "\n  },\n  \"ratios\": ["
    for (i = 1; i <= ratios; i++) {
        k = ratio[i]
        printf "%s\n    {\"key\": %s, \"what\": %s, \"is\": %s, \"%s\": %s, \"aim\": %s, \"met\": %s%s}",
            (i > 1 ? "," : ""), quoted(k), quoted(says[k]), k in have ? number(have[k]) : "null",
            most[k] ? "at_most" : "at_least", limit[k], aim[k],
            k in have ? (met[k] ? "true" : "false") : "null",
            k in device ? ", \"device_alone\": " number(device[k]) : ""
    }
    printf "\n  ]\n}\n"
}

# ---- For the eye ----

function escaped(s) {
    gsub(/&/, "\\&amp;", s)
    gsub(/</, "\\&lt;", s)
    return s
}

# One group of bars: the keys of `list`, of which the longest fills the width.
function bars(list, better,   n, k, i, top, w, colour) {
    n = split(list, k, " ")
    for (i = 1; i <= n; i++)
        if ((k[i] in median) && median[k[i]] > top)
            top = median[k[i]]
    y += 34
    printf "<text x='20' y='%d' class='t'>%s</text>", y,
        escaped(title[part_of(k[1])])
    printf "<text x='740' y='%d' class='n' text-anchor='end'>%s</text>\n", y, better
    for (i = 1; i <= n; i++) {
        y += 22
        printf "<text x='20' y='%d'>%s</text>", y, escaped(words[k[i]])
        if (!(k[i] in median)) {
            printf "<text x='365' y='%d' class='n'>%s</text>\n", y, escaped(why[k[i]])
            continue
        }
        w = top > 0 ? 285 * median[k[i]] / top : 0
        colour = k[i] ~ /twintun|core/ ? "#2a7" : k[i] ~ /raw/ ? "#999" : "#58b"
        printf "<rect x='365' y='%d' width='%.1f' height='14' fill='%s'/>", y - 11, (w < 1 ? 1 : w),
            colour
        printf "<text x='%.1f' y='%d'>%s %s</text>\n", 371 + w, y, number(median[k[i]]), unit[k[i]]
    }
}

function svg(   height) {
    height = 774 + (warning ? 18 : 0)
    printf "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 760 %d' font-family='sans-serif' " \
        "font-size='13'>\n<style>.t{font-weight:bold}.n{fill:#777}</style>\n" \
        "<rect width='760' height='%d' fill='#fff'/>\n", height, height
    bars("bulk.raw_gbps bulk.raw_sleep_gbps bulk.kernel_gbps bulk.lwip_gbps bulk.twintun_gbps " \
        "bulk.twintun_sleep_gbps bulk.twintun_plain_gbps", "more is better")
    bars("mss.raw_mpps mss.twintun_mpps", "more is better")
    bars("rr.raw_spin_us rr.twintun_spin_us rr.kernel_spin_us rr.kernel_one_cpu_us rr.raw_sleep_us " \
        "rr.kernel_us rr.lwip_us rr.twintun_sleep_us", "less is better")
    bars("conn.kernel_per_s conn.twintun_per_s conn.twintun_sleep_per_s conn.kernel_64_per_s " \
        "conn.twintun_64_per_s conn.twintun_64_sleep_per_s", "more is better")
    bars("core.ns_per_segment core.ns_per_segment_1m", "less is better")
    printf "<text x='20' y='%d' class='n' font-size='11'>%s</text>\n", y + 34, escaped(head)
    if (warning)
        printf "<text x='20' y='%d' class='n' font-size='11'>%s</text>\n", y + 52, escaped(warning)
    print "</svg>"
}
