"""Calls tasks of a Celery worker that runs beside it and checks what comes back over rpc://."""

from datetime import datetime, timedelta, timezone

from celery import chain, group
from celery_tasks import add, app, fail, how_it_was_called, third_time_lucky

LIMIT_S = 60


def main():
    assert add.delay(2, 3).get(timeout=LIMIT_S) == 5
    assert third_time_lucky.delay().get(timeout=LIMIT_S) == 2

    delayed = how_it_was_called.apply_async(countdown=1).get(timeout=LIMIT_S)
    assert delayed["eta"] is not None, delayed
    eta = datetime.now(timezone.utc) + timedelta(seconds=1)
    called = how_it_was_called.apply_async(eta=eta).get(timeout=LIMIT_S)
    assert called == {"eta": eta.isoformat(), "redelivered": False}, called
    assert datetime.now(timezone.utc) >= eta

    sums = group(add.s(number, number) for number in range(50)).apply_async()
    assert sums.get(timeout=LIMIT_S) == [2 * number for number in range(50)]
    assert chain(add.s(1, 2), add.s(10), add.s(100)).apply_async().get(timeout=LIMIT_S) == 113

    failed = fail.delay("as it should")
    error = failed.get(timeout=LIMIT_S, propagate=False)
    assert failed.state == "FAILURE" and str(error) == "as it should", (failed.state, error)

    # Over the fanout exchange of the worker's mailbox.
    answers = app.control.inspect(timeout=LIMIT_S, limit=1).ping()
    assert list(answers.values()) == [{"ok": "pong"}], answers
    answers = app.control.inspect(timeout=LIMIT_S, limit=1).stats()
    (stats,) = answers.values()
    assert stats["total"]["celery_tasks.add"] == 54, stats["total"]
    print("done")


main()
