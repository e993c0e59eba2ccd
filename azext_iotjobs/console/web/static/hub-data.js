// What the hub holds: a seed, a snapshot, a reset. Below a component with: found, selector.
'use strict';

document.addEventListener('alpine:init', () => {
  const CHUNK = 32_768; // arguments of a call

  function base64(bytes) {
    let text = '';
    for (let at = 0; at < bytes.length; at += CHUNK) text += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
    return btoa(text);
  }

  function download(name, bytes) {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([bytes], { type: 'application/zip' }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }

  Alpine.data('hubSeed', () => ({
    text: '',
    file: '',
    isBusy: false,
    problem: '',
    result: null,

    get isBlocked() {
      return this.isBusy || this.$store.shell.readOnly || !this.text.trim();
    },
    get line() {
      return this.found ? `${this.found.lines.seed} --file ${Console.quoted(this.file || 'seed.yaml')}` : '';
    },
    get outcome() {
      if (!this.result) return [];
      const rows = (counts, word) => Object.entries(counts).map(([kind, number]) => `${Console.count(number)} ${kind} ${word}`);
      const said = [...rows(this.result.created, 'created'), ...rows(this.result.existing, 'there already, left as they are')];
      return said.length ? said : ['Nothing was in it.'];
    },
    async choose(event) {
      const [file] = event.target.files;
      if (!file) return;
      this.file = file.name;
      this.text = await file.text();
      event.target.value = '';
    },
    async seed() {
      Object.assign(this, { isBusy: true, problem: '', result: null });
      try {
        this.result = await Console.post('/api/local-hub/seed', { text: this.text });
      } catch (error) {
        this.problem = Console.errorText(error);
      } finally {
        this.isBusy = false;
      }
    },
  }));

  Alpine.data('hubSnapshots', () => ({
    action: '', // what the dialog asks about: restore or reset
    typed: '',
    file: null,
    isBusy: false,
    problem: '', // in the dialog
    trouble: '', // on the page
    said: '',

    get isBlocked() {
      return this.isBusy || this.$store.shell.readOnly;
    },
    get snapshotLine() {
      return this.found ? `${this.found.lines.snapshot} --file hub.zip` : '';
    },
    get restoreLine() {
      return this.found ? `${this.found.lines.restore} --file ${Console.quoted(this.file ? this.file.name : 'hub.zip')}` : '';
    },
    get resetLine() {
      return this.found ? this.found.lines.reset : '';
    },
    get isRestore() {
      return this.action === 'restore';
    },
    get question() {
      return this.isRestore ? 'Restore a snapshot?' : 'Reset the hub?';
    },
    get warning() {
      const what = 'all devices, twins, jobs, messages, events and CA certificates of the hub';
      return this.isRestore ? `It replaces ${what}.` : `It removes ${what}. Its keys stay.`;
    },
    get line() {
      return this.isRestore ? this.restoreLine : this.resetLine;
    },
    get label() {
      return this.isRestore ? 'Restore' : 'Reset';
    },
    get cannotConfirm() {
      return this.isBlocked || this.typed !== this.selector || (this.isRestore && this.file === null);
    },
    open(action) {
      Object.assign(this, { action, typed: '', file: null, problem: '', said: '', trouble: '' });
      this.$refs.file.value = '';
      this.$refs.dialog.showModal();
    },
    leave() {
      if (!this.isBusy) this.$refs.dialog.close();
    },
    choose(event) {
      this.file = event.target.files[0] || null;
    },
    async confirm() {
      Object.assign(this, { isBusy: true, problem: '' });
      try {
        const body = { typed: this.typed };
        if (this.isRestore) body.snapshot = base64(new Uint8Array(await this.file.arrayBuffer()));
        await Console.post(`/api/local-hub/${this.action}`, body);
        this.$refs.dialog.close();
        this.said = this.isRestore ? 'The hub is as the snapshot has it.' : 'The hub is empty.';
      } catch (error) {
        this.problem = Console.errorText(error);
      } finally {
        this.isBusy = false;
      }
    },
    async snapshot() {
      Object.assign(this, { isBusy: true, trouble: '', said: '' });
      try {
        const { snapshot } = await Console.post('/api/local-hub/snapshot', {});
        download('hub.zip', Uint8Array.from(atob(snapshot), (each) => each.charCodeAt(0)));
        this.said = 'Keep the file to yourself: the keys of devices are in it.';
      } catch (error) {
        this.trouble = Console.errorText(error);
      } finally {
        this.isBusy = false;
      }
    },
  }));
});
