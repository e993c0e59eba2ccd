// What a device sends, and a chart of the numbers in it. Below a component with: telemetry (the topic's document).
'use strict';

document.addEventListener('alpine:init', () => {
  const WIDTH = 440;
  const HEIGHT = 150;
  const LEFT = 48;
  const BOTTOM = 18;

  function svg(name, attributes, text) {
    const made = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  const brief = (value) => Number(value.toPrecision(4)).toLocaleString();
  const time = (at) => new Date(at).toLocaleTimeString();

  function chart(points) {
    const [from, to] = [points[0][0], points.at(-1)[0]];
    const values = points.map(([, value]) => value);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const x = (at) => LEFT + (WIDTH - LEFT - 4) * (to > from ? (at - from) / (to - from) : 0.5);
    const y = (value) => 6 + (HEIGHT - BOTTOM - 12) * (high > low ? (high - value) / (high - low) : 0.5);
    const line = points.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
    return [
      ...[high, low].map((value) => svg('line', { x1: LEFT, x2: WIDTH, y1: y(value), y2: y(value), class: 'grid' })),
      ...(high > low ? [high, low] : [high]).map((value) => svg('text', { x: LEFT - 6, y: y(value) + 4, 'text-anchor': 'end' }, brief(value))),
      svg('text', { x: LEFT, y: HEIGHT - 3 }, time(from)),
      svg('text', { x: WIDTH, y: HEIGHT - 3, 'text-anchor': 'end' }, time(to)),
      svg('polyline', { points: line, class: `series` }),
      ...(points.length < 60 ? points.map(([at, value]) => svg('circle', { cx: x(at), cy: y(value), r: 2 })) : []),
    ];
  }

  // x-chart="series": draws one into the element.
  Alpine.directive('chart', (element, { expression }, { evaluateLater, effect }) => {
    const evaluate = evaluateLater(expression);
    effect(() => evaluate((series) => element.replaceChildren(...chart(series.points))));
  });

  Alpine.data('telemetry', () => ({
    isPaused: false,
    kept: null,

    get document() {
      return this.isPaused ? this.kept : this.telemetry;
    },
    get state() {
      const found = this.telemetry;
      if (!this.isWatching) return '';
      if (!found || found.state !== 'reading') return 'Opening the hub’s events…';
      const count = `${Console.counted(found.count, 'message')} since you watch`;
      return found.notice ? `${count}. ${found.notice}` : count;
    },
    get pauseText() {
      return this.isPaused ? 'Go on' : 'Pause';
    },
    pause() {
      this.kept = this.telemetry;
      this.isPaused = !this.isPaused;
    },
    get series() {
      const series = (this.document && this.document.series) || [];
      return series.filter((each) => each.points.length > 1).map((each) => {
        const last = brief(each.points.at(-1)[1]);
        return { ...each, last, label: `Chart of ${each.name}: ${Console.counted(each.points.length, 'value')}, the last ${last}` };
      });
    },
    get messages() {
      return ((this.document && this.document.messages) || []).map((each) => ({
        key: each.key,
        when: time(each.at),
        body: each.isCut ? `${each.body}…` : each.body,
        about: [
          each.module && `module ${each.module}`,
          `${Console.count(each.bytes)} bytes${each.isText ? '' : ', not text: shown in hexadecimal'}`,
          each.contentType,
          ...Object.entries(each.properties).map(([name, value]) => `${name}=${value}`),
        ].filter(Boolean).join(' · '),
      }));
    },
    get hasMessages() {
      return this.messages.length > 0;
    },
  }));
});
