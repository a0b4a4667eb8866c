// amqplib, the Node client, as its users write it: one function per rule. Usage: amqplib_client.js URI RULE.
'use strict';

const amqp = require('amqplib');
const assert = require('node:assert/strict');
const { createHash, randomUUID } = require('node:crypto');

const [, , uri, rule] = process.argv;

// A name that nobody else uses, also on a broker that other tests use.
const fresh = (word) => `${word}-${randomUUID().slice(0, 13)}`;
const ownQueue = async (channel, options = {}) =>
  (await channel.assertQueue('', { exclusive: true, ...options })).queue;
const ownExchange = async (channel, type, options = {}) =>
  (await channel.assertExchange(fresh(type), type, { durable: false, autoDelete: true, ...options })).exchange;
const texts = (messages) => messages.map((message) => message.content.toString());

// Consumes until that many messages have come, then cancels.
async function take(channel, queue, count, options = { noAck: true }) {
  const messages = [];
  let enough;
  const done = new Promise((resolve) => { enough = resolve; });
  const { consumerTag } = await channel.consume(queue, (message) => {
    messages.push(message);
    if (messages.length === count) enough();
  }, options);
  await done;
  await channel.cancel(consumerTag);
  return messages;
}

async function depth(channel, queue) {
  return (await channel.checkQueue(queue)).messageCount;
}

const rules = {
  async the_server_introduces_itself(connection) {
    const properties = connection.connection.serverProperties;
    for (const name of ['product', 'version', 'platform', 'cluster_name']) {
      assert.equal(typeof properties[name], 'string', name);
      assert.notEqual(properties[name], '', name);
    }
    // Some clients compare it as numbers.
    assert.match(properties.version, /^\d+\.\d+\.\d+/);
    for (const name of [
      'publisher_confirms', 'exchange_exchange_bindings', 'basic.nack', 'consumer_cancel_notify', 'connection.blocked',
      'consumer_priorities', 'authentication_failure_close', 'per_consumer_qos', 'direct_reply_to',
    ]) {
      assert.equal(properties.capabilities[name], true, name);
    }
  },

  async a_thousand_messages_arrive_in_order(connection) {
    const channel = await connection.createChannel();
    const queue = await ownQueue(channel);
    for (let number = 0; number < 1000; number += 1) channel.sendToQueue(queue, Buffer.from(`${number}`));
    await channel.prefetch(50);
    const received = [];
    await new Promise((resolve) => {
      channel.consume(queue, (message) => {
        received.push(Number(message.content));
        channel.ack(message);
        if (received.length === 1000) resolve();
      });
    });
    assert.deepEqual(received, Array.from({ length: 1000 }, (_, number) => number));
    await channel.recover();
    assert.equal(await depth(channel, queue), 0);
  },

  async every_publish_on_a_confirm_channel_is_confirmed(connection) {
    const channel = await connection.createConfirmChannel();
    const queue = await ownQueue(channel);
    const returned = [];
    channel.on('return', (message) => returned.push(message));
    const confirmed = [];
    for (let number = 0; number < 500; number += 1) {
      channel.sendToQueue(queue, Buffer.from('x'), { persistent: true }, (error) => {
        assert.equal(error, null);
        confirmed.push(number);
      });
    }
    channel.publish('', fresh('nowhere'), Buffer.from('lost'), { mandatory: true });
    await channel.waitForConfirms();
    assert.equal(confirmed.length, 500);
    assert.equal(await depth(channel, queue), 500);
    // The return comes before the confirm that was waited for.
    assert.equal(returned.length, 1);
    assert.equal(returned[0].fields.replyCode, 312);
    assert.equal(returned[0].fields.replyText, 'NO_ROUTE');
    assert.equal(returned[0].content.toString(), 'lost');
  },

  async a_headers_exchange_matches_all_or_any(connection) {
    const channel = await connection.createConfirmChannel();
    const exchange = await ownExchange(channel, 'headers');
    const bindings = {
      all: { 'x-match': 'all', format: 'pdf', pages: 2 },
      any: { 'x-match': 'any', format: 'pdf', pages: 2 },
      default: { format: 'pdf' },
      allWithX: { 'x-match': 'all-with-x', 'x-kind': 'report', format: 'pdf' },
    };
    const queues = {};
    for (const [name, headers] of Object.entries(bindings)) {
      queues[name] = await ownQueue(channel);
      await channel.bindQueue(queues[name], exchange, '', headers);
    }
    const send = (text, headers) => channel.publish(exchange, 'ignored', Buffer.from(text), { headers });
    send('both', { format: 'pdf', pages: 2, other: true });
    send('pages', { format: 'txt', pages: 2 });
    send('format', { format: 'pdf', 'x-kind': 'report' });
    send('none', { pages: 3 });
    await channel.waitForConfirms();
    const expected = {
      all: ['both'], any: ['both', 'pages', 'format'], default: ['both', 'format'], allWithX: ['format'],
    };
    for (const [name, wanted] of Object.entries(expected)) {
      assert.deepEqual(texts(await take(channel, queues[name], wanted.length)), wanted, name);
      assert.equal(await depth(channel, queues[name]), 0, name);
    }
  },

  async an_exchange_feeds_another(connection) {
    const channel = await connection.createConfirmChannel();
    const source = await ownExchange(channel, 'topic', { autoDelete: false });
    const destination = await ownExchange(channel, 'fanout');
    const queue = await ownQueue(channel);
    await channel.bindQueue(queue, destination, '');
    // Reached twice, delivered once.
    await channel.bindQueue(queue, source, 'a.#');
    await channel.bindExchange(destination, source, 'a.*');
    // A circle ends by itself.
    await channel.bindExchange(source, destination, '');
    channel.publish(source, 'a.b', Buffer.from('once'));
    channel.publish(source, 'b.b', Buffer.from('never'));
    await channel.waitForConfirms();
    assert.deepEqual(texts(await take(channel, queue, 1)), ['once']);
    assert.equal(await depth(channel, queue), 0);
    await channel.unbindExchange(destination, source, 'a.*');
    await channel.unbindQueue(queue, source, 'a.#');
    channel.publish(source, 'a.b', Buffer.from('gone'));
    await channel.waitForConfirms();
    assert.equal(await depth(channel, queue), 0);
    await channel.deleteExchange(source);
  },

  async an_alternate_exchange_takes_what_is_unroutable(connection) {
    const channel = await connection.createConfirmChannel();
    const alternate = await ownExchange(channel, 'fanout');
    const exchange = await ownExchange(channel, 'direct', { alternateExchange: alternate });
    const [queue, rest] = [await ownQueue(channel), await ownQueue(channel)];
    await channel.bindQueue(queue, exchange, 'known');
    await channel.bindQueue(rest, alternate, '');
    const returned = [];
    channel.on('return', (message) => returned.push(message));
    channel.publish(exchange, 'known', Buffer.from('known'), { mandatory: true });
    channel.publish(exchange, 'unknown', Buffer.from('unknown'), { mandatory: true });
    await channel.waitForConfirms();
    assert.equal(returned.length, 0);
    const [message] = await take(channel, queue, 1);
    assert.equal(message.content.toString(), 'known');
    const [other] = await take(channel, rest, 1);
    assert.equal(other.content.toString(), 'unknown');
    assert.equal(other.fields.exchange, exchange);
    assert.equal(other.fields.routingKey, 'unknown');
  },

  async a_higher_priority_is_delivered_first(connection) {
    const channel = await connection.createConfirmChannel();
    const queue = await ownQueue(channel, { maxPriority: 5 });
    for (const [priority, text] of [[1, 'a'], [5, 'b'], [undefined, 'c'], [9, 'd'], [3, 'e'], [1, 'f']]) {
      channel.sendToQueue(queue, Buffer.from(text), priority === undefined ? {} : { priority });
    }
    await channel.waitForConfirms();
    // What is above the maximum counts as the maximum, what has none as 0.
    assert.deepEqual(texts(await take(channel, queue, 6)), ['b', 'd', 'e', 'a', 'f', 'c']);
  },

  async direct_reply_to_answers_a_call(connection) {
    const serving = await (await amqp.connect(uri)).createChannel();
    const requests = await ownQueue(serving);
    await serving.consume(requests, (message) => {
      const { replyTo, correlationId } = message.properties;
      assert.match(replyTo, /^amq\.rabbitmq\.reply-to\./);
      serving.sendToQueue(replyTo, Buffer.from(`${message.content}!`), { correlationId });
    }, { noAck: true });
    const calling = await connection.createChannel();
    const waiting = new Map();
    await calling.consume('amq.rabbitmq.reply-to', (message) => {
      waiting.get(message.properties.correlationId)(message.content.toString());
    }, { noAck: true });
    const answers = await Promise.all(Array.from({ length: 20 }, (_, number) => new Promise((resolve) => {
      waiting.set(`${number}`, resolve);
      calling.sendToQueue(requests, Buffer.from(`call ${number}`), {
        replyTo: 'amq.rabbitmq.reply-to', correlationId: `${number}`,
      });
    })));
    assert.deepEqual(answers, Array.from({ length: 20 }, (_, number) => `call ${number}!`));
  },

  async a_large_message_arrives_whole(connection) {
    const channel = await connection.createConfirmChannel();
    const queue = await ownQueue(channel);
    for (const size of [0, 1, 131_063, 131_064, 131_065, 1 << 20, 10 << 20]) {
      const body = Buffer.alloc(size, (number) => number);
      for (let at = 0; at < size; at += 4099) body[at] = (at * 31) & 255;
      channel.sendToQueue(queue, body);
      await channel.waitForConfirms();
      const message = await channel.get(queue, { noAck: true });
      assert.equal(message.content.length, size);
      const digest = (bytes) => createHash('sha256').update(bytes).digest('hex');
      assert.equal(digest(message.content), digest(body), `${size} bytes`);
    }
    assert.equal(await channel.get(queue), false);
  },

  async every_header_type_comes_back(connection) {
    const channel = await connection.createConfirmChannel();
    const queue = await ownQueue(channel);
    const headers = {
      yes: true, no: false,
      byte: { '!': 'byte', value: -7 },
      short: { '!': 'short', value: -300 },
      int: { '!': 'int', value: 70_000 },
      long: { '!': 'long', value: 2 ** 40 },
      timestamp: { '!': 'timestamp', value: 1_700_000_000 },
      float: { '!': 'float', value: 0.5 },
      double: 3.25,
      decimal: { '!': 'decimal', value: { places: 2, digits: 314 } },
      string: 'žluťoučký 🐇', empty: '', nothing: null,
      bytes: Buffer.from([0, 255, 1]),
      list: [1, 'two', [3], { four: 4 }, null],
      table: { nested: { deeper: { deepest: 'end' } } },
    };
    channel.sendToQueue(queue, Buffer.alloc(0), { headers, timestamp: 1_700_000_001 });
    await channel.waitForConfirms();
    const message = await channel.get(queue, { noAck: true });
    const { properties } = message;
    assert.equal(properties.timestamp, 1_700_000_001);
    const received = properties.headers;
    for (const name of ['byte', 'short', 'int', 'long', 'float']) {
      assert.equal(received[name], headers[name].value, name);
    }
    for (const name of ['yes', 'no', 'double', 'string', 'empty', 'nothing', 'timestamp', 'decimal']) {
      assert.deepEqual(received[name], headers[name], name);
    }
    assert.deepEqual(received.bytes, headers.bytes);
    assert.deepEqual(received.list, headers.list);
    assert.deepEqual(received.table, headers.table);
    assert.deepEqual(Object.keys(received).sort(), Object.keys(headers).sort());
  },

  async a_channel_error_leaves_the_connection_usable(connection) {
    const channel = await connection.createChannel();
    const failed = new Promise((resolve) => { channel.on('error', resolve); });
    const missing = fresh('missing');
    await assert.rejects(channel.checkQueue(missing), (error) => error.code === 404);
    const error = await failed;
    assert.ok(error.message.includes(`NOT_FOUND - no queue '${missing}' in vhost '/'`), error.message);
    const again = await connection.createChannel();
    assert.match(await ownQueue(again), /^amq\.gen-/);
  },

  async a_consumer_gets_null_when_its_queue_is_deleted(connection) {
    const channel = await connection.createChannel();
    const queue = await ownQueue(channel);
    await new Promise((resolve) => {
      channel.consume(queue, (message) => {
        assert.equal(message, null);
        resolve();
      }).then(() => channel.deleteQueue(queue));
    });
  },
};

async function main() {
  const connection = await amqp.connect(uri);
  await rules[rule](connection);
  console.log('done');
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
