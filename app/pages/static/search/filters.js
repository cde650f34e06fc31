import { button, element } from "../shared/dom.js";
import { texts } from "../shared/languages.js";
import { chosenGroups } from "./address.js";
import { valueName } from "./facets.js";
import { coversYear, withoutYear, withYear } from "./years.js";

const names = ["collection", "media_type", "language", "year", "folder", "document"];
const few = 6; // values of a group that are shown before «show more»
const patience = 400; // milliseconds for a date to be written out

/**
 * The filters beside the hits, or folded away above them. `change` is called with the search that the reader
 * chooses. Boxes stay the same elements from one search to the next, so that focus stays in them.
 */
export function filterPanel(panel, change) {
  const fold = panel.querySelector("details");
  const wide = matchMedia("(min-width: 76rem)"); // the same width as in filters.css
  let search = null;
  let facets = {};
  let groups = [];
  let summary = null;

  function build() {
    const choose = (changes) => change({ ...search, ...changes, page: 1 });
    groups = names.map((name) => (name === "year" ? yearGroup(choose) : choiceGroup(name, choose, () => search)));
    summary = element("summary", {});
    fold.replaceChildren(summary, element("h2", {}, texts.search.filters), ...groups.map((group) => group.element));
    if (search) update();
  }

  function update() {
    const count = chosenGroups(search).length;
    summary.textContent = count > 0 ? texts.search.chosen(count) : texts.search.filters;
    for (const group of groups) group.show(search, facets);
  }

  /** What is chosen, at once; the counts come with `count`. */
  function show(current) {
    search = current;
    panel.hidden = !search.query;
    update();
  }

  function count(counted) {
    facets = counted;
    update();
  }

  // Beside the hits the filters come after them for keyboard and screen reader too; folded away, before.
  function place() {
    const results = document.querySelector("#results");
    fold.open = wide.matches;
    if (wide.matches) results.after(panel);
    else results.before(panel);
  }

  wide.addEventListener("change", place);
  place();
  build();
  return { show, count, rebuild: build };
}

function choiceGroup(name, choose, current) {
  const toggle = (value, checked) => {
    const { chosen } = current();
    const others = chosen[name].filter((other) => other !== value);
    choose({ chosen: { ...chosen, [name]: checked ? [...others, value] : others } });
  };
  const values = valueList(toggle);
  const group = fieldset(name, values.element);
  return {
    element: group,
    show({ chosen }, facets) {
      const counted = facets[name] ?? [];
      const missing = chosen[name].filter((value) => !counted.some((facet) => facet.value === value));
      const all = [...counted, ...missing.map((value) => ({ value, count: 0 }))];
      group.hidden = all.length < 2 && chosen[name].length === 0;
      values.show(all.map(({ value, count }) => ({
        value,
        count,
        label: valueName(name, value, facets),
        hint: name === "folder" ? value : null,
        checked: chosen[name].includes(value),
      })));
    },
  };
}

function yearGroup(choose) {
  let stretch = { from: "", to: "" };
  const values = valueList((year, checked) => choose(checked ? withYear(stretch, year) : withoutYear(stretch, year)));
  const wrong = element("p", { class: "wrong", id: "wrong-order", hidden: true }, texts.search.wrongOrder);
  const inputs = { from: dayInput("from"), to: dayInput("to") };
  let waiting;

  for (const { input } of Object.values(inputs)) {
    input.addEventListener("change", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => {
        if (!inputs.from.input.validity.valid || !inputs.to.input.validity.valid) return; // a year half written
        choose({ from: inputs.from.input.value, to: inputs.to.input.value });
      }, patience);
    });
  }
  const days = element("div", { class: "days" }, inputs.from.element, inputs.to.element);
  return {
    element: fieldset("year", values.element, days, wrong),
    show({ from, to }, { year: counted = [] }) {
      stretch = { from, to };
      values.show(counted
        .map(({ value, count }) => ({ value: String(value), count, label: String(value), checked: coversYear(stretch, String(value)) }))
        .sort((one, other) => other.value.localeCompare(one.value)));
      for (const [name, { input }] of Object.entries(inputs)) {
        if (input.value !== stretch[name]) input.value = stretch[name];
      }
      wrong.hidden = !(from && to && from > to);
      for (const { input } of Object.values(inputs)) {
        if (wrong.hidden) input.removeAttribute("aria-describedby");
        else input.setAttribute("aria-describedby", wrong.id);
      }
    },
  };
}

function dayInput(name) {
  const input = element("input", { type: "date", min: "1800-01-01", max: "2999-12-31" });
  return { input, element: element("label", {}, element("span", {}, texts.search[name]), input) };
}

function fieldset(name, ...children) {
  return element("fieldset", { class: "group", "data-group": name }, element("legend", {}, texts.search.groups[name]), ...children);
}

/** Boxes with counts; `toggle` is called with a value and whether it is now checked. */
function valueList(toggle) {
  const rows = new Map();
  const list = element("ul", {});
  const more = button("", () => {
    list.classList.toggle("all");
    fold();
  }, { class: "quiet" });

  function row(value) {
    const input = element("input", { type: "checkbox" });
    const label = element("span", { class: "label" });
    const count = element("span", { class: "count" });
    input.addEventListener("change", () => toggle(value, input.checked));
    return { node: element("li", {}, element("label", {}, input, label, " ", count)), input, label, count };
  }

  function fold() {
    const nodes = [...list.children];
    const folded = nodes.slice(few).filter((node) => !node.querySelector(":checked"));
    const open = list.classList.contains("all");
    for (const node of nodes) node.hidden = !open && folded.includes(node);
    more.hidden = folded.length < 2;
    if (folded.length === 1) folded[0].hidden = false;
    more.textContent = open ? texts.search.fewer : texts.search.more(folded.length);
    more.setAttribute("aria-expanded", String(open));
  }

  return {
    element: element("div", { class: "values" }, list, more),
    show(values) {
      values.forEach(({ value, count, label, checked, hint }, index) => {
        if (!rows.has(value)) rows.set(value, row(value));
        const { node, input, label: name, count: number } = rows.get(value);
        input.checked = checked;
        name.textContent = label;
        number.textContent = count;
        if (hint) node.title = hint;
        // An element that is moved loses focus, so those in place stay.
        if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null);
      });
      while (list.children.length > values.length) list.lastElementChild.remove();
      fold();
    },
  };
}
