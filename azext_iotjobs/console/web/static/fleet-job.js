// One fleet job: its run, batches, devices and definition.
'use strict';

document.addEventListener('alpine:init', () => {
  const STATUSES = ['pending', 'in-progress', 'verifying', 'waiting', 'completed', 'failed', 'uncertain'];

  const width = (part, total) => (total ? Math.min(100, (100 * part) / total) : 0);

  const busyOf = (progress) => progress.inProgress + progress.verifying + progress.waiting;

  function progressText(progress, total) {
    const parts = [`${Console.count(progress.completed)} of ${Console.count(total)} completed`];
    if (progress.failed) parts.push(`${Console.count(progress.failed)} failed`);
    if (progress.uncertain) parts.push(`${Console.count(progress.uncertain)} uncertain`);
    if (busyOf(progress)) parts.push(`${Console.count(busyOf(progress))} in progress`);
    return parts.join(', ');
  }

  function batchBar(batch, longest) {
    const { progress, threshold } = batch;
    const total = Math.max(progress.total, 1);
    const kind = batch.retry ? ' (tried again)' : batch.offline ? ' (offline)' : '';
    return {
      batch: batch.batch,
      title: `${batch.batch}${kind}`,
      width: Math.max(12, (100 * batch.devices) / longest),
      text: `${batch.status}: ${progressText(progress, progress.total)}`,
      widths: {
        completed: width(progress.completed, total),
        failed: width(progress.failed, total),
        uncertain: width(progress.uncertain, total),
        busy: width(busyOf(progress), total),
      },
      hasLimit: threshold !== null && threshold.allowed <= total,
      limit: threshold === null ? 0 : width(threshold.allowed, total),
      limitText: threshold === null ? '' : `At most ${threshold.allowed} failures (${threshold.share})`,
    };
  }

  function targetsText(targets) {
    if (targets.queryCondition) return targets.queryCondition;
    if (targets.group) return `device group ${targets.group}`;
    if (targets.ofRun) return `${[targets.ofRun.on].flat().join(', ')} of run ${targets.ofRun.run} of ${targets.ofRun.id}`;
    return Console.counted(targets.deviceCount, 'device');
  }

  function thresholdOf(threshold) {
    if (!threshold) return 'none';
    const share = threshold.type === 'percentage' ? `${threshold.value}%` : Console.counted(threshold.value, 'device');
    return `${threshold.action} when more than ${share} of ${threshold.batch ? 'a batch' : 'the run'} failed`;
  }

  function scheduleOf(schedule) {
    if (!schedule) return 'none';
    const { frequency, at, date, weekdays, monthDays, cron } = schedule.rule;
    const days = { once: date, weekly: weekdays.join(', '), monthly: monthDays.join(', '), cron }[frequency];
    const texts = [[frequency, days, at].filter(Boolean).join(' '), schedule.timeZone];
    if (schedule.starts) texts.push(`from ${schedule.starts}`);
    if (schedule.ends) texts.push(`until ${schedule.ends}`);
    if (schedule.times) texts.push(`${schedule.times} times`);
    if (schedule.window) texts.push(`within ${schedule.window}`);
    return texts.join('; ');
  }

  function actionText(action) {
    if (action.kind === 'method') return `method ${action.methodName}, payload ${JSON.stringify(action.payload)}`;
    const patch = action.kind === 'twin' ? action.twinPatch : action.content;
    const text = JSON.stringify(patch);
    return `${action.kind === 'twin' ? 'twin patch' : 'content'} ${text.length > 300 ? `${text.slice(0, 300)}…` : text}`;
  }

  function factsOf(job) {
    const gates = Object.entries(job.gates || {}).filter(([, value]) => value).map(([name]) => name);
    const labels = Object.entries(job.labels).map(([name, value]) => `${name}=${value}`);
    return [
      ['Id', job.id],
      ['Hub', job.hub],
      ['Version', job.version],
      ['Action', actionText(job.action)],
      ['Devices', targetsText(job.targets)],
      ['Cancellation threshold', thresholdOf(job.cancellationThreshold)],
      ['Pause between batches', job.batchPauseSeconds ? Console.duration(job.batchPauseSeconds) : 'none'],
      ['Gates', gates.join(', ') || 'none'],
      ['Driver', job.delivery.driver],
      ['Schedule', scheduleOf(job.schedule)],
      ['Labels', labels.join(', ') || 'none'],
      ['Created', `${Console.instant(job.created)} by ${job.createdBy}`],
      ['Edited', `${Console.instant(job.edited)} by ${job.editedBy}`],
    ].map(([name, value]) => ({ name, value: String(value) }));
  }

  function noticesOf(run) {
    const found = [];
    const add = (text, tone = '') => found.push({ text, tone });
    if (run.endedBy && ['stopped', 'canceled'].includes(run.status)) {
      add(`${run.status === 'stopped' ? 'Stopped' : 'Canceled'} by ${run.endedBy} at ${Console.instant(run.ended)}.`, 'waits');
    }
    if (run.reason) add(run.reason, ['failed', 'canceled'].includes(run.status) ? 'failed' : 'waits');
    if (run.isUnattended) add('The process that executed this run is gone. Continue it.', 'failed');
    if (run.asked && run.status === 'running') {
      add(`${run.asked.by} has asked to ${run.asked.what} it: what is under way is awaited.`, 'waits');
    }
    for (const batch of run.batchList) {
      if (batch.gates === null || batch.gates.awaits === null || run.status !== 'running') continue;
      add(batch.gates.awaits === 'manual'
        ? `Batch ${batch.batch} waits for your approval before the next one begins.`
        : `Batch ${batch.batch} is at its gate ${batch.gates.awaits}.`, 'waits');
    }
    if (run.nextBatchNotBefore) add(`The next batch begins at ${Console.instant(run.nextBatchNotBefore)} at the earliest.`);
    return found;
  }

  Alpine.data('fleetJob', () => ({
    id: decodeURIComponent(location.pathname.split('/').pop()),
    number: new URLSearchParams(location.search).get('run') || '',
    found: null,
    problem: '',
    now: Date.now(),
    statuses: STATUSES,

    init() {
      const topic = `fleet-job:${this.id}${this.number ? `:${this.number}` : ''}`;
      Console.watch([topic], (found) => this.take(found));
      setInterval(() => { this.now = Date.now(); }, 1_000);
    },
    take(found) {
      this.problem = found.error ? Console.errorText(found.error, ' ') : '';
      if (found.error) return;
      this.found = found;
      document.title = `${this.name}: ${this.status} – IoT Hub console`;
      window.dispatchEvent(new CustomEvent('changed'));
    },
    go() {
      location.assign(`${location.pathname}?run=${this.number}`);
    },

    get job() {
      return this.found && this.found.job;
    },
    get run() {
      return this.found && this.found.run;
    },
    get name() {
      return this.job ? this.job.displayName : this.id;
    },
    get description() {
      return this.job ? this.job.description : '';
    },
    get status() {
      return this.run ? this.run.status : this.job ? 'pending' : '';
    },
    get sub() {
      if (!this.job) return this.problem ? '' : 'Loading…';
      return `Fleet job ${this.job.id} of ${this.job.hub}${this.run ? '' : ', saved and not run yet'}`;
    },
    get notices() {
      return this.run ? noticesOf(this.run) : [];
    },
    get offered() {
      return this.found ? this.found.actions : [];
    },
    // What is done in the wizard.
    get forms() {
      if (!this.job || this.$store.shell.readOnly || !this.found.may.define) return [];
      const page = (how, step) => `/jobs/new?${how}=${encodeURIComponent(this.id)}#${step}`;
      return [
        { name: 'edit', label: 'Edit', path: page('edit', 'configure') },
        { name: 'copy', label: 'Copy', path: page('copy', 'configure') },
        { name: 'reschedule', label: this.job.schedule ? 'Edit schedule' : 'Schedule', path: page('edit', 'schedule') },
      ];
    },
    get rightsText() {
      return this.found && !this.$store.shell.readOnly ? this.found.may.text : '';
    },
    get actionPath() {
      return `/api/fleet-jobs/${encodeURIComponent(this.id)}/actions`;
    },
    get home() {
      return '/jobs/fleet';
    },
    get runTitle() {
      return this.run ? `Run ${this.run.run}` : '';
    },
    get nextText() {
      if (!this.run || ['completed', 'canceled'].includes(this.run.status)) return '';
      const next = this.run.batchList.find((each) => each.status === 'pending');
      if (!next) return '';
      return `Next: batch ${next.batch} of ${this.run.batches}, ${Console.counted(next.devices, 'device')}.`;
    },
    get runs() {
      if (!this.found) return [];
      return this.found.runs.map((each) => ({ ...each, text: `${each.run}: ${each.status}, ${Console.instant(each.created)}` }));
    },
    get hasRuns() {
      return this.runs.length > 1;
    },
    isCurrent(each) {
      return this.run !== null && each.run === this.run.run;
    },
    get tiles() {
      if (!this.run) return [];
      const { progress } = this.run;
      const took = Console.taken(this.run.started, this.run.ended, this.now);
      const tiles = [
        ['Devices', Console.count(progress.total), ''],
        ['Completed', Console.count(progress.completed), 'completed'],
        ['Failed', Console.count(progress.failed), 'failed'],
        ['Uncertain', Console.count(progress.uncertain), 'uncertain'],
        ['In progress', Console.count(busyOf(progress)), 'busy'],
        ['Pending', Console.count(progress.pending), ''],
        ['Duration', Console.duration(took), ''],
      ];
      return tiles.map(([name, value, tone]) => ({ name, value, tone }));
    },
    get thresholdText() {
      const threshold = this.run && this.run.threshold;
      if (!threshold) return '';
      const share = threshold.share.endsWith('%') ? ` (${threshold.share})` : '';
      const end = threshold.action === 'stop' ? 'stopped' : 'canceled';
      return `${Console.counted(threshold.failures, 'device')} failed. The run is ${end} when more than ` +
        `${Console.count(threshold.allowed)} did${share}.`;
    },
    get hasBatches() {
      return this.run !== null && this.run.batchList.length > 0;
    },
    get batches() {
      if (!this.run) return [];
      const longest = Math.max(1, ...this.run.batchList.map((each) => each.devices));
      return this.run.batchList.map((each) => batchBar(each, longest));
    },
    get hasLimits() {
      return this.batches.some((each) => each.hasLimit);
    },
    get devicesPath() {
      return this.run ? `/api/fleet-jobs/${encodeURIComponent(this.id)}/devices?run=${this.run.run}` : '';
    },
    get devicesPaths() {
      return this.devicesPath ? [this.devicesPath] : [];
    },
    get csvPath() {
      return this.run ? `/api/fleet-jobs/${encodeURIComponent(this.id)}/results.csv?run=${this.run.run}` : '#';
    },
    get facts() {
      return this.job ? factsOf(this.job) : [];
    },
    get definition() {
      return this.job ? JSON.stringify(this.job, null, 2) : '';
    },
    get lines() {
      return this.found ? Object.values(this.found.lines) : [];
    },
  }));
});
