"""A shop and the services behind it, joined by a topic exchange: order_pipeline.rs in Python.

What to watch: the shop publishes what happened and knows none of those that listen. Email is down while the orders
come, and misses nothing: its queue keeps them. Loyalty comes a month later, with a queue and a binding of its own; the
shop does not change. AMQP_URL names the broker; without it, amqp://127.0.0.1:5672.
"""

import json
import os
import sys
import time
import uuid

import pika
import pika.exceptions

EXCHANGE = "orders"

# Each service, and which of the keys {domain}.{entity}.{event} it listens to.
SERVICES = {
    "payment": "orders.order.placed",
    "inventory": "orders.order.placed",
    "warehouse": "orders.payment.completed",
    "invoice": "orders.payment.completed",
    "fraud": "orders.payment.*",
    "email": "orders.#",
}


def main():
    url = os.environ.get("AMQP_URL", "amqp://127.0.0.1:5672")
    try:
        connection = pika.BlockingConnection(pika.URLParameters(url))
    except pika.exceptions.AMQPConnectionError:
        sys.exit("cannot connect to the broker")
    channel = connection.channel()
    channel.confirm_delivery()  # a publish returns when the message is on the disk, and raises if it was refused
    channel.exchange_declare(EXCHANGE, "topic", durable=True)
    for service, pattern in SERVICES.items():
        subscribe(channel, service, pattern)

    publish(channel, "order-1", "orders.order.placed")
    publish(channel, "order-1", "orders.payment.completed")
    publish(channel, "order-2", "orders.order.placed")
    publish(channel, "order-2", "orders.payment.failed")
    for service in SERVICES:
        if service == "email":
            print("email comes back")
        catch_up(channel, service)

    print("loyalty is new")
    subscribe(channel, "loyalty", "orders.payment.completed")
    publish(channel, "order-3", "orders.payment.completed")
    catch_up(channel, "loyalty")

    # Taken away again, so that the next run starts from nothing; a shop would keep them.
    channel.exchange_delete(EXCHANGE)
    for service in [*SERVICES, "loyalty"]:
        channel.queue_delete(queue(service))
    connection.close()


def queue(service):
    return f"orders.{service}"


def subscribe(channel, service, pattern):
    """Gives a service its queue. From now on it misses nothing, whether it runs or not."""
    channel.queue_declare(queue(service), durable=True)
    channel.queue_bind(queue(service), EXCHANGE, pattern)


def publish(channel, order, key):
    """Says that something happened to an order."""
    properties = pika.BasicProperties(
        delivery_mode=2,
        content_type="application/json",
        message_id=str(uuid.uuid4()),
        correlation_id=order,
        timestamp=int(time.time()),
        app_id="shop",
        # Made from what happened, not from this message: were it sent twice, both would carry the same.
        headers={"schema-version": 1, "idempotency-key": f"{order}/{key}"},
    )
    channel.basic_publish(EXCHANGE, key, json.dumps({"order": order}), properties)
    print(f"shop: {order} {key}")


def catch_up(channel, service):
    """Works off what waits in the queue of a service."""
    waiting = channel.queue_declare(queue(service), passive=True).method.message_count
    if waiting == 0:
        return
    for method, _properties, body in channel.consume(queue(service)):
        print(f"{service}: {json.loads(body)['order']} {method.routing_key}")
        channel.basic_ack(method.delivery_tag)
        waiting -= 1
        if waiting == 0:
            break
    channel.cancel()


if __name__ == "__main__":
    main()
