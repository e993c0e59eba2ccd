// What every page uses: requests, the stream of live updates, texts for people, and the header.
'use strict';

const Console = (() => {
  const QUIET_MS = 25_000; // the server says something every ten seconds
  const AGAIN_MS = 2_000;
  const LOOK_MS = 5_000;
  const KEPT_STREAMS = 3;

  class Refused extends Error {
    constructor(status, error) {
      super(error.message);
      this.status = status;
      this.hint = error.hint;
    }
  }

  async function request(path, settings) {
    let response;
    try {
      response = await fetch(path, { cache: 'no-store', ...settings });
    } catch {
      throw new Refused(0, { message: 'The console does not answer. Does its command still run?', hint: null });
    }
    const body = await response.json().catch(() => ({}));
    if (response.ok) return body;
    if (response.status === 401 && location.pathname !== '/') location.assign('/');
    throw new Refused(response.status, body.error || { message: `HTTP ${response.status}`, hint: null });
  }

  const get = (path) => request(path);

  const post = (path, body) =>
    request(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });

  // A lock of this browser, of all windows of the console: gives what releases it. Where it is taken: waits, or null.
  const locked = (name, options) => new Promise((resolve) => {
    navigator.locks.request(name, options, (lock) => (lock ? new Promise(resolve) : resolve(null)));
  });

  // A connection for a stream. Browsers allow six to an address: some windows keep theirs, others take turns with one.
  async function connection() {
    if (!navigator.locks) return { release: () => {}, isTurn: false };
    for (let number = 0; number < KEPT_STREAMS; number += 1) {
      const release = await locked(`console-stream-${number}`, { ifAvailable: true });
      if (release) return { release, isTurn: false };
    }
    return { release: await locked('console-turn', {}), isTurn: true };
  }

  // One stream for a tab. A page that nobody sees has none.
  class Stream {
    constructor(topics, onDocument) {
      this.topics = topics;
      this.onDocument = onDocument;
      this.last = '';
      this.heardAt = 0;
      this.attempt = 0;
      this.isWaiting = false;
      document.addEventListener('visibilitychange', () => this.look());
      window.addEventListener('online', () => this.reopen());
      window.addEventListener('pagehide', () => this.close());
      window.addEventListener('pageshow', () => this.look());
      setInterval(() => this.look(), LOOK_MS);
      this.look();
    }

    look() {
      if (document.hidden) this.close();
      else if (this.isWaiting) return;
      else if (!this.source || Date.now() - this.heardAt > QUIET_MS) this.reopen();
    }

    close() {
      this.attempt += 1;
      this.isWaiting = false;
      if (this.source) this.source.close();
      if (this.release) this.release();
      this.source = null;
      this.release = null;
    }

    async reopen() {
      this.close();
      if (document.hidden) return;
      const { attempt } = this;
      this.isWaiting = true;
      const { release, isTurn } = await connection();
      if (attempt !== this.attempt) {
        release();
        return;
      }
      this.isWaiting = false;
      this.release = release;
      this.open(isTurn);
    }

    // isTurn: until it has every document once; they are all sent, whether they have changed or not.
    open(isTurn) {
      const missing = new Set(this.topics);
      const query = new URLSearchParams(this.topics.map((topic) => ['topic', topic]));
      if (this.last && !isTurn) query.set('last', this.last);
      const source = new EventSource(`/api/events?${query}`);
      this.source = source;
      this.heardAt = Date.now();
      source.addEventListener('open', () => this.heard());
      source.addEventListener('beat', () => {
        this.heard();
        if (isTurn) this.endTurn();
      });
      source.addEventListener('snapshot', (event) => {
        this.heard();
        this.last = event.lastEventId;
        const { topic, document: found } = JSON.parse(event.data);
        this.onDocument(found, topic);
        missing.delete(topic);
        if (isTurn && !missing.size) this.endTurn();
      });
      source.addEventListener('error', () => this.lost(source));
    }

    endTurn() {
      this.close();
      setTimeout(() => this.look(), AGAIN_MS);
    }

    heard() {
      this.heardAt = Date.now();
      Alpine.store('shell').state = 'on';
    }

    lost(source) {
      if (source !== this.source) return;
      Alpine.store('shell').state = 'off';
      this.close();
      setTimeout(() => this.ask(), AGAIN_MS);
    }

    async ask() {
      try {
        await get('/api/session'); // whoever is not signed in any more is led to where it is done
      } catch (error) {
        if (error.status === 0) setTimeout(() => this.ask(), AGAIN_MS);
        return;
      }
      if (!this.source) this.look();
    }
  }

  const watch = (topics, onDocument) => new Stream(topics, onDocument);

  function instant(text) {
    if (!text) return '–';
    const at = new Date(text);
    if (Number.isNaN(at.getTime()) || at.getUTCFullYear() < 1971 || at.getUTCFullYear() > 9000) return '–';
    return at.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
  }

  function duration(seconds) {
    if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return '–';
    if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
    return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  }

  // Seconds that something took, or has taken until now (ms) while it has no end.
  function taken(started, ended, now) {
    if (!started) return null;
    const until = ended ? Date.parse(ended) : now;
    return Math.max(0, (until - Date.parse(started)) / 1000);
  }

  const count = (number) => (number === null || number === undefined ? '–' : number.toLocaleString());

  function counted(number, noun) {
    return `${count(number)} ${noun}${number === 1 ? '' : 's'}`;
  }

  // Kept in this browser: which columns somebody wants to see.
  function kept(name, otherwise) {
    try {
      return JSON.parse(localStorage.getItem(name)) ?? otherwise;
    } catch {
      return otherwise;
    }
  }

  const keep = (name, value) => localStorage.setItem(name, JSON.stringify(value));

  // A text as one word of a shell's line.
  const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`);

  // The page of a device, or of a module of it.
  function deviceHref(deviceId, moduleId) {
    const device = `/devices/${encodeURIComponent(deviceId)}`;
    return moduleId ? `${device}/modules/${encodeURIComponent(moduleId)}` : device;
  }

  // What an error says, and what to do next.
  const errorText = (error, between = '\n') => [error.message, error.hint].filter(Boolean).join(between);

  async function copy(text) {
    await navigator.clipboard.writeText(text);
  }

  return { get, post, watch, instant, duration, taken, count, counted, kept, keep, quoted, deviceHref, errorText, copy };
})();

document.addEventListener('alpine:init', () => {
  Alpine.store('shell', { state: '', hub: '', hasHub: false, readOnly: false });

  Alpine.data('shell', () => ({
    get hub() {
      return this.$store.shell.hub;
    },
    get readOnly() {
      return this.$store.shell.readOnly;
    },
    get state() {
      return this.$store.shell.state;
    },
    get stateText() {
      return { on: 'Live', off: 'Not connected: trying again' }[this.$store.shell.state] || '';
    },

    async init() {
      if (location.pathname === '/') return;
      const session = await Console.get('/api/session').catch(() => null);
      if (session === null) return;
      this.$store.shell.hub = session.hub || 'all hubs';
      this.$store.shell.hasHub = session.hub !== null;
      this.$store.shell.readOnly = session.readOnly;
    },
  }));

  // Widths and places in percent. A style attribute, which `:style` may write, is against the page's policy.
  for (const name of ['width', 'left']) {
    Alpine.directive(name, (element, { expression }, { evaluateLater, effect }) => {
      const evaluate = evaluateLater(expression);
      effect(() => evaluate((percent) => { element.style[name] = `${percent || 0}%`; }));
    });
  }

  // A command that does the same as the page, with a button that copies it.
  Alpine.data('commandLine', () => ({
    said: '',

    async copy(line) {
      try {
        await Console.copy(line);
        this.said = 'Copied';
      } catch {
        this.said = 'Select it to copy it';
      }
      setTimeout(() => { this.said = ''; }, 2_000);
    },
  }));
});
