// Buttons that do something, each after a question that shows the command which does the same.
'use strict';

document.addEventListener('alpine:init', () => {
  Alpine.data('actions', () => ({
    chosen: null,
    reason: '',
    isBusy: false,
    problem: '',

    get isBlocked() {
      return this.isBusy || this.$store.shell.readOnly;
    },
    get hasReason() {
      return this.chosen !== null && ['stop', 'approve', 'reject'].includes(this.chosen.name);
    },
    get question() {
      return this.chosen === null ? '' : this.chosen.question;
    },
    get label() {
      return this.chosen === null ? '' : this.chosen.label;
    },
    get line() {
      if (this.chosen === null) return '';
      const reason = this.hasReason ? this.reason.trim() : '';
      return reason ? `${this.chosen.line} --reason ${Console.quoted(reason)}` : this.chosen.line;
    },
    get confirmText() {
      return this.isBusy ? 'Working…' : this.label;
    },

    choose(action) {
      this.chosen = action;
      this.reason = '';
      this.problem = '';
      this.$refs.dialog.showModal();
    },
    leave() {
      if (!this.isBusy) this.$refs.dialog.close();
    },

    // path: of the API, without the action's name.  home: of the page of what the action may make, without its id.
    async confirm(path, home) {
      this.isBusy = true;
      this.problem = '';
      try {
        const body = this.hasReason && this.reason.trim() ? { reason: this.reason } : {};
        const done = await Console.post(`${path}/${this.chosen.name}`, body);
        this.$refs.dialog.close();
        const page = `${home}/${encodeURIComponent(done.id)}`;
        if (page !== location.pathname) location.assign(page);
      } catch (error) {
        this.problem = [error.message, error.hint].filter(Boolean).join('\n');
      } finally {
        this.isBusy = false;
      }
    },
  }));
});
