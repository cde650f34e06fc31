import { ServiceError } from "./api.js";
import { button, element } from "./dom.js";
import { texts } from "./languages.js";

/** An error in plain words, with what to do about it. */
export function problemView(error, action, heading = "h1") {
  const [title, remedy] = texts.errors[error instanceof ServiceError ? error.kind : "unexpected"];
  const detail = error instanceof ServiceError ? error.detail : "";
  return element(
    "div",
    { class: "problem", role: "alert" },
    element(heading, { class: "problem-title" }, title),
    detail && element("p", { class: "detail" }, detail),
    element("p", {}, remedy),
    element("p", { class: "actions" }, action),
  );
}

export function tryAgain(press) {
  return button(texts.tryAgain, press);
}
