// Secrets, once somebody asks for them: they are in no page before, and are forgotten when they are hidden. Below a
// component with askSecrets, which gives the rows and what is to be said of them.
'use strict';

document.addEventListener('alpine:init', () => {
  // what: they are, in the button's words.
  Alpine.data('secrets', (what) => ({
    rows: [],
    said: '',

    get isShown() {
      return this.rows.length > 0;
    },
    get buttonText() {
      return `${this.isShown ? 'Hide' : 'Show'} ${what}`;
    },
    get isBlocked() {
      return this.$store.shell.readOnly;
    },
    async toggle() {
      if (this.isShown) {
        this.rows = [];
        return;
      }
      try {
        Object.assign(this, await this.askSecrets());
      } catch (error) {
        this.said = Console.errorText(error);
      }
    },
    async copy(value) {
      await Console.copy(value).then(() => { this.said = 'Copied'; }, () => { this.said = 'Select it to copy it'; });
    },
  }));
});
