import { giveFeedback } from "../shared/api.js";
import { button, element } from "../shared/dom.js";
import { texts } from "../shared/languages.js";

/** Thumbs for an answer, and a reason for those who want to give one. The answer keeps the verdict. */
export function feedbackView(answer, { announce }) {
  const words = texts.feedback;
  const thumbs = { up: thumb("up"), down: thumb("down") };
  const problem = element("p", { class: "hint", role: "alert" });
  const view = element(
    "div",
    { class: "feedback", role: "group", "aria-label": words.heading },
    element("span", { class: "label", "aria-hidden": "true" }, words.heading),
    thumbs.up,
    thumbs.down,
  );

  function thumb(verdict) {
    return button(icons[verdict](), () => answer.verdict === verdict || give(verdict), {
      class: "thumb",
      "aria-label": words[verdict],
      title: words[verdict],
      "aria-pressed": String(answer.verdict === verdict),
    });
  }

  async function give(verdict, reason = "") {
    problem.remove();
    try {
      await giveFeedback(answer.answer_id, verdict, reason);
    } catch (error) {
      problem.textContent = words.lost(texts.errors[error.kind]?.[0] ?? texts.errors.unexpected[0]);
      view.append(problem);
      return;
    }
    answer.verdict = verdict;
    for (const [name, thumb] of Object.entries(thumbs)) thumb.setAttribute("aria-pressed", String(name === verdict));
    view.querySelector("form")?.remove();
    thumbs[verdict].focus();
    announce(words.thanks);
    view.append(reason ? element("p", { class: "hint" }, words.thanks) : reasonForm(verdict));
    view.lastElementChild.scrollIntoView({ block: "nearest" });
  }

  function reasonForm(verdict) {
    const field = element("input", { type: "text", name: "reason", maxlength: "1000", autocomplete: "off" });
    const form = element(
      "form",
      { class: "reason" },
      element("label", {}, verdict === "up" ? words.whyUp : words.whyDown, field),
      element("button", { type: "submit" }, words.send),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (field.value.trim()) give(verdict, field.value.trim());
      else {
        form.remove();
        thumbs[verdict].focus();
      }
    });
    return form;
  }

  return view;
}

const icons = {
  up: () => icon("M7 11v9H4v-9zm0 0 4-8c1.7 0 2.6 1.2 2.3 2.8L12.7 9H18a2.2 2.2 0 0 1 2.2 2.7l-1.5 6.5A2.3 2.3 0 0 1 16.4 20H7"),
  down: () => icon("M17 13V4h3v9zm0 0-4 8c-1.7 0-2.6-1.2-2.3-2.8l.6-3.2H6a2.2 2.2 0 0 1-2.2-2.7l1.5-6.5A2.3 2.3 0 0 1 7.6 4H17"),
};

function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(svg.namespaceURI, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}
