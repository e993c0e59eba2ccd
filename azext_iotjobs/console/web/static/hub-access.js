// Connection strings, once somebody asks for them: they are in no page before, and are forgotten when they are hidden.
'use strict';

document.addEventListener('alpine:init', () => {
  Alpine.data('hubStrings', () => ({
    rows: [],
    said: '',

    get isShown() {
      return this.rows.length > 0;
    },
    get buttonText() {
      return this.isShown ? 'Hide connection strings' : 'Show connection strings';
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
        this.rows = (await Console.post('/api/local-hub/strings', {})).strings;
        this.said = '';
      } catch (error) {
        this.said = this.shownError(error);
      }
    },
    async copy(value) {
      await Console.copy(value).then(() => { this.said = 'Copied'; }, () => { this.said = 'Select it to copy it'; });
    },
  }));
});
