// The list of devices: a query, its rows page by page, columns that stay chosen, and a new device.
'use strict';

document.addEventListener('alpine:init', () => {
  const COLUMNS = {
    status: 'Status',
    lastActivityTime: 'Last active',
    authenticationType: 'Signs in by',
    cloudToDeviceMessageCount: 'Messages',
    'capabilities.iotEdge': 'Edge',
    modelId: 'Model',
    version: 'Version',
  };
  const CHOSEN = ['status', 'lastActivityTime', 'tags', 'properties.reported'];
  const AGAIN_MS = 20_000; // hubs count queries
  const NO_MISTAKE = { before: '', at: '', after: '' };
  const KEPT = 'console.device-columns';

  Alpine.data('devices', () => ({
    text: new URLSearchParams(location.search).get('q') || '',
    asked: '',
    tokens: [''],
    found: null,
    total: null,
    isLoading: false,
    problem: '',
    isRefused: false, // the query is: it is not asked again
    hint: '',
    mistake: NO_MISTAKE,
    columns: Console.kept(KEPT, CHOSEN),
    paths: [],
    suggestions: [],
    begin: 0,
    picked: -1,

    init() {
      this.run();
      setInterval(() => { if (!document.hidden && !this.isLoading && !this.isRefused) this.load(); }, AGAIN_MS);
    },

    // -- the query
    run() {
      this.close();
      this.asked = this.text;
      this.tokens = [''];
      this.total = null;
      history.replaceState(null, '', this.asked.trim() ? `?${new URLSearchParams({ q: this.asked })}` : location.pathname);
      this.load().then(() => { if (!this.problem) this.count(); });
    },
    async load() {
      const asked = `${this.asked}\n${this.tokens.length}`;
      this.isLoading = true;
      const wanted = new URLSearchParams({ query: QueryBox.whole(this.asked), after: this.tokens.at(-1) });
      for (const each of this.columns) wanted.append('column', each);
      try {
        const page = await Console.get(`/api/devices?${wanted}`);
        if (asked !== `${this.asked}\n${this.tokens.length}`) return;
        this.found = Object.freeze(page);
        this.paths = [...new Set([...this.paths, ...page.paths])].slice(0, 1_000);
        this.say(null);
      } catch (error) {
        this.say(error);
      } finally {
        this.isLoading = false;
      }
    },
    async count() {
      const { asked } = this;
      const { count } = await Console.get(`/api/devices/count?${new URLSearchParams({ query: QueryBox.whole(asked) })}`).catch(() => ({ count: null }));
      if (asked === this.asked) this.total = count;
    },
    say(error) {
      this.problem = error ? error.message : '';
      this.hint = (error && error.hint) || '';
      const at = error ? QueryBox.placeOf(error.message, this.asked) : null;
      const typed = this.asked.trim();
      this.mistake = at === null ? NO_MISTAKE : { before: typed.slice(0, at), at: typed.slice(at, at + 1) || ' ', after: typed.slice(at + 1) };
      this.isRefused = error !== null && error.status === 400;
      if (this.isRefused) this.found = null;
    },

    get hasMistake() {
      return this.mistake !== NO_MISTAKE;
    },

    // -- completion
    suggest() {
      const { begin, found } = QueryBox.completions(this.text, this.$refs.query.selectionStart, this.paths);
      this.begin = begin;
      this.suggestions = found.map((text, at) => ({ text, at, id: `suggestion-${at}` }));
      this.picked = -1;
    },
    get isOpen() {
      return this.suggestions.length > 0;
    },
    get expanded() {
      return this.isOpen ? 'true' : 'false';
    },
    get active() {
      return this.picked < 0 ? null : this.suggestions[this.picked].id;
    },
    isPicked(each) {
      return each.at === this.picked ? 'true' : 'false';
    },
    key(event) {
      if (!this.isOpen) return;
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) this.picked = (this.picked + step + this.suggestions.length + (this.picked < 0 && step < 0 ? 1 : 0)) % this.suggestions.length;
      else if (event.key === 'Escape') this.close();
      else if (['Enter', 'Tab'].includes(event.key) && this.picked >= 0) this.accept(this.suggestions[this.picked]);
      else return;
      event.preventDefault();
    },
    accept(each) {
      const box = this.$refs.query;
      const at = this.begin + each.text.length;
      box.value = this.text.slice(0, this.begin) + each.text + this.text.slice(box.selectionStart);
      box.setSelectionRange(at, at); // at once: somebody types on
      this.text = box.value;
      this.close();
      if (each.text.endsWith('.')) this.suggest();
    },
    close() {
      this.suggestions = [];
      this.picked = -1;
    },

    // -- the table
    get summary() {
      if (this.found === null) return this.problem ? '' : 'Loading…';
      const { rows, areTwins } = this.found;
      if (!rows.length) return areTwins && !this.asked.trim() && this.tokens.length === 1 ? 'This hub has no devices yet.' : 'Nothing fits the query.';
      const page = this.tokens.length > 1 || this.found.next ? `, page ${Console.count(this.tokens.length)}` : '';
      const total = this.total === null ? '' : ` of ${Console.count(this.total)}`;
      return `${Console.count(rows.length)}${total} shown${page}`;
    },
    get heads() {
      return this.found ? this.found.columns.map((name) => ({ name, title: COLUMNS[name] || name })) : [];
    },
    get rows() {
      if (!this.found) return [];
      const { rows, columns, areTwins } = this.found;
      return rows.map((row, at) => ({
        key: `${at} ${row.deviceId} ${row.moduleId}`,
        href: Console.deviceHref(row.deviceId, row.moduleId),
        name: row.moduleId ? `${row.deviceId} / ${row.moduleId}` : row.deviceId,
        isLink: Boolean(row.deviceId),
        dot: areTwins && row.isConnected ? 'on' : '',
        state: row.isConnected ? 'connected' : 'not connected',
        cells: columns.map((name, place) => ({
          name,
          text: name.endsWith('Time') ? Console.instant(row.cells[place]) : row.cells[place],
          tone: name === 'status' ? `badge ${row.isEnabled ? '' : 'failed'}` : '',
        })),
      }));
    },
    get areTwins() {
      return this.found !== null && this.found.areTwins;
    },
    get hasRows() {
      return this.found !== null && this.found.rows.length > 0;
    },
    get hasPages() {
      return this.found !== null && (this.tokens.length > 1 || Boolean(this.found.next));
    },
    get isFirst() {
      return this.tokens.length === 1;
    },
    get isLast() {
      return !this.found || !this.found.next;
    },
    next() {
      this.turn([...this.tokens, this.found.next]);
    },
    previous() {
      this.turn(this.tokens.slice(0, -1));
    },
    turn(tokens) {
      this.tokens = tokens;
      this.load();
    },

    // -- columns
    get allColumns() {
      const names = [...new Set([...Object.keys(COLUMNS), 'tags', 'properties.desired', 'properties.reported', ...this.columns, ...this.paths])];
      return names.map((name) => ({ name, title: COLUMNS[name] || name }));
    },
    isChosen(name) {
      return this.columns.includes(name);
    },
    toggle(name) {
      this.columns = this.isChosen(name) ? this.columns.filter((each) => each !== name) : [...this.columns, name];
      Console.keep(KEPT, this.columns);
      this.load();
    },

    get lines() {
      return this.found ? [this.found.lines.query] : [];
    },
    get hasLines() {
      return this.found !== null;
    },
    get createLine() {
      return this.found ? this.found.lines.create : 'az iot hub device-identity create';
    },
  }));

  // The dialog for a new device, below the page's component.
  Alpine.data('newDevice', () => ({
    id: '',
    signIn: 'sas',
    thumbprint: '',
    isEdge: false,
    isDisabled: false,
    isBusy: false,
    problem: '',

    get isBlocked() {
      return this.isBusy || this.$store.shell.readOnly;
    },
    get isByThumbprint() {
      return this.signIn === 'selfSigned';
    },
    get line() {
      const words = [this.createLine, '-d', Console.quoted(this.id || 'ID')];
      const method = { selfSigned: 'x509_thumbprint', certificateAuthority: 'x509_ca' }[this.signIn];
      if (method) words.push('--auth-method', method);
      if (this.isByThumbprint) words.push('--primary-thumbprint', Console.quoted(this.thumbprint || 'THUMBPRINT'), '--secondary-thumbprint', Console.quoted(this.thumbprint || 'THUMBPRINT'));
      if (this.isEdge) words.push('--edge-enabled');
      if (this.isDisabled) words.push('--status', 'disabled');
      return words.join(' ');
    },

    open() {
      this.problem = '';
      this.$refs.dialog.showModal();
    },
    leave() {
      if (!this.isBusy) this.$refs.dialog.close();
    },
    async create() {
      this.isBusy = true;
      this.problem = '';
      const thumbprint = this.isByThumbprint ? { primaryThumbprint: this.thumbprint, secondaryThumbprint: this.thumbprint } : {};
      try {
        const made = await Console.post('/api/devices', { deviceId: this.id.trim(), signIn: this.signIn, isEdge: this.isEdge, isEnabled: !this.isDisabled, ...thumbprint });
        location.assign(Console.deviceHref(made.id));
      } catch (error) {
        this.problem = Console.errorText(error);
      } finally {
        this.isBusy = false;
      }
    },
  }));
});
