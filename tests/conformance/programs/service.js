// Microsoft's service SDK for Node.js: the registry, configurations, queries, jobs, direct methods and digital twins, as
// a test asks for them.
'use strict';

const { ContainerClient } = require('@azure/storage-blob');
const { Client, DigitalTwinClient, IoTHubTokenCredentials, JobClient, Registry } = require('azure-iothub');
const { serve } = require('./driven');

const connectionString = process.env.IOTJOBS_CONNECTION_STRING;
const registry = Registry.fromConnectionString(connectionString);
const jobs = JobClient.fromConnectionString(connectionString);
const digitalTwins = new DigitalTwinClient(new IoTHubTokenCredentials(connectionString));
const client = Client.fromConnectionString(connectionString);

// With callbacks there is no doubt what is the result and what the HTTP response.
const called = (target, name, args) => new Promise((resolve, reject) => {
  target[name](...args, (err, result) => (err ? reject(err) : resolve(result)));
});

async function pages(query, next) {
  const found = [];
  while (query.hasMoreResults) {
    found.push(await called(query, next, []));
  }
  return found;
}

async function blobs(uri) {
  const container = new ContainerClient(uri);
  const found = {};
  for await (const blob of container.listBlobsFlat()) {
    found[blob.name] = (await container.getBlobClient(blob.name).downloadToBuffer()).toString();
  }
  return found;
}

serve({
  blobs,
  writeBlob: async (uri, name, text) => {
    await new ContainerClient(uri).getBlockBlobClient(name).upload(text, Buffer.byteLength(text));
  },
  registry: (name, ...args) => called(registry, name, args),
  jobs: (name, ...args) => called(jobs, name, args.map((each) => (each && each.date ? new Date(each.date) : each))),
  invoke: async (device, ...args) => called(client, 'invokeDeviceMethod', [device, ...args]),
  // Of an empty answer the SDK's promises give nothing, its callbacks the response.
  digitalTwin: (name, ...args) => new Promise((resolve, reject) => {
    digitalTwins[name](...args, (err, result, response) => {
      if (err) return reject(err);
      return resolve({ result, status: response.status, etag: response.headers.get('etag') });
    });
  }),
  command: async (name, ...args) => {
    const { _response: response, ...result } = await digitalTwins[name](...args);
    return { result, status: response.status };
  },
  query: (sql, pageSize) => pages(registry.createQuery(sql, pageSize), 'nextAsTwin'),
  rawQuery: (sql, pageSize) => pages(registry.createQuery(sql, pageSize), 'next'),
  jobPages: (type, status, pageSize) => pages(jobs.createQuery(type, status, pageSize), 'next'),
  updateThroughTwin: async (device, patch) => {
    const twin = await called(registry, 'getTwin', [device]);
    return called(twin, 'update', [patch]);
  },
});
