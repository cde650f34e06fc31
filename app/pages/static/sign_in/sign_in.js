import { onLanguageChange, startLanguages, texts } from "../shared/languages.js";
import { showMasthead } from "../shared/masthead.js";
import { ownPage, sendKey } from "../shared/signing_in.js";

const form = document.querySelector("#sign-in-form");
const field = document.querySelector("#key");
const problem = document.querySelector("#problem");
const kinds = { 0: "offline", 401: "wrong", 422: "wrong", 429: "busy", 503: "busy", 507: "busy" };
let shown = null; // what went wrong, by its name in the texts

showMasthead();
startLanguages();
onLanguageChange(show);
show();
field.focus();

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const key = field.value.trim();
  if (!key) {
    tell("empty");
    return;
  }
  const status = await sendKey(key);
  if (status === 204) location.replace(ownPage(new URLSearchParams(location.search).get("to")));
  else tell(kinds[status] ?? "failed");
});

function tell(kind) {
  shown = kind;
  show();
  field.focus();
  field.select();
}

function show() {
  document.title = `${texts.signIn.heading} – Kildesvar`;
  problem.textContent = shown ? texts.signIn.errors[shown] : "";
  problem.hidden = !shown;
  field.setAttribute("aria-invalid", String(shown !== null));
}
