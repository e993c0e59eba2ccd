// The wizard of a fleet job. Fields are called as the members that they are; what is allowed is decided by the server.
'use strict';

document.addEventListener('alpine:init', () => {
  const STEPS = [['configure', 'Configure'], ['delivery', 'Delivery options'], ['schedule', 'Schedule'], ['review', 'Review']];
  const CHECK_MS = 300;
  const LEFT = 'This is the draft that you have left here.';
  const CHANGED = 'The job was changed since then: discard the draft to begin with what is saved now.';
  const QUERY = new URLSearchParams(location.search);
  const ORIGINAL = { edit: QUERY.get('edit') || '', copy: QUERY.get('copy') || '' };
  const DRAFT = `job-form ${ORIGINAL.edit && `edit ${ORIGINAL.edit}`}${ORIGINAL.copy && `copy ${ORIGINAL.copy}`}`;

  const form = () => document.getElementById('job');
  const controls = () => [...form().elements].filter((each) => each.name);
  const isSent = (control) => !control.closest('fieldset:disabled');
  const labelOf = (control) => {
    const holder = control.closest('.choice') || control.closest('.field');
    return holder ? holder.querySelector('legend, .label').textContent : control.parentElement.textContent.trim();
  };

  // What is chosen as the page words it, and what is typed as it stands.
  function shownOf(control, value) {
    if (control.tagName === 'SELECT') return control.selectedOptions[0].textContent;
    const box = controls().find((each) => each.name === control.name && each.type === 'radio' && each.value === value);
    return box ? box.parentElement.textContent.trim() : value;
  }

  // What is typed, by the names of fields; of boxes with one name, their values with commas between them.
  function typed(wanted) {
    const found = {};
    for (const control of controls().filter(wanted)) {
      if (['radio', 'checkbox'].includes(control.type) && !control.checked) continue;
      found[control.name] = control.name in found && control.type === 'checkbox' ? `${found[control.name]},${control.value}` : control.value;
    }
    return found;
  }

  // A date; with a time of day, which a field of dates has no place for, it is a text.
  function fillDate(control, value) {
    if (/T(?!00:00|23:59:59)/.test(value)) control.type = 'text';
    control.value = control.type === 'text' ? value : value.slice(0, 10);
  }

  function fill(values) {
    for (const control of controls()) {
      if (!(control.name in values)) continue;
      const value = values[control.name];
      if (control.type === 'radio') control.checked = control.value === value;
      else if (control.type === 'checkbox') control.checked = value.split(',').includes(control.value);
      else if (control.type === 'date') fillDate(control, value);
      else control.value = control.tagName === 'SELECT' && ![...control.options].some((each) => each.value === value) ? '' : value;
    }
  }

  // A part of the form that belongs to a choice is there while it is chosen: name=one|other.
  function showParts() {
    const chosen = typed(() => true);
    for (const part of document.querySelectorAll('[data-when]')) {
      const [name, values] = part.dataset.when.split('=');
      part.disabled = !values.split('|').includes(chosen[name]);
      part.hidden = part.disabled;
    }
  }

  // The control that a problem is shown at: the field itself, what is part of it, or what it is part of.
  function controlOf(field) {
    const all = controls().filter((each) => isSent(each) && !each.name.startsWith('_'));
    for (let name = field; name; name = name.slice(0, Math.max(0, name.lastIndexOf('.')))) {
      const found = all.find((each) => each.name === name) || all.find((each) => each.name.startsWith(`${name}.`));
      if (found) return found;
    }
    return null;
  }

  function worded(text) {
    const names = controls().map((each) => [each.name, labelOf(each)]).sort((one, other) => other[0].length - one[0].length);
    return names.reduce((found, [name, label]) => (name.includes('.') ? found.replaceAll(name, label) : found), text);
  }

  function clearProblems() {
    for (const each of document.querySelectorAll('.error')) each.remove();
    for (const each of document.querySelectorAll('[aria-invalid]')) {
      each.removeAttribute('aria-invalid');
      each.removeAttribute('aria-describedby');
    }
  }

  function showProblem(control, text) {
    const holder = control.closest('.choice') || control.closest('.field') || control.parentElement;
    const note = document.createElement('span');
    note.className = 'error';
    note.id = `error-${control.name}`;
    note.textContent = worded(text);
    control.setAttribute('aria-invalid', 'true');
    control.setAttribute('aria-describedby', note.id);
    const details = control.closest('details');
    if (details) details.open = true;
    if (holder.querySelector('.error')) holder.querySelector('.error').textContent += ` ${note.textContent}`;
    else holder.append(note);
  }

  const stepOf = (control) => control.closest('.step').id.slice('step-'.length);

  Alpine.data('newJob', () => ({
    step: 'configure',
    name: '',
    seen: '',
    problem: '',
    problems: [],
    lines: [],
    preview: null,
    selected: null,
    isIdTyped: Boolean(ORIGINAL.edit || ORIGINAL.copy),
    nextAt: [],
    said: '',
    isBusy: false,
    isDraft: false,
    touched: {},
    mayDefine: true,
    rightsText: '',
    timer: null,
    asked: 0,

    async init() {
      this.fillLists();
      try {
        const found = await Console.get(`/api/job-form?${new URLSearchParams(ORIGINAL)}`);
        this.begin(found);
      } catch (error) {
        this.problem = Console.errorText(error);
      }
      Console.watch(['fleet-jobs'], () => {});
    },
    begin(found) {
      this.seen = found.seen;
      this.name = found.name;
      [this.mayDefine, this.rightsText] = [found.may.define, this.$store.shell.readOnly ? '' : found.may.text];
      for (const each of found.groups) document.getElementById('groups').append(new Option(each, each));
      const values = { ...found.form };
      const has = (prefix) => Object.keys(values).some((each) => each.startsWith(prefix));
      values._target = has('targets.deviceIds') ? 'ids' : has('targets.group') ? 'group' : has('targets.ofRun') ? 'run' : 'condition';
      values._kind = has('action.twinPatch') ? 'twin' : has('action.content') ? 'content' : 'method';
      values._end = has('schedule.ends') ? 'day' : has('schedule.times') ? 'times' : 'never';
      values['schedule.timeZone'] ??= Intl.DateTimeFormat().resolvedOptions().timeZone;
      const draft = JSON.parse(sessionStorage.getItem(DRAFT) || 'null');
      this.isDraft = draft !== null;
      if (draft) this.said = draft.seen === found.seen ? LEFT : `${LEFT} ${CHANGED}`;
      fill({ ...values, ...(draft ? draft.values : {}) });
      if (draft) this.seen = draft.seen;
      document.querySelector('[name="id"]').readOnly = Boolean(ORIGINAL.edit);
      showParts();
      document.title = `${this.title} – IoT Hub console`;
      const isBegun = draft !== null || Boolean(ORIGINAL.edit || ORIGINAL.copy); // not where it was saved, and left
      const isStep = STEPS.some(([name]) => `#${name}` === location.hash);
      this.show(isBegun && isStep ? location.hash.slice(1) : 'configure');
      this.check();
      if (ORIGINAL.edit || ORIGINAL.copy || draft) this.count();
    },
    fillLists() {
      for (const zone of ['UTC', ...Intl.supportedValuesOf('timeZone')]) document.getElementById('zones').append(new Option(zone, zone));
    },

    get title() {
      if (ORIGINAL.edit) return `Edit ${this.name || ORIGINAL.edit}`;
      return ORIGINAL.copy ? `Copy ${this.name || ORIGINAL.copy}` : 'New job';
    },
    get readOnly() {
      return this.$store.shell.readOnly;
    },
    get steps() {
      const wrong = this.problems.map((each) => controlOf(each.field)).filter((each) => each && this.touched[each.name]).map(stepOf);
      return STEPS.map(([name, title], index) => ({
        name,
        title: `${index + 1} ${title}`,
        current: name === this.step ? 'step' : null,
        tone: wrong.includes(name) ? 'wrong' : '',
        said: wrong.includes(name) ? ', something is wrong' : '',
      }));
    },
    get hasBack() {
      return this.step !== 'configure';
    },
    get hasNext() {
      return this.step !== 'review';
    },
    get isSavedHere() {
      return this.step === 'configure' || this.mayRunNow;
    },
    get hasSchedule() {
      return this.nextAt.length > 0;
    },
    get mayScheduleNow() {
      return this.step === 'review' && this.hasSchedule;
    },
    get mayRunNow() {
      return this.step === 'review' && !this.hasSchedule;
    },
    get isBlocked() {
      return this.isBusy || this.readOnly || !this.mayDefine;
    },
    get mayNotRun() {
      return this.isBlocked || this.isEmpty || this.preview === null;
    },
    get isEmpty() {
      return this.preview !== null && this.preview.devices === 0;
    },
    get selectedText() {
      if (!this.selected) return '';
      const { isMore, selected, devices } = this.selected;
      const used = devices === selected ? '' : ` ${Console.count(devices)} of them are used.`;
      return `Selected now: ${isMore ? 'more than ' : ''}${Console.counted(selected, 'device')}.${used}`;
    },
    get sample() {
      return this.preview ? this.preview.sample.join(', ') : '';
    },
    get tiles() {
      if (!this.preview) return [];
      const { devices, isMore, batches } = this.preview;
      return [
        { name: 'Devices', value: `${isMore ? 'over ' : ''}${Console.count(devices)}` },
        { name: 'Batches', value: Console.count(batches) },
      ];
    },
    get facts() {
      if (this.step !== 'review') return [];
      const facts = [];
      const seen = new Set();
      for (const control of controls().filter((each) => isSent(each) && !each.name.startsWith('_'))) {
        const value = typed((each) => each.name === control.name)[control.name];
        if (seen.has(control.name) || !value) continue;
        seen.add(control.name);
        facts.push({ name: labelOf(control), value: shownOf(control, value) });
      }
      if (this.preview) facts.push({ name: 'Driver', value: this.preview.driverReason });
      if (this.hasSchedule) facts.push({ name: 'Next runs', value: this.nextAt.map(Console.instant).join('; ') });
      return facts.map((each, index) => ({ ...each, name: facts.findIndex((one) => one.name === each.name) === index ? each.name : `${each.name} (${index})` }));
    },
    get hasLines() {
      return this.lines.length > 0;
    },

    changed(event) {
      this.touched[event.target.name] = true;
      if (event.target.name === 'id') this.isIdTyped = true;
      if (event.target.name === 'displayName' && !this.isIdTyped) this.suggestId(event.target.value);
      showParts();
      this.isDraft = true;
      sessionStorage.setItem(DRAFT, JSON.stringify({ values: typed(() => true), seen: this.seen }));
      this.preview = null;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.check(), CHECK_MS);
      if (/^_?target/.test(event.target.name)) {
        this.selected = null;
        if (event.type === 'change') this.count();
      }
    },
    // Of the devices that are selected, once one of their fields is left.
    async count() {
      const found = await Console.post('/api/job-form/count', this.body()).catch(() => null);
      this.selected = found && found.preview;
    },
    suggestId(name) {
      document.querySelector('[name="id"]').value = name.toLowerCase().replace(/[^a-z0-9._-]+/g, '-').replace(/^[^a-z0-9]+|-+$/g, '').slice(0, 40);
    },
    body() {
      return { form: typed((each) => isSent(each) && !each.name.startsWith('_')), ...ORIGINAL, seen: this.seen };
    },
    // What the server says of the form; null where it says nothing, or where the form has changed meanwhile.
    async ask(what) {
      this.asked += 1;
      const number = this.asked;
      try {
        const found = await Console.post(`/api/job-form/${what}`, this.body());
        if (number !== this.asked && what !== 'save') return null;
        this.problem = '';
        this.problems = found.problems;
        this.lines = found.lines;
        this.nextAt = found.next || [];
        this.preview = found.preview || null;
        return found;
      } catch (error) {
        this.problem = Console.errorText(error);
        if (error.status === 409) this.isDraft = true; // it can be discarded, for what somebody else has saved
        return null;
      }
    },
    async check() {
      if (this.readOnly) return;
      await this.ask(this.step === 'review' ? 'review' : 'check');
      this.showProblems((control) => this.touched[control.name]);
    },
    // Gives the first control that something is wrong with, of those that are wanted.
    showProblems(isWanted) {
      clearProblems();
      const found = this.problems.map((each) => [controlOf(each.field), each.text]);
      this.problem = found.filter(([control]) => control === null).map(([, text]) => text).join('\n') || this.problem;
      const wrong = found.filter(([control]) => control !== null && isWanted(control));
      for (const [control, text] of wrong) showProblem(control, text);
      return controls().find((each) => wrong.some(([control]) => control === each)) || null;
    },
    touch(isWanted) {
      for (const each of controls().filter(isWanted)) this.touched[each.name] = true;
      this.touched = { ...this.touched };
    },
    show(step) {
      this.step = step;
      for (const [name] of STEPS) document.getElementById(`step-${name}`).hidden = name !== step;
      history.replaceState(null, '', `${location.pathname}${location.search}#${step}`);
    },
    async go(step) {
      this.show(step);
      document.getElementById(`title-${step}`).focus();
      await this.check();
    },
    back() {
      return this.go(STEPS[STEPS.findIndex(([name]) => name === this.step) - 1][0]);
    },
    async next() {
      this.isBusy = true;
      const here = (control) => stepOf(control) === this.step;
      clearTimeout(this.timer);
      await this.ask(this.step === 'configure' ? 'review' : 'check');
      this.isBusy = false;
      this.touch(here);
      const wrong = this.showProblems(here);
      const after = STEPS[STEPS.findIndex(([name]) => name === this.step) + 1];
      if (wrong) wrong.focus();
      else if (after && !this.problem) await this.go(after[0]);
    },
    // Saves it; gives whether that is done. Where anything is wrong, its step is shown.
    async saved() {
      this.isBusy = true;
      clearTimeout(this.timer);
      const found = await this.ask('save');
      this.isBusy = false;
      this.touch(() => true);
      const wrong = this.showProblems(() => true);
      if (wrong) {
        this.show(stepOf(wrong));
        this.showProblems(() => true);
        wrong.focus();
      }
      if (found === null || !found.id) return null;
      sessionStorage.removeItem(DRAFT);
      return found.id;
    },
    async save() {
      const id = await this.saved();
      if (id !== null) location.assign(this.step === 'configure' ? '/jobs' : `/jobs/fleet/${encodeURIComponent(id)}`);
    },
    async saveAndRun() {
      const id = await this.saved();
      if (id === null) return;
      const page = `/jobs/fleet/${encodeURIComponent(id)}`;
      this.isBusy = true;
      this.said = 'It is saved. Its run begins…';
      try {
        await Console.post(`/api/fleet-jobs/${encodeURIComponent(id)}/actions/run`, {});
        location.assign(page);
      } catch (error) {
        this.said = '';
        this.problem = `It is saved, and does not run: ${Console.errorText(error)}`;
        ORIGINAL.edit = id;
        ORIGINAL.copy = '';
        history.replaceState(null, '', `${location.pathname}?edit=${encodeURIComponent(id)}#review`);
        this.seen = (await Console.get(`/api/job-form?${new URLSearchParams(ORIGINAL)}`)).seen;
        this.isBusy = false;
      }
    },
    discard() {
      sessionStorage.removeItem(DRAFT);
      location.reload();
    },
  }));
});
