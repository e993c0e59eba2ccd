// The list of jobs: fleet jobs and the hub's own.
'use strict';

document.addEventListener('alpine:init', () => {
  const PAGE = 100;
  const DAY_MS = 86_400_000;
  const ACTIVE = ['running', 'pending', 'queued', 'enqueued', 'scheduled'];

  const NONE = { completed: 0, failed: 0, uncertain: 0, busy: 0 };

  const share = (part, total) => (total ? (100 * part) / total : 0);

  function progressOf(progress) {
    if (!progress) return { total: null, failed: null, widths: NONE, progressText: '' };
    const uncertain = progress.uncertain || 0;
    const busy = progress.inProgress + (progress.verifying || 0) + (progress.waiting || 0);
    const texts = [`${Console.count(progress.completed)} of ${Console.count(progress.total)} completed`];
    if (progress.failed) texts.push(`${Console.count(progress.failed)} failed`);
    if (uncertain) texts.push(`${Console.count(uncertain)} uncertain`);
    if (busy) texts.push(`${Console.count(busy)} in progress`);
    return {
      total: progress.total,
      failed: progress.failed,
      progressText: texts.join(', '),
      widths: {
        completed: share(progress.completed, progress.total),
        failed: share(progress.failed, progress.total),
        uncertain: share(uncertain, progress.total),
        busy: share(busy, progress.total),
      },
    };
  }

  function fleetRow(job) {
    const run = job.run;
    const labels = Object.entries(job.labels).map(([name, value]) => `${name}=${value}`);
    return {
      key: `fleet ${job.id}`,
      kind: 'fleet',
      name: job.name,
      href: `/jobs/fleet/${encodeURIComponent(job.id)}`,
      sub: ['fleet job', job.name === job.id ? null : job.id, ...labels].filter(Boolean).join(' · '),
      status: job.status,
      isSaved: job.isSaved,
      isScheduled: job.isScheduled,
      started: run && run.started,
      ended: run && run.ended,
      activity: Date.parse((run && (run.ended || run.started || run.created)) || job.edited),
      words: [job.id, job.name, job.description, ...labels].join('\n').toLowerCase(),
      ...progressOf(run && run.progress),
    };
  }

  function hubRow(job) {
    const isPast = (text) => text && Date.parse(text) <= Date.now();
    return {
      key: `hub ${job.id}`,
      kind: job.claimedBy === null ? 'hub' : 'claim',
      name: job.name,
      href: `/jobs/hub/${encodeURIComponent(job.id)}`,
      sub: job.claimedBy === null ? `hub job · ${job.action}` : `claim of a scheduled run, by ${job.claimedBy}`,
      status: job.status,
      isSaved: false,
      isScheduled: false,
      started: isPast(job.startTime) ? job.startTime : null,
      ended: ['completed', 'failed', 'cancelled'].includes(job.status) && isPast(job.endTime) ? job.endTime : null,
      activity: Date.parse(job.createdTime || job.startTime),
      words: `${job.id}\n${job.action}\n${job.condition || ''}`.toLowerCase(),
      ...progressOf(job.progress),
    };
  }

  Alpine.data('jobs', () => ({
    found: { 'fleet-jobs': null, 'hub-jobs': null },
    lines: [],
    problems: [],
    failed: {},
    mayDefine: false,
    rights: '',
    text: '',
    status: '',
    kind: '',
    when: '30',
    limit: PAGE,
    now: Date.now(),

    init() {
      Console.watch(['fleet-jobs', 'hub-jobs'], (found, topic) => this.take(found, topic));
      setInterval(() => { this.now = Date.now(); }, 1_000);
    },

    take(found, topic) {
      this.failed[topic] = found.error ? Console.errorText(found.error, ' ') : null;
      this.problems = Object.values(this.failed).filter(Boolean);
      if (found.line && !this.lines.includes(found.line)) this.lines = [...this.lines, found.line].sort();
      if (found.may) [this.mayDefine, this.rights] = [found.may.define, found.may.text];
      const row = topic === 'fleet-jobs' ? fleetRow : hubRow;
      if (!found.error) {
        this.found[topic] = found.jobs.map(row).map((each) => ({ ...each, startedText: Console.instant(each.started) }));
      }
    },

    get rows() {
      return [...(this.found['fleet-jobs'] || []), ...(this.found['hub-jobs'] || [])];
    },
    // Without claims of scheduled runs: nobody made those jobs to operate devices.
    get jobs() {
      return this.rows.filter((row) => row.kind !== 'claim');
    },
    get statuses() {
      return [...new Set(this.rows.map((row) => row.status))].sort();
    },
    get shown() {
      const words = this.text.trim().toLowerCase();
      const since = Date.now() - 30 * DAY_MS;
      const isActive = (row) => ACTIVE.includes(row.status) && !row.isSaved;
      const isThen = (row) =>
        ({ all: true, saved: row.isSaved, scheduled: row.isScheduled })[this.when] ?? (isActive(row) || row.activity >= since);
      const isWanted = (row) =>
        (!this.status || row.status === this.status) &&
        (this.kind ? row.kind === this.kind : row.kind !== 'claim') &&
        (!words || row.words.includes(words)) &&
        isThen(row);
      return this.rows.filter(isWanted).sort((one, other) => isActive(other) - isActive(one) || other.activity - one.activity);
    },
    get page() {
      return this.shown.slice(0, this.limit);
    },
    get hasNew() {
      return this.mayDefine && !this.$store.shell.readOnly && this.$store.shell.hub !== 'all hubs';
    },
    get rightsText() {
      return this.$store.shell.readOnly ? '' : this.rights;
    },
    get hasLines() {
      return this.lines.length > 0;
    },
    get hasMore() {
      return this.shown.length > this.limit;
    },
    get isEmpty() {
      return this.found['fleet-jobs'] !== null && this.shown.length === 0;
    },
    get emptyText() {
      return this.jobs.length ? 'No job fits the filters.' : 'There are no jobs yet. Create one: az iot hub fleet-job create';
    },
    get summary() {
      if (this.found['fleet-jobs'] === null) return 'Loading…';
      const running = this.jobs.filter((row) => row.status === 'running').length;
      return `${Console.counted(this.shown.length, 'job')} shown, ${Console.count(running)} running`;
    },

    showMore() {
      this.limit += PAGE;
    },
    count(number) {
      return Console.count(number);
    },
    durationOf(row) {
      return Console.duration(Console.taken(row.started, row.ended, this.now));
    },
  }));
});
