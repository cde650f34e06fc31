/**
 * Charts of the house: bars that lie, for things with names, and columns that stand, for what has an order.
 * Each is a figure with a heading, a drawing with a text alternative, and the numbers as a table. Lengths in the
 * drawings are in units of its font size, so that they grow with the reader's letters.
 */
import { element } from "../shared/dom.js";
import { texts } from "../shared/languages.js";
import { formatNumber } from "./numbers.js";

const namespace = "http://www.w3.org/2000/svg";
const letterWidth = 0.56; // of the font size, on average

/**
 * Things with names, the longest bar first. `show({heading, hint, summary, columns, rows})`: `rows` are
 * {label, value, full?}, `full` the name where `label` is a shorter one.
 */
export function barChart(id) {
  const row = { pitch: 2.75, text: 1.05, bar: 1.45, thickness: 0.75 };
  return chart(id, {
    height: ({ rows }) => Math.max(1, rows.length) * row.pitch,
    draw(svg, width, { rows }) {
      const most = Math.max(...rows.map(({ value }) => value), 1);
      rows.forEach(({ label, full, value }, index) => {
        const top = index * row.pitch;
        const number = formatNumber(value);
        const room = width - (number.length + 2) * letterWidth;
        svg.append(
          drawn("g", {}, drawn("title", {}, `${full ?? label}: ${number}`),
            drawn("text", { x: 0, y: top + row.text }, shortened(label, room)),
            drawn("text", { x: width, y: top + row.text, "text-anchor": "end", class: "value" }, number),
            drawn("rect", { class: "track", x: 0, y: top + row.bar, width, height: row.thickness, rx: 0.2 }),
            value > 0 && drawn("rect", {
              class: "filled", x: 0, y: top + row.bar, width: Math.max(0.2, (value / most) * width), height: row.thickness, rx: 0.2,
            })),
        );
      });
    },
  });
}

/**
 * Things in order, from left to right. `show` as for `barChart`; a row's `rest` stands on its `value`, drawn as an
 * outline; `series` are the names of the two. A `value` of null leaves a gap.
 */
export function columnChart(id) {
  const plot = { top: 1.4, height: 9, foot: 1.8 };
  return chart(id, {
    height: () => plot.top + plot.height + plot.foot,
    draw(svg, width, { rows }) {
      const total = ({ value, rest }) => (value ?? 0) + (rest ?? 0);
      const ceiling = niceCeiling(Math.max(...rows.map(total), 1));
      const steps = ceiling % 2 === 0 ? [0, ceiling / 2, ceiling] : [0, ceiling];
      const left = Math.max(...steps.map((step) => formatNumber(step).length)) * letterWidth + 0.8;
      const base = plot.top + plot.height;
      const y = (value) => base - (value / ceiling) * plot.height;
      for (const step of steps) {
        svg.append(
          drawn("line", { class: step === 0 ? "axis" : "grid", x1: left, x2: width, y1: y(step), y2: y(step) }),
          drawn("text", { x: left - 0.5, y: y(step) + 0.35, "text-anchor": "end", class: "scale" }, formatNumber(step)),
        );
      }
      const band = (width - left) / Math.max(rows.length, 1);
      const thick = Math.min(band * 0.72, 3);
      const widest = Math.max(...rows.map(({ label }) => label.length), 1) * letterWidth + 1;
      const every = Math.max(1, Math.ceil(widest / band));
      rows.forEach((row, index) => {
        const middle = left + (index + 0.5) * band;
        const x = middle - thick / 2;
        const value = row.value ?? 0;
        svg.append(
          drawn("g", {}, drawn("title", {}, row.told),
            drawn("rect", { class: "catch", x: left + index * band, y: plot.top, width: band, height: plot.height }),
            value > 0 && drawn("rect", { class: "filled", x, y: y(value), width: thick, height: base - y(value) }),
            row.rest > 0 && drawn("rect", { class: "outlined", x: x + 0.06, y: y(total(row)), width: thick - 0.12, height: y(value) - y(total(row)) })),
        );
        if (index % every === 0) svg.append(drawn("text", { x: middle, y: base + 1.35, "text-anchor": "middle", class: "scale" }, row.label));
      });
    },
  });
}

function chart(id, { height, draw }) {
  const heading = element("h4", { id: `${id}-heading` });
  const hint = element("p", { class: "hint" });
  const legend = element("p", { class: "legend" });
  const svg = drawn("svg", { role: "img", "aria-labelledby": `${id}-heading ${id}-summary` });
  const summary = element("p", { class: "visually-hidden", id: `${id}-summary` });
  const label = element("summary");
  const holder = element("div", { class: "wide", role: "region", tabindex: "0", "aria-labelledby": `${id}-heading` });
  const details = element("details", { class: "chart-table" }, label, holder);
  const figure = element("figure", { class: "chart", id }, heading, hint, legend, svg, summary, details);
  let data = null;

  // The drawing is made for the width that there is, so that its letters are never shrunk.
  new ResizeObserver(redraw).observe(svg);

  function redraw() {
    const unit = parseFloat(getComputedStyle(svg).fontSize);
    const width = svg.clientWidth / unit;
    if (!data || !(width > 0)) return;
    svg.setAttribute("viewBox", `0 0 ${width} ${height(data)}`);
    svg.replaceChildren();
    draw(svg, width, data);
  }

  return {
    element: figure,
    show(given) {
      data = given;
      heading.textContent = data.heading;
      hint.textContent = data.hint ?? "";
      hint.hidden = !data.hint;
      legend.hidden = !data.series;
      legend.replaceChildren(...(data.series ?? []).map((name, index) =>
        element("span", { class: index === 0 ? "key-filled" : "key-outlined" }, name)));
      summary.textContent = data.summary;
      label.textContent = texts.library.figures.details;
      holder.replaceChildren(tableOf(data));
      svg.style.height = `${height(data)}em`; // known before it is drawn, so that nothing moves
      redraw();
    },
  };
}

function tableOf({ columns, rows }) {
  const cells = ({ label, full, value, rest, cells: own }) =>
    own ?? [full ?? label, formatNumber(value), ...(rest === undefined ? [] : [formatNumber(rest)])];
  return element(
    "table",
    { class: "plain-table" },
    element("thead", {}, element("tr", {}, ...columns.map((name) => element("th", { scope: "col" }, name)))),
    element("tbody", {}, ...rows.map((row) => {
      const [first, ...others] = cells(row);
      return element("tr", {}, element("th", { scope: "row" }, first), ...others.map((cell) => element("td", {}, cell)));
    })),
  );
}

function drawn(tag, attributes = {}, ...children) {
  const node = document.createElementNS(namespace, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter(Boolean));
  return node;
}

// What is cut from a path is its beginning: folders differ at their ends.
function shortened(label, room) {
  const letters = [...label];
  const fits = Math.max(4, Math.floor(room / letterWidth));
  if (letters.length <= fits) return label;
  return label.includes("/") ? `…${letters.slice(1 - fits).join("")}` : `${letters.slice(0, fits - 1).join("")}…`;
}

/** The least of 1, 2, 3, 4, 5, 6, 8, 10, 20, 30 … that is not below `most`. */
function niceCeiling(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= most);
}
