"""Publishes one message and consumes it. AMQP_URL names the broker; without it, amqp://127.0.0.1:5672."""

import os

import pika

url = os.environ.get("AMQP_URL", "amqp://127.0.0.1:5672")
connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()

channel.queue_declare("greetings", durable=True)
channel.confirm_delivery()  # from here on a publish returns when the message is on the disk
persistent = pika.BasicProperties(delivery_mode=2)
channel.basic_publish("", "greetings", "Hello from Python", persistent)

for method, _properties, body in channel.consume("greetings"):
    print(body.decode())
    channel.basic_ack(method.delivery_tag)
    break

connection.close()
