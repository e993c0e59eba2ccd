// The list of simulations that run on this machine.
'use strict';

document.addEventListener('alpine:init', () => {
  const rate = (number) => number.toLocaleString(undefined, { maximumFractionDigits: 1 });

  function verdictOf(found) {
    const verdicts = found.expectations.map((each) => each.cameTrue);
    const trueCount = verdicts.filter((each) => each === true).length;
    const failedCount = verdicts.filter((each) => each === false).length;
    if (found.isEnding) return { verdict: 'ending', tone: 'stopped' };
    if (!verdicts.length) return { verdict: 'nothing expected', tone: '' };
    if (failedCount) return { verdict: `${failedCount} of ${verdicts.length} not true`, tone: 'failed' };
    return { verdict: `${trueCount} of ${verdicts.length} true`, tone: trueCount === verdicts.length ? 'completed' : 'running' };
  }

  function rowOf(found) {
    const rest = found.devices - found.firstDevices.length;
    const where = found.log ? 'in the background' : 'in a terminal';
    const behaviour = found.behaviour.length ? `behaviour ${found.behaviour.join(', ')}` : null;
    return {
      id: found.id,
      href: `/simulations/${encodeURIComponent(found.id)}`,
      name: found.firstDevices.join(', ') + (rest > 0 ? ` and ${Console.count(rest)} more` : ''),
      sub: [behaviour, where, `process ${found.pid}`].filter(Boolean).join(' · '),
      hub: found.hub,
      width: found.devices ? (100 * found.connected) / found.devices : 0,
      connectedText: `${Console.count(found.connected)} of ${Console.count(found.devices)}`,
      messages: rate(found.messages.perSecond),
      calls: rate(found.methods.perSecond),
      trouble: Console.count(found.trouble.reduce((sum, each) => sum + each.count, 0)),
      started: found.startedAt,
      ...verdictOf(found),
    };
  }

  Alpine.data('simulations', () => ({
    rows: null,
    lines: [],
    problem: '',
    now: Date.now(),

    init() {
      Console.watch(['simulations'], (found) => this.take(found));
      setInterval(() => { this.now = Date.now(); }, 1_000);
    },
    take(found) {
      this.problem = found.error ? Console.errorText(found.error, ' ') : '';
      if (found.error) return;
      this.rows = found.simulations.map(rowOf);
      this.lines = found.lines;
    },
    lastedOf(row) {
      return Console.duration(Math.floor(Console.taken(row.started, null, this.now)));
    },

    get summary() {
      if (this.rows === null) return this.problem ? '' : 'Loading…';
      return `${Console.counted(this.rows.length, 'simulation')} on this machine`;
    },
    get hasRows() {
      return this.rows !== null && this.rows.length > 0;
    },
    get isEmpty() {
      return this.rows !== null && this.rows.length === 0;
    },
    get hasLines() {
      return this.lines.length > 0;
    },
  }));
});
