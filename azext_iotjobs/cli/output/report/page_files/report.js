"use strict";
// The table of results: filtered, sorted, in pages, and as CSV. Texts of devices become text nodes, never HTML.
(() => {
  const byId = (id) => document.getElementById(id);
  const { columns, rows, cases } = JSON.parse(byId("cases").textContent);
  const MAX_FACET_VALUES = 300;
  const MAX_PRINTED = 1000;
  const RISKY = /^'*[=+\-@\t\r\n]/; // what a spreadsheet runs as a formula
  const TYPING_MS = 120;
  const collator = new Intl.Collator("en", { numeric: true });
  const at = new Map(columns.map((column, index) => [column.name, index]));
  const isNumber = (index) => typeof rows.find((row) => row[index + 1] !== null)?.[index + 1] === "number";
  const indexed = columns.map((column, index) => ({ ...column, index, isNumber: isNumber(index) }));
  const rowColumns = indexed.filter((column) => column.isOfRow);
  const shownColumns = indexed.filter((column) => column.place !== null).sort((one, other) => one.place - other.place);
  const state = { text: "", facets: new Map(), sort: null, direction: 1, page: 0, size: 50 };
  const openRows = new Set();
  let searchTexts = null;
  let found = rows;

  function element(name, properties = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(properties)) {
      if (key in made) made[key] = value;
      else made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  }

  const textOf = (value) => (value === null || value === undefined ? "" : String(value));
  const counted = (count) => `${count.toLocaleString("en")} ${count === 1 ? cases.one : cases.many}`;

  // -- which rows, in which order --

  function matchesText(number) {
    searchTexts ??= rows.map((row) => row.slice(1).map(textOf).join("\n").toLowerCase());
    return searchTexts[number].includes(state.text);
  }

  function select() {
    const facets = [...state.facets].map(([name, value]) => [at.get(name) + 1, value]);
    found = rows.filter(
      (row, number) =>
        facets.every(([index, value]) => textOf(row[index]) === value) && (!state.text || matchesText(number)),
    );
    if (state.sort !== null) sort(found, at.get(state.sort) + 1, state.direction);
    state.page = 0;
    show();
  }

  function sort(list, index, direction) {
    const isEmpty = (value) => value === null || value === "";
    list.sort((one, other) => {
      const [a, b] = [one[index], other[index]];
      if (isEmpty(a) || isEmpty(b)) return isEmpty(a) - isEmpty(b); // what is empty stays at the end
      const order = typeof a === "number" && typeof b === "number" ? a - b : collator.compare(textOf(a), textOf(b));
      return direction * order;
    });
  }

  // -- what is shown --

  function show(begin = state.page * state.size, limit = state.size) {
    const pageCount = Math.max(1, Math.ceil(found.length / state.size));
    const part = found.slice(begin, begin + limit);
    byId("body").replaceChildren(...part.flatMap(rowElements));
    byId("table").hidden = !part.length;
    const which = found.length === rows.length ? counted(rows.length) : `${found.length.toLocaleString("en")} of ${counted(rows.length)}`;
    const range = part.length < found.length ? `, ${(begin + 1).toLocaleString("en")} to ${(begin + part.length).toLocaleString("en")} shown` : "";
    byId("shown").textContent = found.length ? which + range : `None of ${counted(rows.length)} fits the filters`;
    byId("page").textContent = `Page ${(state.page + 1).toLocaleString("en")} of ${pageCount.toLocaleString("en")}`;
    byId("pages").hidden = found.length <= 25;
    for (const id of ["first", "previous"]) byId(id).disabled = state.page === 0;
    for (const id of ["next", "last"]) byId(id).disabled = state.page >= pageCount - 1;
    byId("download").disabled = !found.length;
    byId("clear").disabled = !state.text && !state.facets.size;
  }

  function rowElements(row) {
    const isOpen = openRows.has(row);
    const line = element("tr", {}, ...shownColumns.map((column, number) => cell(row, column, number === 0, isOpen)));
    return isOpen ? [line, details(row)] : [line];
  }

  function cell(row, column, isFirst, isOpen) {
    const text = textOf(row[column.index + 1]);
    if (column.isTime) return element("td", { className: "still" }, text.slice(0, 19).replace("T", " "));
    if (isFirst) {
      const button = element("button", { type: "button", className: "text", "aria-expanded": String(isOpen) }, element("bdi", {}, text));
      button.addEventListener("click", () => toggle(row, button));
      return element("th", { scope: "row" }, button);
    }
    if (column.isState) return element("td", {}, element("span", { className: `badge ${row[0]}` }, text));
    if (column.isNumber) return element("td", { className: "count" }, text);
    return element("td", { title: text.length > 24 ? text : "" }, element("bdi", {}, text));
  }

  function details(row) {
    const known = rowColumns.flatMap((column) => {
      const text = textOf(row[column.index + 1]);
      return text ? [element("dt", {}, column.heading), element("dd", {}, element("bdi", {}, text))] : [];
    });
    return element("tr", { className: "more" }, element("td", { colSpan: shownColumns.length }, element("dl", {}, ...known)));
  }

  function toggle(row, button) {
    const line = button.closest("tr");
    const isOpen = !openRows.delete(row);
    if (isOpen) openRows.add(row);
    button.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) line.after(details(row));
    else line.nextElementSibling.remove();
  }

  // -- headers, filters, pages --

  function sortBy(name) {
    const isSame = state.sort === name;
    if (isSame && state.direction < 0) state.sort = null; // a third time: what failed first, as at the beginning
    else [state.sort, state.direction] = [name, isSame ? -1 : 1];
    for (const head of byId("heads").children) {
      const order = head.dataset.name !== state.sort ? "none" : state.direction > 0 ? "ascending" : "descending";
      head.setAttribute("aria-sort", order);
    }
    select();
  }

  function makeHeads() {
    for (const column of shownColumns) {
      const button = element("button", { type: "button" }, column.heading);
      button.addEventListener("click", () => sortBy(column.name));
      const head = element("th", { scope: "col", "aria-sort": "none", className: column.isNumber ? "count" : "" }, button);
      head.dataset.name = column.name;
      byId("heads").append(head);
    }
  }

  function facetSelect(name) {
    return byId("facets").querySelector(`[data-facet="${CSS.escape(name)}"]`);
  }

  function makeFacets() {
    for (const column of columns.filter((each) => each.isFacet)) {
      const counts = new Map();
      for (const row of rows) {
        const text = textOf(row[at.get(column.name) + 1]);
        if (text) counts.set(text, (counts.get(text) ?? 0) + 1);
        if (counts.size > MAX_FACET_VALUES) break;
      }
      if (counts.size > MAX_FACET_VALUES || counts.size < 2) continue;
      const values = [...counts].sort(([one], [other]) => collator.compare(one, other));
      const list = element("select", {}, element("option", { value: "" }, "any"));
      list.dataset.facet = column.name;
      for (const [text, count] of values) list.append(element("option", { value: text }, `${text} (${count.toLocaleString("en")})`));
      list.addEventListener("change", () => setFacet(column.name, list.value));
      byId("facets").append(element("label", {}, column.heading, list));
    }
  }

  function setFacet(name, value) {
    if (value) state.facets.set(name, value);
    else state.facets.delete(name);
    select();
  }

  function makeShortcuts() {
    for (const each of document.querySelectorAll("[data-filter]")) {
      const list = facetSelect(each.dataset.filter);
      if (!list) continue;
      const button = element("button", { type: "button", className: "text" }, each.textContent);
      button.addEventListener("click", () => {
        clear();
        list.value = each.dataset.value;
        setFacet(each.dataset.filter, list.value);
        byId("results").scrollIntoView();
        byId("results").focus({ preventScroll: true });
      });
      each.replaceChildren(button);
    }
  }

  function clear() {
    byId("filters").reset();
    state.text = "";
    state.facets.clear();
  }

  function turn(page) {
    state.page = page;
    show();
    byId("scroll").scrollIntoView({ block: "nearest" });
  }

  // -- CSV --

  function csvCell(value) {
    let text = textOf(value);
    if (typeof value === "string" && RISKY.test(text)) text = `'${text}`;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }

  function download() {
    const values = (row) => rowColumns.map((column) => row[column.index + 1]);
    const lines = [rowColumns.map((column) => column.name), ...found.map(values)];
    const parts = lines.map((line) => `${line.map(csvCell).join(",")}\r\n`);
    const address = URL.createObjectURL(new Blob(parts, { type: "text/csv;charset=utf-8" }));
    const link = element("a", { href: address, download: `${document.title.replaceAll(/[^\w.-]+/g, "-")}.csv` });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  }

  // -- all together --

  let typing = 0;
  byId("find").addEventListener("input", (event) => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      state.text = event.target.value.trim().toLowerCase();
      select();
    }, TYPING_MS);
  });
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("clear").addEventListener("click", (event) => {
    event.preventDefault();
    clear();
    select();
    byId("find").focus();
  });
  byId("size").addEventListener("change", (event) => {
    state.size = Number(event.target.value);
    turn(0);
  });
  byId("first").addEventListener("click", () => turn(0));
  byId("previous").addEventListener("click", () => turn(state.page - 1));
  byId("next").addEventListener("click", () => turn(state.page + 1));
  byId("last").addEventListener("click", () => turn(Math.ceil(found.length / state.size) - 1));
  byId("download").addEventListener("click", download);
  addEventListener("beforeprint", () => show(0, MAX_PRINTED));
  addEventListener("afterprint", () => show());
  makeHeads();
  makeFacets();
  makeShortcuts();
  for (const id of ["filters", "bar"]) byId(id).hidden = false;
  show();
})();
