#!/usr/bin/env bash
#
# netsetup(8): every option and command of the program is in it, and no other; it can be set; and its
# examples, typed one after the other, succeed. The pages of host and peer are made from what they
# print with --help: nothing of it is lost.

. "$(dirname "$0")/lib.sh"
need_tun
page=docs/netsetup.8

help=$("$BIN/netsetup" --help)
is "the manual page has the options that the program has" \
    "$(sed -n '/^\.SH OPTIONS/,/^\.SH EXIT/s/^\.BR \\-\(.\) ", " \\-\\-\([a-z]*\).*/-\1, --\2/p' $page | sort)" \
    "$(grep -oE '^ +-., --[a-z]+' <<<"$help" | sed 's/^ *//' | sort)"
is "with an argument where they have one" \
    "$(sed -n 's/^\.BR \\-. ", " \\-\\-\([a-z]*\) " \\fI\([A-Z]*\).*/\1 \2/p' $page | sort)" \
    "$(grep -oE '^ +-., --[a-z]+[= ][A-Z]+' <<<"$help" | sed -E 's/.*--([a-z]+)./\1 /' | sort)"
is "and its commands" "$(sed -n '/^\.SH COMMANDS/,/^\.SH OPTIONS/s/^\.B \([a-z]*\)$/\1/p' $page | sort -u)" \
    "$(sed -n '/^commands:/,/^$/s/^  \([a-z]\+\) .*/\1/p' <<<"$help" | sort)"
if command -v groff >/dev/null; then
    is "it can be set without a warning" "$(groff -man -Tutf8 -ww $page 2>&1 >/dev/null)" ""
else
    skip "it can be set" "groff is not installed"
fi

# Standard input's words, sorted, whatever ends them and however they are written.
words()
{
    tr -s ' ' '\n' | tr '[:upper:]' '[:lower:]' | sed 's/[.:;]*$//' | sort
}

for node in host peer; do
    made=$WORK/twintun-$node.1
    help=$("$BIN/$node" --help)
    awk -v name=twintun-$node -f docs/manual.awk <<<"$help" >"$made"
    is "$node: its page is for whatis, too" "$(sed -n '/^\.SH NAME/{n;p}' "$made")" \
        "$(sed -n "3{s/^./twintun\\\\-$node \\\\- \l&/;s/[,;.].*//;p}" <<<"$help")"
    is "$node: its sections" "$(sed -n 's/^\.SH //p' "$made" | grep -v SERVICES | tr '\n' ' ')" \
        "NAME SYNOPSIS DESCRIPTION OPTIONS SIGNALS EXIT STATUS EXAMPLES SEE ALSO "
    is "$node: its options, in their order" "$(sed -n '/^\\fB\\-/{s/\\f.//g;s/\\//g;p}' "$made")" \
        "$(sed -nE '/^(  |      -)-/{s/^ +//;s/  .*//;p}' <<<"$help")"
    is "$node: the headings above them" "$(sed -n 's/^\.SS //p' "$made" | tr -d '\\')" \
        "$(sed -nE '/^([a-z].*|TCP|IP):$/{s/:$//;s/^./\u&/;p};s/^  -h, .*/Help/p' <<<"$help")"
    command -v groff >/dev/null || continue
    is "$node: it can be set without a warning" "$(groff -man -Tutf8 -ww "$made" 2>&1 >/dev/null)" ""
    sed "s|$BIN/$node|twintun-$node|; s/^usage: //; s/^Exit codes:/Exit status:/" <<<"$help" |
        words >"$WORK/said"
    groff -man -Tascii -rLL=1000n -P-cbou "$made" | words >"$WORK/set"
    is "$node: each word is there, as often" "$(comm -23 "$WORK/said" "$WORK/set")" ""
done

PATH=$PWD/$BIN:$PATH
sed -n '/^\.SH EXAMPLES/,/^\.SH SEE/p' $page | awk '/^\.EX/ { inside = 1; next } /^\.EE/ { inside = 0 }
    inside { gsub(/\\-/, "-"); print }' >"$WORK/examples"
is "there are examples" "$([ "$(wc -l <"$WORK/examples")" -ge 10 ] && echo yes)" yes
if ! setpriv --reuid nobody true 2>/dev/null; then
    sed -i 's/--user nobody/--user root/' "$WORK/examples"
    skip "the examples for another user, with another user" "there is only one user here"
fi
ip link add eth0 type veth peer name eth1 # the machine's, which the examples name
while IFS= read -r line <&3; do
    check "$line" timeout 20 bash -c "$line"
done 3<"$WORK/examples"
is "they leave nothing" "$(ip -o link | grep -cE ' (tun|o)[0-9]')" 0
finish
