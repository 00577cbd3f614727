#include "run/trace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

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

/* ---- one event ---- */

/*
 * A string in JSON. What comes from outside (the name of a device) may hold any byte: what is no
 * plain ASCII is written by its number, so the file is valid whatever stands there.
 */
static void add_string(struct text *t, const char *s)
{
    text_add(t, "\"");
    for (; *s; s++) {
        unsigned char ch = (unsigned char)*s;

        if (ch == '"' || ch == '\\')
            text_add(t, "\\%c", ch);
        else if (ch < ' ' || ch >= 127)
            text_add(t, "\\u%04x", ch);
        else
            text_add(t, "%c", ch);
    }
    text_add(t, "\"");
}

/* The format counts in microseconds, with as many digits behind the point as one likes. */
static void add_us(struct text *t, int64_t ns)
{
    text_add(t, "%" PRId64 ".%03d", ns / USEC, (int)(ns % USEC));
}

static void end_event(struct trace_file *f)
{
    if (f->making)
        text_add(&f->text, f->in_args ? "}},\n" : "},\n");
    f->in_args = false;
}

void trace_event(struct trace_file *f, enum trace_phase phase, const char *name, uint32_t pid,
                 uint32_t tid, int64_t at)
{
    struct text *t = &f->text;

    end_event(f);
    f->making++;
    text_add(t, "{\"ph\":\"%c\",\"pid\":%" PRIu32 ",\"tid\":%" PRIu32 ",\"ts\":", phase, pid, tid);
    add_us(t, at);
    text_add(t, ",\"name\":");
    add_string(t, name);
    if (phase == TRACE_FLOW_IN)
        text_add(t, ",\"bp\":\"e\""); /* it arrives at the slice around it */
}

void trace_duration(struct trace_file *f, int64_t ns)
{
    text_add(&f->text, ",\"dur\":");
    add_us(&f->text, ns);
}

void trace_flow(struct trace_file *f, uint64_t id)
{
    text_add(&f->text, ",\"cat\":\"packet\",\"id\":\"0x%016" PRIx64 "\"", id);
}

void trace_for_all(struct trace_file *f)
{
    text_add(&f->text, ",\"s\":\"g\"");
}

static void arg(struct trace_file *f, const char *key)
{
    text_add(&f->text, f->in_args ? "," : ",\"args\":{");
    f->in_args = true;
    add_string(&f->text, key);
    text_add(&f->text, ":");
}

void trace_arg_text(struct trace_file *f, const char *key, const char *value)
{
    arg(f, key);
    add_string(&f->text, value);
}

void trace_arg_number(struct trace_file *f, const char *key, int64_t value)
{
    arg(f, key);
    text_add(&f->text, "%" PRId64, value);
}

void trace_arg_ms(struct trace_file *f, const char *key, int64_t ns)
{
    arg(f, key);
    text_add(&f->text, "%s%" PRId64 ".%06d", ns < 0 ? "-" : "", (ns < 0 ? -ns : ns) / MSEC,
             (int)((ns < 0 ? -ns : ns) % MSEC));
}

/* ---- into the file ---- */

/* What was lost before this place, once there is room to say so. */
static void tell_lost(struct trace_file *f, uint32_t pid, int64_t now)
{
    char text[160];
    struct text t;

    text_init(&t, text, sizeof(text));
    text_add(&t, "{\"ph\":\"i\",\"s\":\"g\",\"pid\":%" PRIu32 ",\"tid\":0,\"ts\":", pid);
    add_us(&t, now);
    text_add(&t, ",\"name\":\"trace.lost\",\"args\":{\"lost\":%" PRIu64 "}},\n", f->lost - f->told);
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
    text_add(&t, "{\"ph\":\"i\",\"s\":\"g\",\"pid\":%" PRIu32 ",\"tid\":0,\"ts\":", pid);
    add_us(&t, now);
    text_add(&t,
             ",\"name\":\"trace.end\",\"args\":{\"events\":%" PRIu64 ",\"lost\":%" PRIu64 "}}\n]\n",
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
