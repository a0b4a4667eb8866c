"""The tasks of the Celery test: the worker and the program that calls them both load this file."""

import os

from celery import Celery

# Names of its own, so that the test disturbs nobody on a broker that others use.
RUN = os.environ["LEVERET_TEST_RUN"]

app = Celery("celery_tasks", broker=os.environ["LEVERET_TEST_BROKER"], backend="rpc://")
app.conf.update(
    task_default_queue=f"celery-{RUN}",
    task_default_exchange=f"celery-{RUN}",
    event_queue_prefix=f"celeryev-{RUN}",
    event_exchange=f"celeryev-{RUN}",
    control_exchange=f"pidbox-{RUN}",
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    result_expires=300,
)


@app.task
def add(left, right):
    return left + right


@app.task(bind=True, max_retries=5)
def third_time_lucky(self):
    """Fails twice, then tells how often it was tried again."""
    if self.request.retries < 2:
        raise self.retry(countdown=0.1)
    return self.request.retries


@app.task(bind=True)
def how_it_was_called(self):
    return {"eta": self.request.eta, "redelivered": self.request.delivery_info["redelivered"]}


@app.task
def fail(reason):
    raise ValueError(reason)
