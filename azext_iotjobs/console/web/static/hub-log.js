// A log of the hub, the newest first, with its filters. Below a component with: log, logProblem, watchLog, selector.
'use strict';

document.addEventListener('alpine:init', () => {
  const WAIT_MS = 300; // after the last key
  const ONLY = { requests: 'Only those that failed', connections: 'Only refused and ended', calls: 'Only those that failed' };

  const who = (entry) => [entry.deviceId, entry.moduleId].filter(Boolean).join(' / ');
  const taken = (seconds) => (seconds === undefined ? '' : `${Math.round(seconds * 1000)} ms`);
  const atTime = (text) => new Date(text).toLocaleTimeString(undefined, { timeStyle: 'medium' });
  const ROWS = {
    requests: (each) => ({
      what: `${each.verb} ${each.path}`,
      who: each.caller || '',
      status: String(each.status),
      tone: each.status >= 400 ? 'failed' : 'completed',
      more: [each.errorCode, taken(each.durationSeconds)].filter(Boolean).join(', '),
    }),
    connections: (each) => ({
      what: each.protocol,
      who: who(each) || each.client || '',
      status: each.change,
      tone: { connected: 'completed', refused: 'failed', ended: 'waiting' }[each.change] || '',
      more: each.reason || '',
    }),
    calls: (each) => ({
      what: `${each.methodName} ${each.payload}`,
      who: who(each),
      status: each.status === undefined ? each.state : `${each.state} ${each.status}`,
      tone: { calling: 'running', responded: 'completed' }[each.state] || 'failed',
      more: [each.response, each.errorCode, each.reason, taken(each.durationSeconds)].filter(Boolean).join(', '),
    }),
  };

  Alpine.data('hubLog', () => ({
    kind: 'requests',
    text: '',
    isFailed: false,
    timer: null,

    changed() {
      this.watchLog(`local-hub-log:${this.kind}:${this.isFailed ? 'failed' : 'all'}:${this.text.trim()}`);
    },
    typed() {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.changed(), WAIT_MS);
    },
    get onlyText() {
      return ONLY[this.kind];
    },
    get rows() {
      if (!this.log || this.log.kind !== this.kind) return [];
      return this.log.entries.map((each) => ({ key: each.number, when: atTime(each.time), title: each.time, ...ROWS[this.kind](each) }));
    },
    get hasRows() {
      return this.rows.length > 0;
    },
    get summary() {
      if (!this.log) return '';
      const { entries, found, kept } = this.log;
      return found === 0 ? `None of ${Console.count(kept)}` : `${Console.count(entries.length)} of ${Console.count(found)} shown, the newest first`;
    },
  }));
});
