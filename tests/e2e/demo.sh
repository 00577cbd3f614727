#!/usr/bin/env bash
#
# make demo, as a test: with a TUN, and on a machine that has none.

. "$(dirname "$0")/lib.sh"
need_tun

# says WHAT PATTERN: a line of the demo.
says()
{
    check "$1" grep -qE -- "$2" "$WORK/out"
}

ip -o link | sed 's/^[0-9]*: //' >"$WORK/before"
tests/demo.sh >"$WORK/out" 2>&1
is "the demo exits 0" $? 0
says "it says where it runs, and why" "in a private network namespace, (without|as) root"
says "the SYN, with the states beside it" "SYN-SENT +--- SYN seq [0-9]+ .*--> +LISTEN"
says "the SYN-ACK" "SYN-SENT +<--.* SYN\+ACK seq [0-9]+ ack [0-9]+ --- +SYN-RECEIVED"
says "the ACK" "ESTABLISHED +--- ACK .*--> +ESTABLISHED"
says "the last ACK of an orderly close" "TIME-WAIT +--- ACK ack [0-9]+ .*--> +CLOSED"
says "both hashes are equal" "^  equal$"
is "both hashes are shown" "$(grep -oE 'sha256 [0-9a-f]{64}' "$WORK/out" | sort -u | wc -l)" 1
says "how the connection ended" "host: 10.0.0.7:[0-9]+ - 10.0.1.5:8000: both sides closed in order"
for node in host peer; do
    says "where the capture of $node lies" "build/demo/$node.pcapng"
    check "it is there" test -s build/demo/$node.pcapng
done
is "no interface is left behind" "$(ip -o link | sed 's/^[0-9]*: //')" "$(cat "$WORK/before")"

unshare -m sh -c 'mount -t tmpfs none /dev/net && tests/demo.sh' >"$WORK/out" 2>&1
is "without a TUN the demo exits 0" $? 0
says "it says so" "no TUN to be had"
says "it says what that means" "no packet can cross the kernel here"
says "the SYN-ACK, all the same" "SYN-SENT +<--.* SYN\+ACK seq [0-9]+ ack [0-9]+ --- +SYN-RECEIVED"
says "both hashes are equal" "^  equal$"

finish
