// Microsoft's service SDK for Node.js over AMQP: messages to devices, feedback on them, notifications of files.
'use strict';

const { Amqp, AmqpWs, Client } = require('azure-iothub');
const { Message } = require('azure-iot-common');
const { serve, tell } = require('./driven');

// With callbacks there is no doubt what is the result and what the response.
const called = (target, name, args) => new Promise((resolve, reject) => {
  target[name](...args, (err, result) => (err ? reject(err) : resolve(result)));
});

let client;

/** Receive, and settle the first message as `first` says, all others by completing them: the SDK does it at once anyway. */
async function receive(name, what, first) {
  const ways = [first];
  const receiver = await called(client, what, []);
  receiver.on('error', (err) => tell({ event: 'trouble', error: String(err) }));
  receiver.on('message', (message) => {
    const { message_annotations: annotations, user_id: user } = message.transportObj;
    const body = JSON.parse(message.data.toString());
    tell({ event: name, body, contentType: message.contentType, annotations, user: String(user) });
    receiver[ways.shift() || 'complete'](message, () => {});
  });
}

serve({
  open: async ({ connectionString = process.env.IOTJOBS_CONNECTION_STRING, webSocket = false } = {}) => {
    client = Client.fromConnectionString(connectionString, webSocket ? AmqpWs : Amqp);
    client.on('disconnect', () => tell({ event: 'connection', connected: false }));
    try {
      await client.open();
    } catch (err) {
      throw err.amqpError || err;  // what it has made a plain Error of
    }
  },
  send: async (device, body, system = {}, properties = {}) => {
    const message = Object.assign(new Message(body), system);
    Object.entries(properties).forEach(([name, value]) => message.properties.add(name, value));
    await client.send(device, message);
  },
  feedback: (first = 'complete') => receive('feedback', 'getFeedbackReceiver', first),
  files: (first = 'complete') => receive('file', 'getFileNotificationReceiver', first),
  close: async () => { await client.close(); },
});
