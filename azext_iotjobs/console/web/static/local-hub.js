// A local hub: how it stands, and its quotas. The rest of the page is in secrets, hub-log, hub-changes and hub-data.
'use strict';

document.addEventListener('alpine:init', () => {
  Alpine.data('localHub', () => ({
    found: null,
    problem: '',
    log: null,
    logProblem: '',
    logTopic: 'local-hub-log:requests:all:',
    stream: null,

    init() {
      this.stream = Console.watch(['local-hub', this.logTopic], (found, topic) => this.take(found, topic));
    },
    take(found, topic) {
      const problem = found.error ? Console.errorText(found.error) : '';
      if (topic === 'local-hub') {
        this.problem = problem;
        if (!problem) this.found = Object.freeze(found);
      } else if (topic === this.logTopic) {
        this.logProblem = problem;
        if (!problem) this.log = Object.freeze(found); // it only changes as a whole, and need not be watched inside
      }
    },
    watchLog(topic) {
      if (topic === this.logTopic) return;
      this.logTopic = topic;
      this.stream.topics = ['local-hub', topic];
      this.stream.last = '';
      this.stream.reopen();
    },
    async askSecrets() {
      return { rows: (await Console.post('/api/local-hub/strings', {})).strings, said: '' };
    },

    get selector() {
      return this.found ? this.found.selector : '';
    },
    get tier() {
      if (!this.found) return '';
      const { sku, units } = this.found.quotas;
      return sku === 'unlimited' ? 'unlimited' : `${sku}, ${Console.counted(units, 'unit')}`;
    },
    get troubles() {
      return this.found ? this.found.troubles.map((each) => `${each.what}: ${each.reason} (since ${Console.instant(each.since)})`) : [];
    },
    get tiles() {
      if (!this.found) return [];
      const { state, faults } = this.found;
      return [
        ['Devices', Console.count(state.deviceCount)],
        ['Connected', Console.count(state.connectedDeviceCount)],
        ['Active jobs', Console.count(state.activeJobCount)],
        ['Active faults', Console.count(faults.filter((each) => each.active).length)],
        ['Clock ahead', this.offset],
      ].map(([name, value]) => ({ name, value }));
    },
    get offset() {
      if (!this.found) return '';
      const seconds = this.found.clock.offsetSeconds;
      const days = Math.floor(seconds / 86_400);
      if (seconds < 1) return '0 s';
      return days ? `${Console.counted(days, 'day')} ${Math.floor((seconds % 86_400) / 3600)} h` : Console.duration(seconds);
    },
    get pace() {
      const scale = this.found ? this.found.clock.timeScale : 1;
      return scale === 1 ? '' : `, and goes ${scale} times as fast`;
    },
    get facts() {
      if (!this.found) return [];
      const { hostName, httpsPort, mqttPort, amqpPort, dataDirectory, inMemory, startedAt } = this.found.facts;
      return [
        ['Name', hostName],
        ['Ports', `HTTPS ${httpsPort}, MQTT ${mqttPort}, AMQP ${amqpPort}`],
        ['Folder', dataDirectory],
        ['Keeps what it holds', inMemory ? 'until it ends' : 'in its folder'],
        ['Started', Console.instant(startedAt)],
      ].map(([name, value]) => ({ name, value }));
    },
    get trustLines() {
      return this.found ? this.found.trustLines : [];
    },
    get lines() {
      return this.found ? [this.found.lines.show] : [];
    },

    // -- quotas
    get slots() {
      if (!this.found) return '';
      const { count, limit } = this.found.quotas.activeJobs;
      return limit === null ? `${Console.counted(count, 'active job')}, as many as there are` : `${count} of ${Console.counted(limit, 'slot')} for active jobs`;
    },
    get slotsWidth() {
      if (!this.found) return 0;
      const { count, limit } = this.found.quotas.activeJobs;
      return limit ? Math.min(100, (100 * count) / limit) : 0;
    },
    get hasSlots() {
      return this.found !== null && this.found.quotas.activeJobs.limit !== null;
    },
    get isUnlimited() {
      return this.found !== null && this.found.quotas.throttles.length === 0;
    },
    get quotas() {
      if (!this.found) return [];
      return this.found.quotas.throttles.map((each) => {
        const share = (number) => (each.counted ? (100 * number) / each.counted : 0);
        const counts = [[each.passed, 'passed'], [each.delayed, 'delayed'], [each.refused, 'refused']];
        return {
          name: each.name,
          allowed: `${Console.count(Math.round(100 * each.perSecond) / 100)} a second, ${Console.count(each.burst)} at once`,
          text: each.counted ? counts.filter(([number]) => number).map(([number, word]) => `${Console.count(number)} ${word}`).join(', ') : 'none yet',
          widths: { passed: share(each.passed), delayed: share(each.delayed), refused: share(each.refused) },
        };
      });
    },
  }));
});
