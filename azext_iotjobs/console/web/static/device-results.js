// The table of what came of each device: filters, columns that stay chosen, page by page.
'use strict';

document.addEventListener('alpine:init', () => {
  const NAMES = {
    deviceId: 'Device',
    moduleId: 'Module',
    status: 'Status',
    errorClass: 'Error class',
    errorCode: 'Error code',
    errorText: 'Error',
    methodStatus: 'Answer status',
    payload: 'Answer',
    started: 'Started',
    finished: 'Finished',
    durationSeconds: 'Duration',
    batch: 'Batch',
    tries: 'Tries',
    verified: 'Verified',
    reported: 'Reported',
    offlineSince: 'Offline since',
    waitsUntil: 'Waits until',
  };
  const CHOSEN = ['deviceId', 'status', 'errorText', 'methodStatus', 'payload', 'batch'];
  const INSTANTS = ['started', 'finished', 'verified', 'offlineSince', 'waitsUntil'];
  const LONGEST = 300; // characters of a cell; the file has all of them

  function cell(row, name) {
    const value = row[name];
    if (value === null || value === undefined) return '';
    if (INSTANTS.includes(name)) return Console.instant(value);
    if (name === 'durationSeconds') return Console.duration(value);
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  }

  // path: of the API, with its query.  statuses: that can be chosen.
  Alpine.data('deviceResults', (path, statuses) => ({
    rows: [],
    next: '',
    state: 'loading',
    problem: '',
    status: '',
    device: '',
    statuses,
    columns: Console.kept('console.columns', CHOSEN),
    all: Object.entries(NAMES).map(([name, title]) => ({ name, title })),

    init() {
      this.load();
    },

    get heads() {
      return this.all.filter((each) => this.columns.includes(each.name));
    },
    get shown() {
      if (this.state === 'loading' && !this.rows.length) return 'Loading…';
      if (!this.rows.length) return 'No device fits.';
      return `${Console.counted(this.rows.length, 'device')} shown${this.next ? ', and there are more' : ''}`;
    },

    cells(row) {
      return this.heads.map((each) => {
        const href = this.href(row, each.name);
        return { name: each.name, text: cell(row, each.name), isStatus: each.name === 'status', href, isText: !href };
      });
    },
    // The page of the device or module in a cell; '': the cell names none, or the console has no hub to read it from.
    href(row, name) {
      if (!this.$store.shell.hasHub || !row[name]) return '';
      return { deviceId: Console.deviceHref(row.deviceId), moduleId: Console.deviceHref(row.deviceId, row.moduleId) }[name] || '';
    },
    keyOf(row) {
      return `${row.deviceId}\n${row.moduleId || ''}`;
    },
    badge(each) {
      return each.isStatus ? `badge ${each.text}` : '';
    },
    isChosen(name) {
      return this.columns.includes(name);
    },
    toggle(name) {
      const others = this.columns.filter((each) => each !== name);
      this.columns = others.length < this.columns.length ? others : [...this.columns, name];
      if (!this.columns.length) this.columns = [name];
      Console.keep('console.columns', this.columns);
    },
    closeMenu() {
      this.$refs.menu.open = false;
    },
    chooseAll() {
      this.columns = Object.keys(NAMES);
      Console.keep('console.columns', this.columns);
    },

    async load(isMore) {
      this.state = 'loading';
      const [route, query] = path.split('?');
      const wanted = new URLSearchParams(query);
      if (this.status) wanted.set('status', this.status);
      if (this.device.trim()) wanted.set('device', this.device.trim());
      if (isMore) wanted.set('after', this.next);
      try {
        const page = await Console.get(`${route}?${wanted}`);
        this.rows = isMore ? [...this.rows, ...page.devices] : page.devices;
        this.next = page.next;
        this.problem = '';
      } catch (error) {
        this.problem = error.message;
      }
      this.state = 'loaded';
    },
    // The first page again, when something has changed and nobody reads further down.
    refresh() {
      if (this.state === 'loaded' && this.rows.length <= 500) this.load();
    },
  }));
});
