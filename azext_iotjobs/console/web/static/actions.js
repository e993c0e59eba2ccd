// Buttons that do something, each after a question that shows the command which does the same.
'use strict';

document.addEventListener('alpine:init', () => {
  Alpine.data('actions', () => ({
    chosen: null,
    typed: {},
    isBusy: false,
    problem: '',

    get isBlocked() {
      return this.isBusy || this.$store.shell.readOnly;
    },
    get fields() {
      return this.chosen === null ? [] : this.chosen.fields;
    },
    get given() {
      return this.fields.filter((each) => (this.typed[each.option] || '').trim());
    },
    get question() {
      return this.chosen === null ? '' : this.chosen.question;
    },
    get label() {
      return this.chosen === null ? '' : this.chosen.label;
    },
    get line() {
      if (this.chosen === null) return '';
      const options = this.given.map((each) => `--${each.option} ${Console.quoted(this.typed[each.option].trim())}`);
      return [this.chosen.line, ...options].join(' ');
    },
    get confirmText() {
      return this.isBusy ? 'Working…' : this.label;
    },

    type(option, event) {
      this.typed = { ...this.typed, [option]: event.target.value };
    },
    idOf(option) {
      return `field-${option}`;
    },
    textOf(option) {
      return this.typed[option] || '';
    },
    choose(action) {
      this.chosen = action;
      this.typed = {};
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
        const body = Object.fromEntries(this.given.map((each) => [each.option, this.typed[each.option]]));
        const done = await Console.post(`${path}/${this.chosen.name}`, body);
        this.$refs.dialog.close();
        const page = `${home}/${encodeURIComponent(done.id)}`;
        if (page !== location.pathname) location.assign(page);
      } catch (error) {
        this.problem = Console.errorText(error);
      } finally {
        this.isBusy = false;
      }
    },
  }));
});
