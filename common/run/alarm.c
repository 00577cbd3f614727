#include "run/alarm.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include "base/time.h"

void alarm_open(struct alarm_clock *a)
{
    a->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    a->set_for = TIME_NEVER;
}

bool alarm_set(struct alarm_clock *a, int64_t at)
{
    struct itimerspec when = {.it_value = {.tv_sec = at / SEC, .tv_nsec = at % SEC}};

    if (at >= a->set_for)
        return true;
    if (a->fd < 0 || timerfd_settime(a->fd, TFD_TIMER_ABSTIME, &when, NULL) < 0)
        return false;
    a->set_for = at;
    return true;
}

void alarm_rung(struct alarm_clock *a)
{
    uint64_t times;

    if (read(a->fd, &times, sizeof(times)) > 0)
        a->set_for = TIME_NEVER;
}

void alarm_close(struct alarm_clock *a)
{
    if (a->fd >= 0)
        close(a->fd);
    a->fd = -1;
}
