// One job of the hub: its counts, devices and document.
'use strict';

document.addEventListener('alpine:init', () => {
  const STATUSES = ['pending', 'scheduled', 'running', 'completed', 'failed', 'canceled'];

  Alpine.data('hubJob', () => ({
    id: decodeURIComponent(location.pathname.split('/').pop()),
    found: null,
    problem: '',
    statuses: STATUSES,

    init() {
      Console.watch([`hub-job:${this.id}`], (found) => this.take(found));
    },
    take(found) {
      this.problem = found.error ? Console.errorText(found.error, ' ') : '';
      if (found.error) return;
      this.found = found;
      document.title = `${this.id}: ${this.status} – IoT Hub console`;
      window.dispatchEvent(new CustomEvent('changed'));
    },

    get status() {
      return this.found ? this.found.status : '';
    },
    get sub() {
      if (!this.found) return this.problem ? '' : 'Loading…';
      if (this.found.claimedBy === null) return `Hub job, ${this.found.action}`;
      return `It claims an occurrence of a schedule for ${this.found.claimedBy}, so that no other store starts it. It means no device.`;
    },
    get reason() {
      return this.found ? this.found.reason : '';
    },
    get offered() {
      return this.found ? this.found.actions : [];
    },
    get actionPath() {
      return `/api/hub-jobs/${encodeURIComponent(this.id)}/actions`;
    },
    get home() {
      return '/jobs/hub';
    },
    get hasTally() {
      return this.found !== null && this.found.progress !== null;
    },
    get tiles() {
      if (!this.hasTally) return [];
      const { total, completed, failed, inProgress, pending } = this.found.progress;
      const tiles = [
        ['Devices', total, ''],
        ['Completed', completed, 'completed'],
        ['Failed', failed, 'failed'],
        ['In progress', inProgress, 'busy'],
        ['Pending', pending, ''],
      ];
      return tiles.map(([name, value, tone]) => ({ name, value: Console.count(value), tone }));
    },
    get devicesPath() {
      return this.found ? `/api/hub-jobs/${encodeURIComponent(this.id)}/devices` : '';
    },
    get devicesPaths() {
      return this.devicesPath ? [this.devicesPath] : [];
    },
    get csvPath() {
      return '#';
    },
    get facts() {
      if (!this.found) return [];
      const { action, condition, createdTime, startTime, endTime } = this.found;
      const facts = [
        ['Action', action],
        ['Devices', condition || '–'],
        ['Created', Console.instant(createdTime)],
        ['Start', Console.instant(startTime)],
        ['End', Console.instant(endTime)],
      ];
      return facts.map(([name, value]) => ({ name, value }));
    },
    get definition() {
      return this.found ? JSON.stringify(this.found.document, null, 2) : '';
    },
    get lines() {
      return this.found ? Object.values(this.found.lines) : [];
    },
  }));
});
