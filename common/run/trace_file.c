#include "run/trace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/time.h"

int trace_file_open(struct trace_file *f, const char *path)
{
    static const char begin[] = "[\n";
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int r;

    if (fd < 0)
        return -errno;
    *f = (struct trace_file){.flush_at = TIME_NEVER};
    r = outlet_open(&f->out, fd, true, false, TRACE_BUFFER);
    if (r < 0) {
        outlet_close(&f->out);
        return r;
    }
    outlet_widen(&f->out);
    outlet_put(&f->out, begin, sizeof(begin) - 1);
    text_init(&f->text, f->piece, sizeof(f->piece));
    return 0;
}

/* ---- text ---- */

/*
 * Put together by hand and not by printf: there may be a hundred thousand events in a second, and
 * printf was most of their cost.
 */
static void add(struct text *t, const char *s, size_t n)
{
    t->cut |= n > text_room(t);
    if (t->cut)
        return;
    memcpy(t->out + t->len, s, n);
    t->len += n;
    t->out[t->len] = '\0';
}

static void add_plain(struct text *t, const char *s)
{
    add(t, s, strlen(s));
}

/* At least so many digits. */
static void add_digits(struct text *t, uint64_t v, unsigned least)
{
    char digits[24];
    size_t at = sizeof(digits);

    for (; v || least; v /= 10, least -= least > 0)
        digits[--at] = (char)('0' + v % 10);
    add(t, digits + at, sizeof(digits) - at);
}

static void add_number(struct text *t, int64_t v)
{
    if (v < 0)
        add(t, "-", 1);
    add_digits(t, v < 0 ? -(uint64_t)v : (uint64_t)v, 1);
}

/* `ns` in units of 10^digits ns, with all the digits behind the point. */
static void add_time(struct text *t, int64_t ns, uint64_t unit, unsigned digits)
{
    uint64_t v = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;

    if (ns < 0)
        add(t, "-", 1);
    add_digits(t, v / unit, 1);
    add(t, ".", 1);
    add_digits(t, v % unit, digits);
}

/* The format counts in microseconds. */
static void add_us(struct text *t, int64_t ns)
{
    add_time(t, ns, USEC, 3);
}

/*
 * A string in JSON. What comes from outside (the name of a device) may hold any byte: what is no
 * plain ASCII is written by its number, so the file is valid whatever stands there.
 */
static void add_string(struct text *t, const char *s)
{
    add(t, "\"", 1);
    while (*s) {
        const char *from = s;
        unsigned char ch;

        while (*s >= ' ' && *s < 127 && *s != '"' && *s != '\\')
            s++;
        add(t, from, (size_t)(s - from));
        ch = (unsigned char)*s;
        if (ch == '"' || ch == '\\')
            text_add(t, "\\%c", ch);
        else if (ch)
            text_add(t, "\\u%04x", ch);
        s += ch != '\0';
    }
    add(t, "\"", 1);
}

/* ---- one event ---- */

static void end_event(struct trace_file *f)
{
    if (f->making)
        add_plain(&f->text, f->in_args ? "}},\n" : "},\n");
    f->in_args = false;
}

static void begin_event(struct text *t, char phase, uint32_t pid, uint32_t tid, int64_t at)
{
    add_plain(t, "{\"ph\":\"");
    add(t, &phase, 1);
    add_plain(t, "\",\"pid\":");
    add_digits(t, pid, 1);
    add_plain(t, ",\"tid\":");
    add_digits(t, tid, 1);
    add_plain(t, ",\"ts\":");
    add_us(t, at);
    add_plain(t, ",\"name\":");
}

void trace_event(struct trace_file *f, enum trace_phase phase, const char *name, uint32_t pid,
                 uint32_t tid, int64_t at)
{
    end_event(f);
    f->making++;
    begin_event(&f->text, (char)phase, pid, tid, at);
    add_string(&f->text, name);
    if (phase == TRACE_FLOW_IN)
        add_plain(&f->text, ",\"bp\":\"e\""); /* it arrives at the slice around it */
}

void trace_duration(struct trace_file *f, int64_t ns)
{
    add_plain(&f->text, ",\"dur\":");
    add_us(&f->text, ns);
}

void trace_flow(struct trace_file *f, uint64_t id)
{
    text_add(&f->text, ",\"cat\":\"packet\",\"id\":\"0x%016" PRIx64 "\"", id);
}

static void arg(struct trace_file *f, const char *key)
{
    add_plain(&f->text, f->in_args ? "," : ",\"args\":{");
    f->in_args = true;
    add_string(&f->text, key);
    add(&f->text, ":", 1);
}

void trace_arg_text(struct trace_file *f, const char *key, const char *value)
{
    arg(f, key);
    add_string(&f->text, value);
}

void trace_arg_number(struct trace_file *f, const char *key, int64_t value)
{
    arg(f, key);
    add_number(&f->text, value);
}

void trace_arg_ms(struct trace_file *f, const char *key, int64_t ns)
{
    arg(f, key);
    add_time(&f->text, ns, MSEC, 6);
}

/* ---- into the file ---- */

/* What was lost before this place, once there is room to say so. */
static void tell_lost(struct trace_file *f, uint32_t pid, int64_t now)
{
    char text[160];
    struct text t;

    text_init(&t, text, sizeof(text));
    begin_event(&t, TRACE_INSTANT, pid, pid, now);
    text_add(&t, "\"trace.lost\",\"s\":\"g\",\"args\":{\"lost\":%" PRIu64 "}},\n",
             f->lost - f->told);
    if (outlet_put(&f->out, text, t.len) < 0)
        return;
    f->events++;
    f->told = f->lost;
}

static bool fits(struct trace_file *f, enum trace_need need)
{
    size_t room = outlet_room(&f->out);

    return f->out.fd >= 0 && !f->text.cut &&
           f->text.len + (need == TRACE_NEEDED ? 0 : TRACE_KEPT) <= room;
}

bool trace_put(struct trace_file *f, enum trace_need need, uint32_t pid, int64_t now)
{
    bool done;

    end_event(f);
    done = fits(f, need);
    if (done && f->lost != f->told)
        tell_lost(f, pid, now);
    done = done && outlet_put(&f->out, f->piece, f->text.len) == 0;
    if (done)
        f->events += f->making;
    else
        f->lost += f->making;
    f->making = 0;
    text_init(&f->text, f->piece, sizeof(f->piece));
    if (f->flush_at == TIME_NEVER)
        f->flush_at = now + TRACE_FLUSH * MSEC;
    return done;
}

void trace_file_flush(struct trace_file *f, int64_t now)
{
    if (now < f->flush_at)
        return;
    outlet_flush(&f->out);
    f->flush_at = outlet_pending(&f->out) ? now + TRACE_FLUSH * MSEC : TIME_NEVER;
}

int trace_file_error(struct trace_file *f)
{
    if (f->error_told)
        return 0;
    f->error_told = f->out.error != 0;
    return f->out.error;
}

/* Its comma is left out: it is the last. */
static void put_end(struct trace_file *f, uint32_t pid, int64_t now)
{
    char text[256];
    struct text t;

    text_init(&t, text, sizeof(text));
    begin_event(&t, TRACE_INSTANT, pid, pid, now);
    text_add(&t,
             "\"trace.end\",\"s\":\"g\",\"args\":{\"events\":%" PRIu64 ",\"lost\":%" PRIu64
             "}}\n]\n",
             f->events + 1, f->lost);
    if (outlet_put(&f->out, text, t.len) == 0)
        f->events++;
}

int trace_file_close(struct trace_file *f, uint32_t pid, int64_t now)
{
    int r;

    outlet_drain(&f->out); /* then there is room for the end */
    put_end(f, pid, now);
    f->unread = outlet_drain(&f->out);
    r = outlet_close(&f->out);
    if (f->out.error == 0)
        f->out.error = r;
    return trace_file_error(f);
}
