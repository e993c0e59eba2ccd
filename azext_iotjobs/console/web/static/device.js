// One device or module: how it stands, its twin, what can be done with it, its modules.
'use strict';

document.addEventListener('alpine:init', () => {
  const [, , DEVICE, , MODULE] = location.pathname.split('/').map(decodeURIComponent);
  const METHODS = { sas: 'keys', selfSigned: 'its certificate', certificateAuthority: 'a certificate of a CA', none: 'nothing' };
  const OWN_PATH = Console.deviceHref(DEVICE);

  Alpine.data('device', () => ({
    id: MODULE || DEVICE,
    device: DEVICE,
    deviceHref: OWN_PATH,
    isModule: MODULE !== undefined,
    isDevice: MODULE === undefined,
    apiPath: `/api${location.pathname}`,
    found: null,
    problem: '',
    stream: null,
    telemetry: null,
    telemetryProblem: '',
    isWatching: false,
    modules: [],
    moduleLines: null,

    init() {
      document.title = `${this.id} – IoT Hub console`;
      this.twinTopic = `twin:${MODULE ? `${DEVICE}/${MODULE}` : DEVICE}`;
      this.stream = Console.watch([this.twinTopic], (found, topic) => (topic === this.twinTopic ? this.takeTwin(found) : this.takeTelemetry(found)));
      if (this.isDevice) this.loadModules();
    },
    async askSecrets() {
      const { primaryKey, secondaryKey, connectionString, signIn } = await Console.post(`${this.apiPath}/keys`, {});
      const found = [['Primary key', primaryKey], ['Secondary key', secondaryKey], ['Connection string', connectionString]];
      const rows = found.filter(([, value]) => value).map(([name, value]) => ({ name, value }));
      return { rows, said: rows.length ? '' : `It has no keys: it signs in by ${METHODS[signIn] || signIn}.` };
    },
    takeTwin(found) {
      this.problem = found.error ? Console.errorText(found.error) : '';
      if (!found.error) this.found = Object.freeze(found);
    },
    async fresh() {
      try {
        this.takeTwin(await Console.get(`${this.apiPath}/twin`));
      } catch (error) {
        this.problem = Console.errorText(error);
      }
    },

    get dot() {
      return this.found && this.found.isConnected ? 'on' : '';
    },
    get connection() {
      if (!this.found) return '';
      return this.found.isConnected ? 'connected' : 'not connected';
    },
    get isDisabled() {
      return this.found !== null && !this.found.isEnabled;
    },
    get facts() {
      if (!this.found) return [];
      const { authenticationType, lastActivityTime, cloudToDeviceMessageCount, statusReason, modelId } = this.found.facts;
      const facts = [
        ['Connection', this.connection],
        ['Last active', Console.instant(lastActivityTime)],
        ['Signs in by', METHODS[authenticationType] || authenticationType],
        ['Messages that wait for it', this.isDevice ? Console.count(cloudToDeviceMessageCount) : null],
        ['Kind', this.found.isEdge ? 'IoT Edge device' : null],
        ['Why it has its status', statusReason],
        ['Model', modelId],
      ];
      return facts.filter(([, value]) => value).map(([name, value]) => ({ name, value }));
    },
    get offered() {
      return this.found ? this.found.actions : [];
    },
    get lines() {
      return this.found ? [this.found.lines.show] : [];
    },
    get keysLine() {
      return this.found ? this.found.lines.keys : '';
    },

    // -- telemetry
    get watchText() {
      return this.isWatching ? 'Stop watching' : 'Watch what it sends';
    },
    get telemetryLines() {
      return this.found && this.found.lines.telemetry ? [this.found.lines.telemetry] : [];
    },
    watchTelemetry() {
      this.isWatching = !this.isWatching;
      this.telemetry = null;
      this.telemetryProblem = '';
      this.stream.topics = this.isWatching ? [this.twinTopic, `telemetry:${DEVICE}`] : [this.twinTopic];
      this.stream.last = '';
      this.stream.reopen();
    },
    takeTelemetry(found) {
      if (!this.isWatching) return;
      this.telemetryProblem = found.error ? Console.errorText(found.error) : '';
      if (!found.error) this.telemetry = Object.freeze(found); // it only changes as a whole, and need not be watched inside
    },

    // -- modules
    async loadModules() {
      try {
        const { modules, lines } = await Console.get(`${this.apiPath}/modules`);
        const row = (each) => ({ ...each, href: Console.deviceHref(DEVICE, each.id), dot: each.isConnected ? 'on' : '', state: each.isConnected ? 'connected' : 'not connected' });
        this.modules = modules.map(row);
        this.moduleLines = lines;
      } catch {
        this.modules = []; // the device's own problem says why
      }
    },
    get modulesText() {
      return this.modules.length ? '' : 'It has no modules.';
    },
    get moduleLine() {
      return this.moduleLines ? this.moduleLines.create : '';
    },
  }));

  // The buttons, each with its dialog: what it does, the command that does the same, and the id where it is deleted.
  Alpine.data('identityActions', () => ({
    chosen: null,
    reason: '',
    typed: '',
    isBusy: false,
    problem: '',

    get isBlocked() {
      return this.isBusy || this.$store.shell.readOnly;
    },
    get isDelete() {
      return this.chosen !== null && this.chosen.name === 'delete';
    },
    get hasReason() {
      return this.chosen !== null && !this.isDelete;
    },
    get question() {
      return this.chosen ? this.chosen.question : '';
    },
    get label() {
      return this.chosen ? this.chosen.label : '';
    },
    get line() {
      if (!this.chosen) return '';
      const reason = this.hasReason ? this.reason.trim() : '';
      return reason ? `${this.chosen.line} --status-reason ${Console.quoted(reason)}` : this.chosen.line;
    },
    get cannotConfirm() {
      return this.isBlocked || (this.isDelete && this.typed !== this.id);
    },
    choose(action) {
      Object.assign(this, { chosen: action, reason: '', typed: '', problem: '' });
      this.$refs.dialog.showModal();
    },
    leave() {
      if (!this.isBusy) this.$refs.dialog.close();
    },
    async confirm() {
      this.isBusy = true;
      this.problem = '';
      try {
        const body = this.isDelete ? { typed: this.typed } : { reason: this.reason.trim() };
        const done = await Console.post(`${this.apiPath}/actions/${this.chosen.name}`, body);
        this.$refs.dialog.close();
        if (done.isDeleted) location.assign(this.isModule ? this.deviceHref : '/devices');
        else await this.fresh();
      } catch (error) {
        this.problem = Console.errorText(error);
      } finally {
        this.isBusy = false;
      }
    },
  }));

  Alpine.data('newModule', () => ({
    name: '',
    problem: '',

    get isBlocked() {
      return this.$store.shell.readOnly || !this.name.trim();
    },
    get line() {
      return `${this.moduleLine} -m ${Console.quoted(this.name.trim() || 'MODULE')}`;
    },
    async create() {
      try {
        await Console.post(`${this.apiPath}/modules`, { moduleId: this.name.trim() });
        Object.assign(this, { name: '', problem: '' });
        await this.loadModules();
      } catch (error) {
        this.problem = Console.errorText(error);
      }
    },
  }));
});
