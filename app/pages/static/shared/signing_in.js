const signIn = "/sign-in";

/** Leaves for the sign-in page, which comes back to this one. Never resolves: this page is about to be gone. */
export function goToSignIn() {
  const parameters = new URLSearchParams({ to: location.pathname + location.search + location.hash });
  const language = new URLSearchParams(location.search).get("lang");
  if (language) parameters.set("lang", language);
  location.replace(`${signIn}?${parameters}`);
  return new Promise(() => {});
}

/** Where `address` leads, if it is a page of this service, and else to the first. */
export function ownPage(address) {
  try {
    const { origin, pathname, search, hash } = new URL(address ?? "/", location.origin);
    // The path may begin with two slashes, and would then name another site.
    return origin === location.origin && pathname !== signIn ? `/${(pathname + search + hash).replace(/^[/\\]+/, "")}` : "/";
  } catch {
    return "/"; // it is no address
  }
}

/** Sends the key; resolves to the status that it is answered with, 0 where nobody answers. */
export async function sendKey(key) {
  const body = JSON.stringify({ key });
  try {
    const { status } = await fetch("/sign-in", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    return status;
  } catch {
    return 0;
  }
}

/** Ends the session; whether it has ended. */
export async function sendSignOut() {
  try {
    const { ok } = await fetch("/sign-out", { method: "POST" });
    return ok;
  } catch {
    return false;
  }
}
