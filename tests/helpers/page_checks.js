// What is wrong with a page for people who do not see it, or not well: a list of sentences, empty for a good page.
const wrong = [];
const all = (selector) => [...document.querySelectorAll(selector)];
const describe = (element) => element.outerHTML.slice(0, 90);
const isShown = (element) => element.checkVisibility({ visibilityProperty: true });

function nameOf(element) {
  const by = element.getAttribute("aria-labelledby");
  if (by) return by.split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join(" ").trim();
  const own = element.getAttribute("aria-label") ?? [...(element.labels ?? [])].map((label) => label.textContent).join(" ");
  return (own || element.textContent).trim();
}

if (!document.documentElement.lang) wrong.push("the page has no language");
if (!document.title.trim()) wrong.push("the page has no title");
for (const tag of ["main", "h1", "header", "footer"]) {
  if (all(tag).length !== 1) wrong.push(`there are ${all(tag).length} of ${tag}`);
}
let level = 0;
for (const heading of all("h1, h2, h3, h4, h5, h6")) {
  const next = Number(heading.tagName[1]);
  if (next > level + 1) wrong.push(`a heading's level jumps: ${describe(heading)}`);
  level = next;
}
const ids = all("[id]").map((element) => element.id);
if (new Set(ids).size !== ids.length) wrong.push("an id stands twice");
for (const element of all("[aria-labelledby]")) {
  if (!nameOf(element)) wrong.push(`named by nothing: ${describe(element)}`);
}
for (const element of all("button, input, select, a, section, nav, [role=region]").filter(isShown)) {
  if (!nameOf(element)) wrong.push(`without a name: ${describe(element)}`);
}
for (const table of all("table").filter(isShown)) {
  if (!table.caption?.textContent.trim()) wrong.push(`a table without a caption: ${describe(table)}`);
  const isWrong = (head) => !["row", "col"].includes(head.scope) || !head.textContent.trim();
  for (const head of [...table.querySelectorAll("th")].filter(isWrong)) wrong.push(`a header without a scope or text: ${describe(head)}`);
  for (const row of table.tBodies[0].rows) {
    if (!row.classList.contains("more") && !row.querySelector("th[scope=row]")) wrong.push(`a row without a header: ${describe(row)}`);
  }
}
for (const drawing of all("svg")) {
  if (drawing.getAttribute("aria-hidden") !== "true") wrong.push(`a drawing that is read out: ${describe(drawing)}`);
}
for (const area of all(".scroll").filter((each) => each.scrollWidth > each.clientWidth)) {
  if (area.tabIndex !== 0) wrong.push(`cannot be scrolled by keyboard: ${describe(area)}`);
}
if (document.documentElement.scrollWidth > innerWidth) wrong.push("the page scrolls sideways");

// Contrast, WCAG 2 1.4.3: 4.5 for text, 3 for large text.
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

function rgba(color) {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = color;
  canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
}

function luminance([r, g, b]) {
  const [x, y, z] = [r, g, b].map((each) => (each / 255 <= 0.04045 ? each / 255 / 12.92 : ((each / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
}

function backgroundOf(element) {
  for (let each = element; each; each = each.parentElement) {
    const color = rgba(getComputedStyle(each).backgroundColor);
    if (color[3] === 255) return color;
  }
  return rgba("Canvas");
}

const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  const isText = walker.currentNode.data.trim() && !["SCRIPT", "STYLE", "NOSCRIPT", "OPTION"].includes(element.tagName);
  if (!isText || !isShown(element) || element.closest(":disabled, .hidden, .skip")) continue;
  const style = getComputedStyle(element);
  const [light, dark] = [luminance(rgba(style.color)), luminance(backgroundOf(element))].sort((a, b) => b - a);
  const ratio = (light + 0.05) / (dark + 0.05);
  const isLarge = parseFloat(style.fontSize) >= 24;
  if (ratio < (isLarge ? 3 : 4.5)) wrong.push(`contrast ${ratio.toFixed(2)}: ${describe(element)}`);
}
return wrong;
