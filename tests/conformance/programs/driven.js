// The Node.js side of tests/helpers/driven.py: words in, JSON lines out.
'use strict';

const readline = require('readline');

const tell = (document) => process.stdout.write(JSON.stringify(document) + '\n');

/** Serve `words`, an object of async functions, until standard input ends; then run `atEnd`. */
function serve(words, atEnd = async () => {}) {
  const input = readline.createInterface({ input: process.stdin });
  input.on('line', async (line) => {
    const asked = JSON.parse(line);
    try {
      const result = await words[asked.do](...asked.with);
      tell({ number: asked.number, result: result === undefined ? null : result });
    } catch (err) {
      tell({ number: asked.number, error: { name: err.name, message: err.message } });
    }
  });
  input.on('close', async () => {
    await atEnd();
    process.exit(0);
  });
}

module.exports = { serve, tell };
