#!/usr/bin/env bash
#
# 16 MiB from host to peer, 16 MiB from peer to host, and both at once, through the kernel: the
# hashes must be equal.

. "$(dirname "$0")/lib.sh"
need ping
need_tun

head -c 16777216 /dev/urandom >"$WORK/ours"
head -c 16777216 /dev/urandom >"$WORK/theirs"
net_up
# OPTIONS

finish
