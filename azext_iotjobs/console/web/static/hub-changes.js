// What goes wrong at the hub, and its clock. Below a component with: found, selector.
'use strict';

document.addEventListener('alpine:init', () => {
  // Members of the hub's document: their options, what they are, for which kinds (none: all), whether a number is typed,
  // and the list on the page that has their values.
  const MEMBERS = [
    { name: 'operation', option: '--operation', label: 'Operation', choices: 'operations' },
    { name: 'device', option: '--device-id', label: 'Device, or pump-*' },
    { name: 'route', option: '--route', label: 'Requests', hint: 'GET /twins/{id}' },
    { name: 'method', option: '--method-name', label: 'Method' },
    { name: 'status', option: '--status', label: 'Status', choices: 'statuses', kinds: ['status'], isNumber: true },
    { name: 'retryAfterSeconds', option: '--retry-after', label: 'Retry after, seconds', kinds: ['status'], isNumber: true },
    { name: 'delaySeconds', option: '--delay', label: 'Delay, seconds', kinds: ['latency'], isNumber: true },
    { name: 'code', option: '--code', label: 'Code: 3 unavailable, 5 not authorized', choices: 'codes', kinds: ['connack'], isNumber: true },
    { name: 'skewSeconds', option: '--skew', label: 'Seconds ahead; below 0: behind', kinds: ['clock-skew'], isNumber: true },
    { name: 'times', option: '--times', label: 'How often', isNumber: true },
    { name: 'percent', option: '--percent', label: 'Share, percent', isNumber: true },
    { name: 'seed', option: '--seed', label: 'Seed of the share', isNumber: true },
    { name: 'forSeconds', option: '--for', label: 'For how many seconds', isNumber: true },
  ];
  const KINDS = {
    status: 'Requests are refused',
    latency: 'It takes longer',
    drop: 'Connections are dropped',
    connack: 'Devices are not let in',
    'no-ack': 'Messages are not acknowledged',
    'no-answer': 'Methods have no answer',
    'clock-skew': 'Tokens are judged by a wrong clock',
  };

  Alpine.data('hubFaults', () => ({
    kind: 'status',
    values: { status: '503' },
    isBusy: false,
    problem: '',
    said: '',
    kinds: Object.entries(KINDS).map(([name, label]) => ({ name, label: `${name}: ${label}` })),

    get isBlocked() {
      return this.isBusy || this.$store.shell.readOnly;
    },
    get fields() {
      return MEMBERS.filter((each) => !each.kinds || each.kinds.includes(this.kind));
    },
    get given() {
      return this.fields.filter((each) => this.textOf(each).trim());
    },
    textOf(field) {
      return this.values[field.name] || '';
    },
    idOf(field) {
      return `fault-${field.name}`;
    },
    modeOf(field) {
      return field.isNumber ? 'decimal' : 'text';
    },
    type(field, event) {
      this.values = { ...this.values, [field.name]: event.target.value };
    },
    get line() {
      if (!this.found) return '';
      const options = this.given.map((each) => `${each.option} ${Console.quoted(this.textOf(each).trim())}`);
      return [this.found.lines.addFault, '--kind', this.kind, ...options].join(' ');
    },
    get clearLine() {
      return this.found ? this.found.lines.clearFaults : '';
    },
    clearLineOf(row) {
      return `${this.clearLine} --fault-id ${Console.quoted(row.id)}`;
    },
    get rows() {
      if (!this.found) return [];
      return this.found.faults.map((each) => ({
        id: each.id,
        kind: each.kind,
        where: [each.operation, each.device, each.route, each.method].filter(Boolean).join(', '),
        how: MEMBERS.filter((member) => member.isNumber && each[member.name] !== undefined).map((member) => `${member.option.slice(2)} ${each[member.name]}`).join(', '),
        applied: Console.count(each.appliedCount),
        state: each.active ? 'active' : 'over',
        tone: each.active ? 'waiting' : '',
      }));
    },
    get hasRows() {
      return this.rows.length > 0;
    },

    // What cannot be a number goes to the hub as it was typed: it says what is allowed.
    read(field) {
      const text = this.textOf(field).trim();
      return field.isNumber && Number.isFinite(Number(text)) ? Number(text) : text;
    },
    async add() {
      const fault = Object.fromEntries([['kind', this.kind], ...this.given.map((each) => [each.name, this.read(each)])]);
      await this.change('/api/local-hub/faults', { fault }, ({ id }) => `Fault ${id} is there.`);
    },
    async clear(row) {
      await this.change('/api/local-hub/faults/clear', { id: row.id }, () => `Fault ${row.id} was cleared.`);
    },
    async clearAll() {
      await this.change('/api/local-hub/faults/clear', {}, () => 'All faults were cleared.');
    },
    async change(path, body, textOf) {
      Object.assign(this, { isBusy: true, problem: '', said: '' });
      try {
        this.said = textOf(await Console.post(path, body));
      } catch (error) {
        this.problem = Console.errorText(error);
      } finally {
        this.isBusy = false;
      }
    },
  }));

  Alpine.data('hubClock', () => ({
    amount: '1',
    unit: 'h',
    isBusy: false,
    problem: '',
    said: '',

    get seconds() {
      return Number(this.amount) * { s: 1, m: 60, h: 3600, d: 86_400 }[this.unit];
    },
    get isBlocked() {
      return this.isBusy || this.$store.shell.readOnly || !Number.isInteger(Number(this.amount)) || !(this.seconds > 0);
    },
    get line() {
      return this.found ? `${this.found.lines.advance} --by ${this.amount}${this.unit}` : '';
    },
    get state() {
      return this.found ? `It is ${this.offset} ahead of this machine's${this.pace}.` : '';
    },
    async advance() {
      Object.assign(this, { isBusy: true, problem: '', said: '' });
      try {
        const { now } = await Console.post('/api/local-hub/clock', { seconds: this.seconds });
        this.said = `It is ${Console.instant(now)} at the hub.`;
      } catch (error) {
        this.problem = Console.errorText(error);
      } finally {
        this.isBusy = false;
      }
    },
  }));
});
