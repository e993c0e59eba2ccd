// A device or module made of Microsoft's device SDK for Node.js, over MQTT, or over AMQP with the argument "amqp".
// Methods are answered as device.py answers them.
'use strict';

const fs = require('fs');
const { Readable } = require('stream');
const { Client, Message, ModuleClient } = require('azure-iot-device');
const [Direct, OverWebSocket] = process.argv[2] === 'amqp'
  ? [require('azure-iot-device-amqp').Amqp, require('azure-iot-device-amqp').AmqpWs]
  : [require('azure-iot-device-mqtt').Mqtt, require('azure-iot-device-mqtt').MqttWs];
const { serve, tell } = require('./driven');

let client;
let twin;

function onMethod(request, response) {
  tell({ event: 'method', name: request.methodName, payload: request.payload });
  const answer = () => response.send(request.methodName === 'fail' ? 500 : 202, { echo: request.payload }, () => {});
  setTimeout(answer, request.methodName === 'late' ? 6000 : 0);
}

function messageOf(body, properties, system) {
  const message = new Message(body);
  Object.assign(message, system);
  Object.entries(properties || {}).forEach(([name, value]) => message.properties.add(name, value));
  return message;
}

function onMessage(message, settle) {
  const properties = {};
  for (let i = 0; i < message.properties.count(); i += 1) {
    const { key, value } = message.properties.getItem(i);
    properties[key] = value;
  }
  const system = {};
  ['messageId', 'correlationId', 'userId', 'contentType', 'contentEncoding', 'ack'].forEach((name) => {
    if (message[name]) system[name] = message[name];
  });
  client[settle](message, (err) => {
    tell({ event: 'message', body: message.getData().toString(), properties, system, completed: !err });
  });
}

serve({
  open: async ({ connectionString, webSocket, certificate, key, module }) => {
    const kind = module ? ModuleClient : Client;
    client = kind.fromConnectionString(connectionString, webSocket ? OverWebSocket : Direct);
    if (certificate) {
      await client.setOptions({ cert: fs.readFileSync(certificate, 'ascii'), key: fs.readFileSync(key, 'ascii') });
    }
    client.on('error', (err) => tell({ event: 'trouble', error: String(err) }));
    client.on('disconnect', () => tell({ event: 'connection', connected: false }));
    await client.open();
  },
  listen: async () => {
    const register = client.onDeviceMethod || client.onMethod;
    const names = ['ping', 'reboot', 'echo', 'fail', 'late', 'thermostat*reboot'];
    names.forEach((name) => register.call(client, name, onMethod));
    twin = await client.getTwin();
    twin.on('properties.desired', (patch) => {
      tell({ event: 'desired', patch });
      const back = Object.fromEntries(Object.entries(patch).filter(([name]) => !name.startsWith('$')));
      if (Object.keys(back).length) twin.properties.reported.update(back, () => {});
    });
    await client.getTwin(); // the SDK subscribes on its own time: what is asked after that comes after it
  },
  listenForMessages: async (settle = 'complete') => { client.on('message', (message) => onMessage(message, settle)); },
  listenForInputs: async () => { client.on('inputMessage', (input, message) => tell({ event: 'input', input, body: String(message.getData()) })); },
  send: async (body, properties, system) => { await client.sendEvent(messageOf(body, properties, system)); },
  sendBatch: async (bodies) => { await client.sendEventBatch(bodies.map((each) => new Message(each))); },
  sendOutput: async (output, body) => { await client.sendOutputEvent(output, new Message(body)); },
  twin: async () => {
    twin = await client.getTwin();
    return JSON.parse(JSON.stringify({ desired: twin.properties.desired, reported: twin.properties.reported }));
  },
  report: (patch) => new Promise((resolve, reject) => {
    twin.properties.reported.update(patch, (err) => (err ? reject(err) : resolve()));
  }),
  upload: async (name, text) => {
    await client.uploadToBlob(name, Readable.from([Buffer.from(text)]), Buffer.byteLength(text));
  },
  uploadLarge: async (name, size) => {
    const pieces = function* () { for (let left = size; left > 0; left -= 65536) yield Buffer.alloc(Math.min(left, 65536), 'x'); };
    await client.uploadToBlob(name, Readable.from(pieces()), size);
  },
  place: async (name) => client.getBlobSharedAccessSignature(name),
  notify: async (...args) => { await client.notifyBlobUploadStatus(...args); },
  close: async () => { await client.close(); },
}, async () => { if (client) await client.close().catch(() => {}); });
