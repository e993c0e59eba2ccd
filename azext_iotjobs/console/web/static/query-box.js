// The box for a query, or its condition alone: what can follow at the caret, and where the hub sees a mistake.
'use strict';

const QueryBox = (() => {
  const START = 'SELECT * FROM devices WHERE ';
  const WORDS = ['SELECT', 'FROM', 'WHERE', 'AND', 'OR', 'NOT', 'IN [', 'NIN [', 'GROUP BY', 'COUNT() AS', 'AVG(', 'MIN(', 'MAX(', 'SUM(',
    'IS_DEFINED(', 'STARTSWITH(', 'ARRAY_CONTAINS(', 'true', 'false', 'null'];
  const FIELDS = ['deviceId', 'moduleId', 'status', 'statusReason', 'connectionState', 'lastActivityTime', 'authenticationType',
    'cloudToDeviceMessageCount', 'capabilities.iotEdge', 'version', 'etag', 'modelId', 'tags.', 'properties.desired.', 'properties.reported.'];
  const SOURCES = ['devices', 'devices.modules', 'devices.jobs'];
  const VALUES = {
    status: ["'enabled'", "'disabled'"],
    connectionState: ["'Connected'", "'Disconnected'"],
    authenticationType: ["'sas'", "'selfSigned'", "'certificateAuthority'"],
    'capabilities.iotEdge': ['true', 'false'],
  };
  const MOST = 8;
  const PLAIN = /^[A-Za-z_][\w$-]*$/;

  // The text as a whole query: a condition alone is one on devices.
  function whole(text) {
    const typed = text.trim();
    if (!typed) return '';
    return /^(SELECT|FROM)\b/i.test(typed) ? typed : START + typed;
  }

  // A path of a twin as the language writes it: a name with other signs stands in double brackets.
  const written = (path) => path.split('.').map((name) => (PLAIN.test(name) ? name : `[[${name}]]`)).join('.');

  // What can follow: {begin, found: [texts]}.  at: the caret.  paths: that twins were seen to have.
  function completions(text, at, paths) {
    const before = text.slice(0, at);
    const value = /([\w.$]+)\s*(?:=|!=|<>)\s*('?\w*)$/.exec(before);
    if (value && VALUES[value[1]]) return ranked(VALUES[value[1]], value[2], at);
    if (before.replaceAll(/\\./g, '').split("'").length % 2 === 0) return { begin: at, found: [] };
    const [word] = /[\w$.[\]-]*$/.exec(before);
    const all = /\bFROM\s+\S*$/i.test(before) ? SOURCES : [...FIELDS, ...paths.map(written), ...WORDS];
    return word ? ranked(all, word, at) : { begin: at, found: [] };
  }

  function ranked(all, word, at) {
    const plain = (text) => text.replaceAll(/\[\[|\]\]/g, '').toLowerCase();
    const place = (each) => plain(each).indexOf(plain(word));
    const found = all.filter((each) => place(each) >= 0 && each !== word).sort((one, other) => Math.sign(place(one)) - Math.sign(place(other)));
    return { begin: at - word.length, found: found.slice(0, MOST) };
  }

  // Where in the typed text the hub sees a mistake; null where its message does not say it.
  function placeOf(message, text) {
    const found = /line (\d+), column (\d+)/.exec(message);
    if (!found) return null;
    const typed = text.trim();
    const lines = whole(text).split('\n');
    const line = Number(found[1]);
    const before = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
    const at = before + Number(found[2]) - 1 - (whole(text).length - typed.length);
    return at >= 0 && at <= typed.length ? at : null;
  }

  return { whole, completions, placeOf };
})();
