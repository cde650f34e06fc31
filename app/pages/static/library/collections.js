import { fetchCollections } from "../shared/api.js";
import { element } from "../shared/dom.js";

/** The collections that the reader may use: a choice for files that are sent, where there are several. */
export function collectionsView(place, select) {
  let names = [];

  /** Fetches them anew; a failure leaves what there is, for nothing else depends on it. */
  async function load() {
    try {
      const { collections } = await fetchCollections();
      names = collections.map(({ name }) => name);
    } catch {
      return;
    }
    const chosen = select.value;
    select.replaceChildren(...names.map((name) => element("option", { value: name }, name)));
    if (names.includes(chosen)) select.value = chosen;
    else if (names.includes("default")) select.value = "default";
    place.hidden = !areSeveral();
  }

  const areSeveral = () => names.length > 1;

  /** The one that is chosen for files; null leaves it to the service. */
  const chosen = () => (areSeveral() ? select.value : null);

  return { load, chosen, areSeveral };
}
