# Draw a connection as a ladder, from what both nodes printed with -v:
#
#   awk -v host=10.0.0.7 -v peer=10.0.1.5 -f ladder.awk HOST_LOG PEER_LOG
#
# Each packet is printed twice: "Out" by the node that sends it, and "In" by the other when it comes
# out of the kernel. The kernel keeps the order, so the n-th Out of one side is the n-th In of the
# other, and the difference of their times is the way through the kernel. One row is one packet; the
# states beside it are those of RFC 9293 figure 5 after the packet was sent, or has arrived. A long
# run of data is one row. With one log only (both nodes in one process; -v alone=1) what comes in
# stands for what the other side sent, and nothing is known of the time on the way.

function seconds(clock,   t)
{
    split(clock, t, ":")
    return t[1] * 3600 + t[2] * 60 + t[3]
}

# The number behind `name` in a printed line, or -1.
function number_of(line, name)
{
    if (!match(line, ", " name " [0-9]+"))
        return -1
    return substr(line, RSTART + length(name) + 3, RLENGTH - length(name) - 3) + 0
}

function relative(n, first)
{
    return n < first ? n - first + 4294967296 : n - first
}

# What a segment is, in words: its flags, numbers and length. The nodes print the numbers of a SYN as
# they are, and all others relative to it; here all are relative. All but the first SYN acknowledge,
# so ACK is only named beside SYN and where it is alone.
function describe(line, side,   text, seq, ack)
{
    seq = number_of(line, "seq")
    ack = number_of(line, "ack")
    text = line ~ /Flags \[[^]]*F/ ? "FIN" : line ~ /Flags \[R/ ? "RST" : "ACK"
    if (line ~ /Flags \[S/) {
        text = ack < 0 ? "SYN" : "SYN+ACK"
        ack = ack < 0 ? ack : relative(ack, first[!side])
        seq = 0
    }
    if (seq >= 0)
        text = text " seq " seq
    if (length_of(line))
        text = text "+"  length_of(line)
    if (ack >= 0)
        text = text " ack " ack
    return text
}

function length_of(line)
{
    if (!match(line, /length [0-9]+/))
        return 0
    return substr(line, RSTART + 7, RLENGTH - 7) + 0
}

/ IP / && /Flags \[/ && / (Out|In) / {
    match($0, / (Out|In) /)
    way = substr($0, RSTART + 1, RLENGTH - 2)
    from_host = index($0, "IP " host ".") > 0
    if (way == "Out" || alone) {
        n++
        sent[n] = seconds($1)
        line[n] = $0
        right[n] = from_host
        if (/Flags \[S/ && !(from_host in first))
            first[from_host] = number_of($0, "seq")
        if (from_host)
            hosts[++hosts_n] = n
        else
            peers[++peers_n] = n
    } else if (from_host) {
        host_in[++host_in_n] = seconds($1)
    } else {
        peer_in[++peer_in_n] = seconds($1)
    }
}

# ---- the states, as each side sees them ----

function send_state(s, fin, syn)
{
    if (syn)
        return s == "LISTEN" || s == "SYN-RECEIVED" ? "SYN-RECEIVED" : "SYN-SENT"
    if (s == "SYN-ACKED")
        s = "ESTABLISHED"
    if (fin && s == "ESTABLISHED")
        return "FIN-WAIT-1"
    if (fin && s == "CLOSE-WAIT")
        return "LAST-ACK"
    return s
}

function receive_state(s, fin, syn, acks_fin)
{
    if (s == "SYN-SENT" && syn)
        return "SYN-ACKED"
    if (s == "SYN-RECEIVED" && !syn)
        s = "ESTABLISHED"
    if (acks_fin && s == "FIN-WAIT-1")
        s = "FIN-WAIT-2"
    if (acks_fin && s == "LAST-ACK")
        return "CLOSED"
    if (acks_fin && s == "CLOSING")
        return "TIME-WAIT"
    if (!fin) # one that comes again changes nothing, so each step names the state that it leaves
        return s
    return s == "ESTABLISHED" ? "CLOSE-WAIT" : s == "FIN-WAIT-1" ? "CLOSING" : \
           s == "FIN-WAIT-2" ? "TIME-WAIT" : s
}

function shown(s)
{
    return s == "SYN-ACKED" ? "SYN-SENT" : s
}

function dashes(k,   t)
{
    t = ""
    while (k-- > 0)
        t = t "-"
    return t
}

# A time in 6 columns, and a short time with its unit.
function in_ms(t)
{
    return sprintf(t < 1 ? "%6.2f" : "%6.1f", t * 1000)
}

function short_time(t)
{
    return t < 0.01 ? sprintf("%.0f us", t * 1e6) : t < 10 ? sprintf("%.0f ms", t * 1e3) \
                                                           : sprintf("%.0f s", t)
}

# One packet, in 79 columns; `way` is its time through the kernel, or "".
function row(when, left, text, to_right, way, right_state,   fill)
{
    way = way == "" ? "" : " " short_time(way) " "
    fill = 41 - length(text) - length(way)
    fill = dashes(fill < 1 ? 1 : fill)
    printf "%6s %-11s %s %s\n", when, left, \
        to_right ? "- " text " " fill way "->" : "<-" way fill " " text " -", right_state
}

function count(n, what)
{
    return n " " what (n == 1 ? "" : "s")
}

# Rows of data between the first and the last are counted, not drawn.
function count_up(i,   len)
{
    len = length_of(line[i])
    if (len > 0) {
        segments[right[i]]++
        bytes[right[i]] += len
    } else {
        pure++
    }
}

function flush_run(   text)
{
    if (!segments[0] && !segments[1] && !pure)
        return
    if (segments[1])
        printf "%22s%s in %s ->\n", "", count(bytes[1], "byte"), count(segments[1], "segment")
    if (segments[0])
        printf "%22s<- %s in %s\n", "", count(bytes[0], "byte"), count(segments[0], "segment")
    if (pure)
        printf "%22sand %s with no data: ACKs, windows\n", "", count(pure, "segment")
    segments[0] = segments[1] = bytes[0] = bytes[1] = pure = 0
}

# The order of the drawing is the order of sending; a log lists one side, so sort by time.
function sort_by_time(   i, j, k)
{
    # both sides are in order already: merge them
    i = j = 1
    for (k = 1; k <= n; k++) {
        if (alone)
            order[k] = k
        else if (j > peers_n || (i <= hosts_n && sent[hosts[i]] <= sent[peers[j]]))
            order[k] = hosts[i++]
        else
            order[k] = peers[j++]
    }
}

END {
    if (n == 0)
        exit 1
    # Only if nothing was lost on the way is the n-th the n-th.
    for (i = 1; i <= hosts_n && host_in_n == hosts_n; i++)
        arrived[hosts[i]] = host_in[i]
    for (i = 1; i <= peers_n && peer_in_n == peers_n; i++)
        arrived[peers[i]] = peer_in[i]
    sort_by_time()
    begin = sent[order[1]]
    left = "CLOSED"
    there = "LISTEN"
    printf "%6s %-59s%s\n", "ms", "host " host, "peer " peer
    printf "%6s %-59s%s\n", "", left, there
    for (k = 1; k <= n; k++) {
        i = order[k]
        l = line[i]
        syn = l ~ /Flags \[S/
        fin = l ~ /Flags \[F/
        # The acknowledgment of a FIN is the first that covers it: relative numbers tell.
        acks_fin = fin_at[!right[i]] != "" && number_of(l, "ack") > fin_at[!right[i]] && \
                   !fin_acked[!right[i]]++
        if (fin)
            fin_at[right[i]] = number_of(l, "seq") + length_of(l)
        if (right[i]) {
            left = send_state(left, fin, syn)
            there = receive_state(there, fin, syn, acks_fin)
        } else {
            there = send_state(there, fin, syn)
            left = receive_state(left, fin, syn, acks_fin)
        }
        drawn = k <= 3 || syn || fin || acks_fin || l ~ /Flags \[R/
        if (!drawn) {
            count_up(i)
            continue
        }
        flush_run()
        row(in_ms(sent[i] - begin), shown(left), describe(l, right[i]), right[i], \
            arrived[i] == "" ? "" : arrived[i] - sent[i], there)
    }
    flush_run()
    print ""
    if (arrived[order[1]] != "")
        printf "%6s Beside each arrow: the time from node to node, through the kernel.\n", ""
    printf "%6s Sequence numbers are relative: host began with %.0f, peer with\n", "", first[1]
    printf "%6s %.0f; \"seq 1+1460\" is 1460 bytes from number 1 on.\n", "", first[0]
    if (length_of(line[order[3]]))
        printf "%6s The third segment ends the handshake, and carries data already.\n", ""
}
