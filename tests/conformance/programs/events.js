// Consumers of events made of Microsoft's @azure/event-hubs, as a test asks for them.
'use strict';

const { EventHubConsumerClient } = require('@azure/event-hubs');
const { serve, tell } = require('./driven');

const clients = {};
const plain = (value) => JSON.parse(JSON.stringify(value, (_key, each) => (typeof each === 'bigint' ? Number(each) : each)));
const text = (body) => (Buffer.isBuffer(body) || typeof body === 'string' ? body.toString() : JSON.stringify(body));

function described(event, context) {
  const { offset, sequenceNumber, enqueuedTimeUtc, contentType, messageId, correlationId } = event;
  return plain({
    partition: context.partitionId,
    body: text(event.body),
    properties: event.properties || {},
    system: event.systemProperties || {},
    contentType, messageId, correlationId, offset, sequenceNumber,
    enqueuedTime: enqueuedTimeUtc,
    last: context.lastEnqueuedEventProperties,
  });
}

serve({
  // options: connectionString; group.
  open: async (name, options) => {
    clients[name] = new EventHubConsumerClient(options.group || '$Default', options.connectionString, {
      retryOptions: { maxRetries: 0 },
    });
  },
  eventHub: async (name) => plain(await clients[name].getEventHubProperties({})),
  partition: async (name, partition) => plain(await clients[name].getPartitionProperties(partition)),
  // options: those of the SDK; startPosition.
  receive: async (name, options, partition) => {
    const handlers = {
      processEvents: async (events, context) => {
        events.forEach((event) => tell({ event: 'event', reader: name, ...described(event, context) }));
      },
      processError: async (err) => tell({ event: 'error', reader: name, error: `${err.code || err.name}: ${err.message}` }),
    };
    const given = { maxWaitTimeInSeconds: 0.2, ...options };
    if (partition === undefined) clients[name].subscribe(handlers, given);
    else clients[name].subscribe(partition, handlers, given);
  },
  close: async (name) => {
    await clients[name].close();
    delete clients[name];
  },
}, async () => { await Promise.all(Object.values(clients).map((each) => each.close())); });
