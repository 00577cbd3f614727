# The manual page of a node, from what it prints with --help, so that nothing is written twice:
#
#   build/bin/host --help | awk -v name=twintun-host -f docs/manual.awk | man -l -
#
# The help is read by its form. A paragraph begins at the margin; above indented lines it is their
# heading. Those lines are options, or names ("cubic    a window that ..."), each with its text
# beside and below it; or else they are examples.

# roff gets each character as it is.
function as_is(s)
{
    gsub(/\\/, "\\e", s)
    gsub(/-/, "\\-", s)
    gsub(/'/, "\\(aq", s)
    return (s ~ /^\./ ? "\\&" : "") s
}

# The same, with options in bold.
function prose(s)
{
    s = as_is(s)
    gsub(/\\-\\-[a-z]+(\\-[a-z]+)*/, "\\fB&\\fR", s)
    return s
}

function italic(s)
{
    gsub(/[A-Z]+/, "\\fI&\\fR", s)
    return s
}

# "-l, --local ADDR[/LEN]": what is typed as it stands, and what stands for something else.
function option(s,    at)
{
    at = match(s, / [A-Z]/) ? RSTART : length(s) + 1
    return "\\fB" as_is(substr(s, 1, at - 1)) "\\fR" italic(as_is(substr(s, at)))
}

function section(title)
{
    if (title != now)
        print ".SH " title
    now = title
}

# What stands before the options; NAME is the beginning of the first sentence.
function front(sentence)
{
    sub(/[,.;].*/, "", sentence)
    print ".TH " as_is(toupper(name)) " 1 \"\" \"twintun\" \"User Commands\"\n.nh\n.ad l"
    section("NAME")
    print as_is(name) " \\- " tolower(substr(sentence, 1, 1)) as_is(substr(sentence, 2))
    section("SYNOPSIS")
    print "\\fB" as_is(name) "\\fR " italic(synopsis)
    section("DESCRIPTION")
}

# "Exit codes: 0 done; 1 failed; 2 usage."
function exit_codes(s,    n, i, code)
{
    section("EXIT STATUS")
    sub(/^Exit codes: /, "", s)
    sub(/\.$/, "", s)
    gsub(/; [0-9]+ /, "\n&", s)
    n = split(s, code, /\n; /)
    for (i = 1; i <= n; i++) {
        match(code[i], /^[0-9]+/)
        print ".TP\n.B " substr(code[i], 1, RLENGTH) "\n" prose(substr(code[i], RLENGTH + 2))
    }
}

# What was gathered is complete: an option or a name, or a paragraph.
function complete()
{
    if (head != "") {
        print ".TP\n" head "\n" prose(text)
    } else if (text ~ /^Exit codes: /) {
        exit_codes(text)
    } else if (text != "") {
        if (now == "")
            front(text)
        if (sub(/^Services: /, "", text))
            section("SERVICES")
        if (text ~ /SIGINT/)
            section("SIGNALS")
        print ".PP\n" prose(text)
    }
    head = text = ""
}

# An option or a name begins, perhaps below a heading; "-h" and "-V" have none.
function begin(tag, rest)
{
    section("OPTIONS")
    if (head == "") {
        sub(/:$/, "", text)
        if (text == "")
            text = "help"
        print ".SS " toupper(substr(text, 1, 1)) as_is(substr(text, 2))
        text = ""
    }
    complete()
    head = tag
    text = rest
}

# An example, perhaps the first below what is said of it. They are printed at the end.
function example(line)
{
    gsub(program, name, line)
    if (text != "" && text != "Examples:")
        examples = examples ".PP\n" prose(text) "\n.PP\n"
    examples = examples ".EX\n" as_is(line) "\n.EE\n"
    text = ""
}

/^usage: / {
    program = $2
    sub(/^usage: [^ ]+ /, "")
    synopsis = $0
    next
}

/^$/ { complete(); next }

{
    indent = match($0, /[^ ]/) - 1
    line = substr($0, indent + 1)
    gap = match(line, /  +/)
    tag = gap ? substr(line, 1, gap - 1) : line
    rest = gap ? substr(line, gap + RLENGTH) : ""
}

indent == 0 || indent > 6   { text = text (text != "" ? " " : "") line; next }
line ~ /^-/                 { begin(option(tag), rest); next }
gap                         { begin("\\fB" as_is(tag) "\\fR", rest); next }
                            { example(line) }

END {
    complete()
    if (now == "")
        exit 1
    section("EXAMPLES")
    printf "%s", examples
    section("SEE ALSO")
    print ".BR twintun\\-" (name ~ /host/ ? "peer" : "host") " (1),"
    print ".BR twintun\\-netsetup (8)"
}
