"""Points in time in AWS's notation."""

from __future__ import annotations

_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


def aws_cron(cron: str) -> str:
    """A cron expression of five parts in AWS's form: six parts, and `?` for one of the two kinds of day.

    AWS counts days of the week from 1 (Sunday), cron from 0, so they are written by name
    (https://docs.aws.amazon.com/autoscaling/application/userguide/scheduled-scaling-using-cron-expressions.html).
    Raises ValueError where both kinds of day are set, which AWS cannot say.
    """
    minute, hour, day, month, weekday = cron.split()
    if day != "*" and weekday != "*":
        raise ValueError(
            f"scaling.schedule[].cron is {cron!r}; allowed on AWS: a day of the month or a day of the week, not both: "
            "write two entries"
        )
    if weekday == "*":
        return f"cron({minute} {hour} {day} {month} ? *)"
    return f"cron({minute} {hour} ? {month} {_weekdays(weekday)} *)"


def _weekdays(part: str) -> str:
    listed = []
    for item in part.split(","):
        span, slash, step = item.partition("/")
        ends = [_DAYS[int(end) % 7] if end.isdigit() else end.upper() for end in span.split("-")]
        listed.append("-".join(ends) + slash + step)
    return ",".join(listed)
