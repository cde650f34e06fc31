import { documentAddress } from "../shared/addresses.js";
import { button, element } from "../shared/dom.js";
import { texts } from "../shared/languages.js";
import { reasonText } from "./reasons.js";
import { isReadable, send, SendingError } from "./sending.js";
import { holdStill } from "./still.js";

/**
 * The files on their way in: those that this page sends, one at a time, and those that wait at the service.
 * `accepted` is called when the service has taken a file; `settled` when all have come in or failed.
 */
export function arrivalsView(section, { announce, accepted }) {
  const items = new Map(); // by key, in the order of their coming
  const byJob = new Map();
  const list = element("ul", { class: "arrival-list", tabindex: "0" });
  const heading = element("h2", { id: "arrivals-heading", "data-still": true });
  const summary = element("p", { class: "arrivals-summary" });
  const tools = element("p", { class: "actions" });
  section.append(element("div", { class: "arrivals-head" }, heading, summary), list, tools);
  list.setAttribute("aria-labelledby", "arrivals-heading");
  let lastKey = 0;
  let current = null; // what is being sent

  addEventListener("beforeunload", (event) => {
    if (all().some(({ state }) => state === "waiting" || state === "sending")) event.preventDefault();
  });

  const all = () => [...items.values()];
  const inState = (...states) => all().filter(({ state }) => states.includes(state));

  function insert(item) {
    const key = (lastKey += 1);
    items.set(key, { key, share: 0, jobId: null, documentId: null, file: null, error: null, reason: null, ...item });
    return items.get(key);
  }

  /**
   * Files that the reader chose or dropped; `replaced` is the document that the one file is a new version of, and
   * `collection` the one that new documents go into.
   */
  function add(files, replaced = null, collection = null) {
    for (const file of files) {
      const item = insert({ name: nameOf(file), file, replaced, collection, mine: true, state: "waiting" });
      if (!isReadable(file.name)) fail(item, new SendingError("wrongType"));
    }
    show();
    const waiting = inState("waiting").length;
    if (waiting > 0) announce(texts.library.arrivals.announceStart(waiting));
    sendNext();
  }

  async function sendNext() {
    const [item] = inState("waiting");
    if (current || !item) return;
    const { replaced, collection } = item;
    current = send(item.file, { replaces: replaced?.id, collection, progressed: (share) => progress(item, share) });
    item.state = "sending";
    item.share = 0;
    item.cancel = current.cancel;
    show();
    try {
      take(item, await current.sent);
    } catch (error) {
      if (error.name === "AbortError") forget(item);
      else fail(item, error);
    } finally {
      current = null;
      show();
      sendNext();
    }
  }

  function take(item, jobId) {
    const seen = byJob.get(jobId); // the service may have told of the job before it answered
    if (seen) forget(seen);
    item.jobId = jobId;
    item.state = "queued";
    byJob.set(jobId, item);
    accepted(jobId);
  }

  function progress(item, share) {
    item.share = share;
    if (item.row) showState(item);
  }

  function fail(item, error) {
    item.state = "failed";
    item.error = error;
    announce(texts.library.arrivals.announceFailed(item.name, error.words));
  }

  function forget(item) {
    items.delete(item.key);
    if (item.jobId) byJob.delete(item.jobId);
  }

  function retry(item) {
    if (item.jobId) byJob.delete(item.jobId);
    Object.assign(item, { state: "waiting", share: 0, jobId: null, error: null, reason: null });
    show();
    sendNext();
  }

  /** Follows a job as the service tells of it: one of ours, or one that is not finished. */
  function update(job) {
    let item = byJob.get(job.id);
    if (!item) {
      if (job.state === "done" || job.state === "failed") return;
      item = insert({ name: job.file, jobId: job.id, mine: false, replaced: null });
      byJob.set(job.id, item);
    }
    item.state = job.state;
    item.reason = job.error;
    item.documentId = job.document_id;
    if (job.state === "failed") announce(texts.library.arrivals.announceFailed(item.name, reasonText(job.error ?? "")));
    if (job.state === "done" && !item.mine) forget(item);
    holdStill(show);
    if (item.mine && inState("waiting", "sending", "queued", "running").length === 0) tell();
  }

  function tell() {
    const mine = all().filter((item) => item.mine);
    const count = (state) => mine.filter((item) => item.state === state).length;
    if (count("done") > 0) announce(texts.library.arrivals.announceDone(count("done"), count("failed")));
  }

  function show() {
    const words = texts.library.arrivals;
    const hadFocus = section.contains(document.activeElement) && document.activeElement;
    section.hidden = items.size === 0;
    heading.textContent = words.heading;
    summary.textContent = counts();
    for (const item of all()) item.row ??= rowOf();
    const rows = all().map(({ row }) => row.node);
    for (const node of [...list.children]) if (!rows.includes(node)) node.remove();
    rows.forEach((node, index) => {
      if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null);
    });
    for (const item of all()) showState(item);
    showTools();
    if (hadFocus && !hadFocus.isConnected) keepFocus();
  }

  // The button that was pressed is gone with its row or its state; the list itself stays.
  function keepFocus() {
    if (!section.hidden) list.focus();
    else document.querySelector("#choose-files")?.focus();
  }

  function counts() {
    const { counted, summary: joined } = texts.library.arrivals;
    const numbers = {
      onTheWay: inState("waiting", "sending", "queued", "running").length,
      done: inState("done").length,
      failed: inState("failed").length,
    };
    return joined(Object.keys(counted).filter((name) => numbers[name] > 0).map((name) => counted[name](numbers[name])));
  }

  function showTools() {
    const words = texts.library.arrivals;
    const again = inState("failed").filter(({ file }) => canRetry(file));
    const done = inState("done");
    const wanted = [
      again.length > 1 && ["retry-all", words.retryAll, () => again.forEach(retry)],
      done.length > 0 && ["clear", words.clear, () => (done.forEach(forget), show())],
    ].filter(Boolean);
    const signature = wanted.map(([, label]) => label).join("\n");
    if (tools.dataset.shown === signature) {
      wanted.forEach(([, , press], index) => (tools.children[index].onclick = press));
      return;
    }
    tools.dataset.shown = signature;
    tools.replaceChildren(...wanted.map(([name, label, press]) => {
      const node = element("button", { type: "button", "data-tool": name }, label);
      node.onclick = press;
      return node;
    }));
    tools.hidden = wanted.length === 0;
  }

  function showState(item) {
    const words = texts.library.arrivals;
    const { row } = item;
    row.name.textContent = item.name;
    row.node.dataset.state = item.state;
    row.state.textContent = stateText(item);
    row.reason.textContent = reasonOf(item);
    row.detail.textContent = item.error?.kind === "refused" || item.error?.kind === "conflict" ? item.error.detail : "";
    row.replaced.textContent = item.replaced ? words.replaces(item.replaced.title) : "";
    row.bar.hidden = !["sending", "running"].includes(item.state);
    if (item.state === "sending" && item.share < 1) row.bar.value = item.share;
    else row.bar.removeAttribute("value");
    row.bar.setAttribute("aria-label", words.progress(item.name));
    const signature = [item.state, item.documentId, words.open].join("\n");
    if (row.actions.dataset.shown === signature) return;
    row.actions.dataset.shown = signature;
    row.actions.replaceChildren(...actionsOf(item));
  }

  function actionsOf(item) {
    const words = texts.library.arrivals;
    const named = (label, name, press) => button(label, press, { "aria-label": name(item.name) });
    switch (item.state) {
      case "waiting":
        return [named(words.cancel, words.cancelThis, () => (forget(item), show()))];
      case "sending":
        return [named(words.cancel, words.cancelThis, () => item.cancel())];
      case "done":
        return item.documentId
          ? [element("a", { href: documentAddress({ document_id: item.documentId }), "aria-label": `${words.open}: ${item.name}` }, words.open)]
          : [];
      case "failed":
        return [
          canRetry(item.file) && named(words.retry, words.retryThis, () => retry(item)),
          named(words.dismiss, words.dismissThis, () => (forget(item), show())),
        ].filter(Boolean);
      default:
        return [];
    }
  }

  return { add, update, show, documentsBeingRead: () => inState("queued", "running").map(({ documentId }) => documentId).filter(Boolean) };
}

function rowOf() {
  const row = {
    name: element("span", { class: "arrival-name" }),
    state: element("span", { class: "arrival-state" }),
    replaced: element("span", { class: "arrival-replaced" }),
    bar: element("progress", { max: "1", hidden: true }),
    reason: element("span", { class: "arrival-reason" }),
    detail: element("span", { class: "arrival-detail", lang: "en" }),
    actions: element("span", { class: "arrival-actions" }),
  };
  row.node = element("li", {}, row.name, row.state, row.replaced, row.bar, row.reason, row.detail, row.actions);
  return row;
}

function stateText({ state, share, reason }) {
  const words = texts.library.arrivals;
  if (state === "sending") return share < 1 ? words.sending(Math.floor(share * 100)) : words.storing;
  if (state === "queued" && reason) return words.putOff(reasonText(reason));
  return words[state];
}

function reasonOf({ state, error, reason }) {
  if (state !== "failed") return "";
  return error ? error.words : reasonText(reason ?? "");
}

// What cannot be read will not be read the next time either.
function canRetry(file) {
  return Boolean(file) && isReadable(file.name);
}

function nameOf(file) {
  return file.webkitRelativePath || file.name;
}
