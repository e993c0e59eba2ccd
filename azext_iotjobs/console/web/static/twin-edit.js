// The edit of a twin's tags and desired properties: what it changes is merged into the twin that was read, and no other.
'use strict';

const TwinPatch = (() => {
  const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
  const isSame = (one, other) => between(one, other) === undefined;

  // The merge patch that makes one value of another; undefined: they are the same.
  function between(before, after) {
    if (!isObject(before) || !isObject(after)) {
      if (Array.isArray(before) && Array.isArray(after) && before.length === after.length) {
        return before.every((each, at) => isSame(each, after[at])) ? undefined : after;
      }
      return Object.is(before, after) ? undefined : after;
    }
    const changes = [];
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
      const change = changeOf(name, before, after);
      if (change !== undefined) changes.push([name, change]);
    }
    return changes.length ? Object.fromEntries(changes) : undefined; // a property of its own, whatever its name is
  }

  function changeOf(name, before, after) {
    const [was, is] = [Object.hasOwn(before, name), Object.hasOwn(after, name) && after[name] !== null];
    if (!is) return was ? null : undefined;
    return was ? between(before[name], after[name]) : after[name];
  }

  function applied(value, patch) {
    if (!isObject(patch)) return patch;
    const made = new Map(isObject(value) ? Object.entries(value) : []);
    for (const [name, each] of Object.entries(patch)) {
      if (each === null) made.delete(name);
      else made.set(name, applied(made.get(name), each));
    }
    return Object.fromEntries(made);
  }

  // The paths that a patch changes.
  function paths(patch, before) {
    return Object.entries(patch).flatMap(([name, each]) => {
      const path = [...before, name];
      return isObject(each) && Object.keys(each).length ? paths(each, path) : [path];
    });
  }

  function at(value, path) {
    return path.reduce((found, name) => (isObject(found) && Object.hasOwn(found, name) ? found[name] : undefined), value);
  }

  return { between, applied, paths, at };
})();

document.addEventListener('alpine:init', () => {
  const pretty = (value) => JSON.stringify(value, null, 2);
  const content = ({ tags, desired }) => ({ tags, desired });
  const shown = (value) => (value === undefined ? '(nothing)' : JSON.stringify(value));

  // Below a component with: found (the twin as the hub has it now), apiPath, fresh().
  Alpine.data('twinEdit', () => ({
    base: null, // the twin that is edited; null: none is
    texts: { tags: '', desired: '' },
    isBusy: false,
    problem: '',
    saved: '',

    init() {
      this.$watch('found', (found) => this.follow(found));
    },

    get isEditing() {
      return this.base !== null;
    },
    get isReading() {
      return this.base === null;
    },
    get isBlocked() {
      return this.isBusy || this.$store.shell.readOnly;
    },
    textOf(part) {
      return this.found ? pretty(this.found[part]) : '';
    },
    get tagsText() {
      return this.textOf('tags');
    },
    get desiredText() {
      return this.textOf('desired');
    },
    get reportedText() {
      return this.textOf('reported');
    },
    changed(part) {
      const { number, changed } = (this.found && this.found.versions[part]) || {};
      return number === undefined || number === null ? '' : `version ${number}, changed ${Console.instant(changed)}`;
    },

    begin() {
      this.take(this.found);
      this.texts = { tags: pretty(this.base.tags), desired: pretty(this.base.desired) };
      this.saved = '';
      this.$nextTick(() => this.$refs.tags.focus());
    },
    end() {
      this.base = null;
      this.problem = '';
    },
    take(found) {
      this.base = { ...content(found), etag: found.etag };
      this.problem = '';
    },
    // A twin that has another etag and the same tags and desired properties goes on being edited.
    follow(found) {
      if (this.base && found && found.etag !== this.base.etag && TwinPatch.between(content(this.base), content(found)) === undefined) this.take(found);
    },

    get parsed() {
      const made = {};
      for (const part of ['tags', 'desired']) {
        try {
          made[part] = JSON.parse(this.texts[part].trim() || '{}');
        } catch (error) {
          return { error: `${part === 'tags' ? 'Tags' : 'Desired'}: ${error.message}` };
        }
        if (made[part] === null || typeof made[part] !== 'object' || Array.isArray(made[part])) return { error: `${part === 'tags' ? 'Tags' : 'Desired'} have to be an object: {…}` };
      }
      return made;
    },
    get mistake() {
      return (this.isEditing && this.parsed.error) || '';
    },
    // What the edit changes: {tags, desired}; null: nothing, or the texts are not JSON.
    get change() {
      if (!this.isEditing || this.mistake) return null;
      return TwinPatch.between(content(this.base), this.parsed) || null;
    },
    get hasChange() {
      return this.change !== null;
    },
    get cannotSave() {
      return this.isBlocked || !this.hasChange || this.hasTheirs;
    },
    get line() {
      if (!this.hasChange) return '';
      const parts = Object.entries(this.change).map(([part, change]) => `--${part} ${Console.quoted(JSON.stringify(change))}`);
      return [this.found.lines.update, ...parts, '--etag', Console.quoted(this.base.etag)].join(' ');
    },

    // -- a change that somebody else has made meanwhile
    get theirs() {
      if (!this.isEditing || !this.found || this.found.etag === this.base.etag) return [];
      const change = TwinPatch.between(content(this.base), content(this.found)) || {};
      const mine = this.mistake ? {} : this.parsed;
      const own = TwinPatch.paths(this.change || {}, []).map((path) => path.join('\n'));
      return TwinPatch.paths(change, []).map((path) => {
        const key = path.join('\n');
        const isBoth = own.some((each) => `${each}\n`.startsWith(`${key}\n`) || `${key}\n`.startsWith(`${each}\n`));
        return {
          key,
          path: path.join('.'),
          was: shown(TwinPatch.at(this.base, path)),
          now: shown(TwinPatch.at(content(this.found), path)),
          mine: this.mistake ? '(not JSON yet)' : shown(TwinPatch.at(mine, path)),
          tone: isBoth ? 'badge failed' : 'badge',
          who: isBoth ? 'you change it, too' : 'not changed by you',
        };
      });
    },
    get hasTheirs() {
      return this.theirs.length > 0;
    },
    get cannotMerge() {
      return this.mistake !== '';
    },
    // Go on from what the hub has now, with the own changes on top: nothing is sent yet.
    rebase() {
      const merged = TwinPatch.applied(content(this.found), this.change || {});
      this.take(this.found);
      this.texts = { tags: pretty(merged.tags), desired: pretty(merged.desired) };
    },

    async save() {
      this.isBusy = true;
      this.problem = '';
      const { tags, desired } = this.change;
      const patch = { ...(tags === undefined ? {} : { tags }), ...(desired === undefined ? {} : { properties: { desired } }) };
      try {
        const found = await Console.post(`${this.apiPath}/twin`, { patch, etag: this.base.etag });
        this.end();
        this.takeTwin(found);
        this.saved = 'Saved';
      } catch (error) {
        this.problem = [error.message, error.status === 409 ? '' : error.hint].filter(Boolean).join('\n');
        if (error.status === 409) await this.fresh();
      } finally {
        this.isBusy = false;
      }
    },
  }));
});
