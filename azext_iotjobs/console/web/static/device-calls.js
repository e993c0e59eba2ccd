// What is sent to a device: a call of a method, and a message. Below a component with: found, apiPath.
'use strict';

document.addEventListener('alpine:init', () => {
  Alpine.data('methodCall', () => ({
    name: '',
    payload: '{}',
    response: 30,
    connect: 0,
    isBusy: false,
    problem: '',
    answer: null,

    get isBlocked() {
      return this.isBusy || this.$store.shell.readOnly;
    },
    get buttonText() {
      return this.isBusy ? 'Waiting for its answer…' : 'Call';
    },
    get line() {
      if (!this.found) return '';
      const payload = Console.quoted(this.payload.trim() || 'null');
      return `${this.found.lines.method} --mn ${Console.quoted(this.name || 'METHOD')} --mp ${payload} --timeout ${this.response} --connect-timeout ${this.connect}`;
    },
    get hasAnswer() {
      return this.answer !== null;
    },
    get answerTitle() {
      return this.hasAnswer ? `Status ${this.answer.status}, after ${Console.duration(this.answer.seconds)}` : '';
    },
    get answerText() {
      return this.hasAnswer ? JSON.stringify(this.answer.payload, null, 2) : '';
    },

    async call() {
      this.isBusy = true;
      this.problem = '';
      this.answer = null;
      const body = { name: this.name, payload: this.payload, responseTimeout: Number(this.response), connectTimeout: Number(this.connect) };
      try {
        this.answer = await Console.post(`${this.apiPath}/method`, body);
      } catch (error) {
        this.problem = Console.errorText(error);
      } finally {
        this.isBusy = false;
      }
    },
  }));

  Alpine.data('messageToDevice', () => ({
    body: '',
    contentType: '',
    properties: '',
    minutes: '', // '': as the hub is configured
    ack: '',
    isBusy: false,
    problem: '',
    sent: '',

    get isBlocked() {
      return this.isBusy || this.$store.shell.readOnly;
    },
    // key=value, separated by semicolons, as the command has them.
    get pairs() {
      const pairs = this.properties.split(';').filter((each) => each.trim()).map((each) => each.split(/=(.*)/s));
      return Object.fromEntries(pairs.map(([name, value]) => [name.trim(), (value || '').trim()]));
    },
    get expiry() {
      return Date.now() + Math.round(Number(this.minutes) * 60_000);
    },
    get line() {
      if (!this.found) return '';
      const words = [this.found.lines.message, '--data', Console.quoted(this.body)];
      if (this.contentType.trim()) words.push('--content-type', Console.quoted(this.contentType.trim()));
      if (this.properties.trim()) words.push('--properties', Console.quoted(this.properties.trim()));
      if (this.minutes) words.push('--expiry-time-utc', this.expiry);
      if (this.ack) words.push('--ack', this.ack);
      return words.join(' ');
    },

    async send() {
      this.isBusy = true;
      this.problem = '';
      this.sent = '';
      const message = { body: this.body, contentType: this.contentType, properties: this.pairs, ack: this.ack };
      if (this.minutes) message.expiry = this.expiry;
      try {
        const { messageId } = await Console.post(`${this.apiPath}/message`, message);
        this.sent = `The hub has it, as ${messageId}. It waits until the device receives it.`;
      } catch (error) {
        this.problem = Console.errorText(error);
      } finally {
        this.isBusy = false;
      }
    },
  }));
});
