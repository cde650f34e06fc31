import { fetchCaller } from "./api.js";
import { button, element } from "./dom.js";
import { onLanguageChange, texts } from "./languages.js";
import { goToSignIn, sendSignOut } from "./signing_in.js";
import { keep } from "./storage.js";

const roles = ["read", "write", "admin"];
const tabs = new BroadcastChannel("kildesvar.signed-out"); // the other tabs, which show what was for this person

/**
 * Who asks. Nobody is kept out by what a page hides: where this cannot be found out, nothing is hidden, and the
 * service refuses what may not be done.
 */
export const caller = fetchCaller().catch(() => ({ name: "", role: "admin", collections: null, signed_in: false }));

export async function mayDo(role) {
  return roles.indexOf((await caller).role) >= roles.indexOf(role);
}

/** In the header, who has signed in, and the way out. */
export async function showCaller(header) {
  const { name, signed_in: signedIn } = await caller;
  if (!signedIn) return;
  const out = button("", signOut, { class: "quiet", id: "sign-out" });
  const translate = () => {
    out.textContent = texts.signIn.out;
    out.title = texts.signIn.signedInAs(name);
  };
  translate();
  onLanguageChange(translate);
  header.append(element("div", { class: "account" }, element("span", { class: "account-name" }, name), out));
}

async function signOut({ target }) {
  target.disabled = true;
  if (!(await sendSignOut())) {
    target.disabled = false;
    target.textContent = texts.signIn.outFailed;
    return;
  }
  keep("history", []); // the next person at this machine is not to read what was asked
  tabs.postMessage("signed out");
  goToSignIn();
}

tabs.addEventListener("message", goToSignIn);
// A page that the browser has kept as it was is not shown again to whoever comes next.
addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
