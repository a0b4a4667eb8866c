"""A robust connection of aio-pika: it says "ready", expects the broker to be killed and started again on the same
port, and goes on by itself. Usage: aio_pika_client.py URI."""

import asyncio
import sys

import aio_pika

LIMIT_S = 60


async def publish(channel, queue, text):
    message = aio_pika.Message(text.encode(), delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
    await channel.default_exchange.publish(message, queue.name)


async def main():
    connection = await aio_pika.connect_robust(sys.argv[1], reconnect_interval=0.1)
    returned = asyncio.Event()
    connection.reconnect_callbacks.add(lambda *_: returned.set())
    publishing = await connection.channel(publisher_confirms=True)
    stored = await publishing.declare_queue("stored", durable=True)
    await publish(publishing, stored, "before")

    arrived = asyncio.Queue()
    consuming = await connection.channel()
    await consuming.set_qos(prefetch_count=10)
    live = await consuming.declare_queue("live", durable=True)

    async def receive(message):
        async with message.process(ignore_processed=True):
            await arrived.put(message.body)

    await live.consume(receive)
    await publish(publishing, live, "first")
    assert await arrived.get() == b"first"

    print("ready", flush=True)
    await returned.wait()
    await publishing.ready()
    await consuming.ready()

    # The consumer is there again, and what was confirmed before the kill is too.
    await publish(publishing, live, "second")
    while await arrived.get() != b"second":
        pass
    message = await stored.get(timeout=LIMIT_S)
    assert message.body == b"before"
    await message.ack()
    await connection.close()
    print("done")


asyncio.run(asyncio.wait_for(main(), LIMIT_S))
