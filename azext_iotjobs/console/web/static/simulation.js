// One simulation: how it fares, what is expected of it, what it simulates, its log.
'use strict';

document.addEventListener('alpine:init', () => {
  const rate = (number) => number.toLocaleString(undefined, { maximumFractionDigits: 1 });

  const milliseconds = (seconds) => `${(1000 * seconds).toLocaleString(undefined, { maximumFractionDigits: 2 })} ms`;

  function expectationOf(each, index) {
    const after = each.decidedAfterSeconds === null ? '' : `after ${Console.duration(each.decidedAfterSeconds)}`;
    const [verdict, tone] = { true: ['true', 'completed'], false: ['not true', 'failed'] }[each.cameTrue] || ['open', 'running'];
    return {
      key: index,
      text: each.expectation,
      verdict,
      tone,
      when: [after, each.reason].filter(Boolean).join(': '),
      devices: `${Console.count(each.devicesTrue)} of ${Console.count(each.devicesNeeded)}`,
    };
  }

  Alpine.data('simulation', () => ({
    id: decodeURIComponent(location.pathname.split('/').pop()),
    found: null,
    log: '',
    hasEnded: false,
    problem: '',
    now: Date.now(),

    init() {
      Console.watch([`simulation:${this.id}`], (found) => this.take(found));
      setInterval(() => { this.now = Date.now(); }, 1_000);
    },
    take(found) {
      // Whoever watches one in a terminal sees it end: nothing is left of it then.
      this.hasEnded = Boolean(found.hasEnded || (found.error && found.error.code === 'hub-not-found' && this.found));
      this.problem = found.error && !this.hasEnded ? Console.errorText(found.error, ' ') : '';
      this.log = found.logEnd || this.log;
      if (!found.error && !found.hasEnded) this.found = found;
      document.title = `${this.name}: ${this.status} – IoT Hub console`;
    },

    get name() {
      return `Simulation ${this.id}`;
    },
    get status() {
      if (this.hasEnded) return 'ended';
      if (!this.found) return '';
      return this.found.isEnding ? 'ending' : 'running';
    },
    get tone() {
      return { running: 'running', ending: 'stopped' }[this.status] || '';
    },
    get sub() {
      if (!this.found) return this.problem || this.hasEnded ? '' : 'Loading…';
      const lasted = Console.duration(Math.floor(Console.taken(this.found.startedAt, null, this.now)));
      const where = this.found.log ? 'in the background' : 'in a terminal';
      return `${Console.counted(this.found.devices, 'device')}, ${where}${this.hasEnded ? '' : `, for ${lasted}`}`;
    },
    get endedText() {
      return this.log ? 'It has ended: its result is in the log.' : 'It has ended: its result is in the terminal that it ran in.';
    },
    get offered() {
      return this.found && !this.hasEnded ? this.found.actions : [];
    },
    get actionPath() {
      return `/api/simulations/${encodeURIComponent(this.id)}/actions`;
    },
    get home() {
      return '/simulations';
    },
    get tiles() {
      if (!this.found) return [];
      const { connected, devices, messages, methods, cloudToDeviceMessages } = this.found;
      const tiles = [
        [`Connected of ${Console.count(devices)}`, Console.count(connected), connected === devices ? 'completed' : 'busy'],
        ['Messages/s', rate(messages.perSecond), ''],
        ['Acknowledged', Console.count(messages.acknowledged), ''],
        ['Calls answered/s', rate(methods.perSecond), ''],
        ['Calls answered', Console.count(methods.answered), ''],
        ['Messages received', Console.count(cloudToDeviceMessages), ''],
      ];
      if (methods.answerSeconds) tiles.push(['Answer time, p99', milliseconds(methods.answerSeconds.p99), '']);
      return tiles.map(([name, value, tone]) => ({ name, value, tone }));
    },
    get expectations() {
      return this.found ? this.found.expectations.map(expectationOf) : [];
    },
    get hasExpectations() {
      return this.expectations.length > 0;
    },
    get methods() {
      const counted = (each) => ({ name: each.name, received: Console.count(each.received), answered: Console.count(each.answered) });
      return this.found ? this.found.methods.byName.map(counted) : [];
    },
    get hasMethods() {
      return this.methods.length > 0;
    },
    get trouble() {
      if (!this.found) return [];
      return this.found.trouble.map((each) => ({
        kind: each.kind,
        count: Console.count(each.count),
        devices: each.firstDevices.join(', '),
        reason: each.firstReason || '–',
      }));
    },
    get hasTrouble() {
      return this.trouble.length > 0;
    },
    get facts() {
      if (!this.found) return [];
      const { devices, firstDevices, behaviour, until, hub, startedAt, pid, log } = this.found;
      const rest = devices - firstDevices.length;
      const facts = [
        ['Devices', firstDevices.join(', ') + (rest > 0 ? ` and ${Console.count(rest)} more` : '')],
        ['Behaviour', behaviour.join(', ') || 'no file, no ready-made one'],
        ['Ends', until.join(', or ') || 'with Ctrl-C, Stop, or once all that is expected is decided'],
        ['Hub', hub],
        ['Started', Console.instant(startedAt)],
        ['Process', String(pid)],
        ['Log', log || 'none: it runs in a terminal'],
      ];
      return facts.map(([name, value]) => ({ name, value }));
    },
    get lines() {
      return this.found && !this.hasEnded ? this.found.lines : [];
    },
    get hasLines() {
      return this.lines.length > 0;
    },
  }));
});
