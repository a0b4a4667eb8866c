// A shop and the services behind it, joined by a topic exchange: order_pipeline.rs in JavaScript, with amqplib.
//
// What to watch: the shop publishes what happened and knows none of those that listen. Email is down while the orders
// come, and misses nothing: its queue keeps them. Loyalty comes a month later, with a queue and a binding of its own;
// the shop does not change. Usage: `npm install amqplib` once, then `node examples/order_pipeline.js`. AMQP_URL names
// the broker; without it, amqp://127.0.0.1:5672.

'use strict';

const { randomUUID } = require('node:crypto');
const amqp = require('amqplib');

const EXCHANGE = 'orders';

// Each service, and which of the keys {domain}.{entity}.{event} it listens to.
const SERVICES = {
  payment: 'orders.order.placed',
  inventory: 'orders.order.placed',
  warehouse: 'orders.payment.completed',
  invoice: 'orders.payment.completed',
  fraud: 'orders.payment.*',
  email: 'orders.#',
};

async function main() {
  const connection = await amqp.connect(process.env.AMQP_URL ?? 'amqp://127.0.0.1:5672');
  const channel = await connection.createConfirmChannel();
  await channel.assertExchange(EXCHANGE, 'topic', { durable: true });
  for (const [service, pattern] of Object.entries(SERVICES)) {
    await subscribe(channel, service, pattern);
  }

  await publish(channel, 'order-1', 'orders.order.placed');
  await publish(channel, 'order-1', 'orders.payment.completed');
  await publish(channel, 'order-2', 'orders.order.placed');
  await publish(channel, 'order-2', 'orders.payment.failed');
  for (const service of Object.keys(SERVICES)) {
    if (service === 'email') console.log('email comes back');
    await catchUp(channel, service);
  }

  console.log('loyalty is new');
  await subscribe(channel, 'loyalty', 'orders.payment.completed');
  await publish(channel, 'order-3', 'orders.payment.completed');
  await catchUp(channel, 'loyalty');

  // Taken away again, so that the next run starts from nothing; a shop would keep them.
  await channel.deleteExchange(EXCHANGE);
  for (const service of [...Object.keys(SERVICES), 'loyalty']) {
    await channel.deleteQueue(queue(service));
  }
  await connection.close();
}

const queue = (service) => `orders.${service}`;

// Gives a service its queue. From now on it misses nothing, whether it runs or not.
async function subscribe(channel, service, pattern) {
  await channel.assertQueue(queue(service), { durable: true });
  await channel.bindQueue(queue(service), EXCHANGE, pattern);
}

// Says that something happened to an order. Settles when the message is on the disk, or was refused.
async function publish(channel, order, key) {
  channel.publish(EXCHANGE, key, Buffer.from(JSON.stringify({ order })), {
    persistent: true,
    contentType: 'application/json',
    messageId: randomUUID(),
    correlationId: order,
    timestamp: Math.floor(Date.now() / 1000),
    appId: 'shop',
    // Made from what happened, not from this message: were it sent twice, both would carry the same.
    headers: { 'schema-version': 1, 'idempotency-key': `${order}/${key}` },
  });
  await channel.waitForConfirms();
  console.log(`shop: ${order} ${key}`);
}

// Works off what waits in the queue of a service.
async function catchUp(channel, service) {
  const { messageCount } = await channel.checkQueue(queue(service));
  for (let handled = 0; handled < messageCount; handled += 1) {
    const message = await channel.get(queue(service));
    const { order } = JSON.parse(message.content);
    console.log(`${service}: ${order} ${message.fields.routingKey}`);
    channel.ack(message);
  }
}

main().catch((error) => {
  console.error(error.code === 'ECONNREFUSED' ? 'cannot connect to the broker' : error.message);
  process.exitCode = 1;
});
