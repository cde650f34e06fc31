import { listJobs, listLeftOut } from "../shared/api.js";
import { button, element } from "../shared/dom.js";
import { texts } from "../shared/languages.js";
import { reasonView } from "./reasons.js";
import { holdStill } from "./still.js";

const step = 50; // files shown at a time

/** Files that are not read, and why: those in folders, and those that were sent and could not be kept. */
export function leftOutView(section) {
  const heading = element("h2", { id: "left-out-heading", tabindex: "-1", "data-still": true });
  const files = disclosure("left-out-files");
  const jobs = disclosure("failed-jobs");
  section.append(heading, files.node, jobs.node);
  let left = { files: [], total: 0 };
  let failed = [];

  async function load() {
    const [leftOut, listed] = await Promise.all([listLeftOut(Math.max(step, left.files.length), 0), listJobs(500, 0)]);
    left = leftOut;
    failed = listed.jobs.filter(({ state }) => state === "failed");
  }

  async function refresh() {
    try {
      await load();
      holdStill(show);
    } catch {
      // As in documents.js: it is tried again soon.
    }
  }

  async function showMore() {
    const more = await listLeftOut(step, left.files.length);
    const first = left.files.length;
    left = { files: [...left.files, ...more.files], total: more.total };
    show();
    files.node.querySelectorAll("tbody tr")[first]?.focus();
  }

  function show() {
    const words = texts.library.leftOut;
    heading.textContent = words.heading;
    section.hidden = left.total === 0 && failed.length === 0;
    files.show(left.total, words.files(left.total), words.hint, left.files.map(fileRow));
    jobs.show(failed.length, words.jobs(failed.length), words.jobsHint, failed.map(jobRow));
    if (left.files.length < left.total) files.node.append(element("p", { class: "actions" }, button(words.more, showMore)));
  }

  return { load, refresh, show };
}

function disclosure(id) {
  const label = element("summary");
  const node = element("details", { class: "disclosure", id, hidden: true }, label);
  return {
    node,
    show(count, title, hint, rows) {
      node.hidden = count === 0;
      label.textContent = title;
      node.replaceChildren(label, element("p", { class: "hint" }, hint), tableOf(rows, title));
    },
  };
}

function tableOf(rows, title) {
  const { columns } = texts.library.leftOut;
  const headings = Object.values(columns).map((label) => element("th", { scope: "col" }, label));
  const table = element(
    "table",
    { class: "plain-table" },
    element("thead", {}, element("tr", {}, ...headings)),
    element("tbody", {}, ...rows),
  );
  return element("div", { class: "wide", role: "region", tabindex: "0", "aria-label": title }, table);
}

function fileRow({ file, path, reason, deleted }) {
  const why = deleted ? element("span", {}, texts.library.leftOut.deleted) : reasonView(reason);
  const folder = path.slice(0, Math.max(0, path.length - file.length));
  return element(
    "tr",
    { tabindex: "-1" },
    element("th", { scope: "row" }, element("span", { class: "file" }, file), element("span", { class: "path" }, folder)),
    element("td", {}, why),
  );
}

function jobRow({ file, error }) {
  return element("tr", {}, element("th", { scope: "row" }, element("span", { class: "file" }, file)), element("td", {}, reasonView(error ?? "")));
}
