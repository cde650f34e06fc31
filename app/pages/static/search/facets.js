import { search as searchService } from "../shared/api.js";
import { formatName } from "../shared/formats.js";
import { languageName, texts } from "../shared/languages.js";
import { chosenGroups, filterParameters, searchParameters, withoutGroup } from "./address.js";

/**
 * A page of hits, as GET /v1/search gives it, with facets to choose more of the same group from: the service
 * counts within what is chosen, where only the chosen values are left, so each such group is counted without itself.
 */
export async function findHits(search, signal) {
  const groups = chosenGroups(search);
  const [result, ...counted] = await Promise.all([
    searchService(searchParameters(search), signal),
    ...groups.map((name) => countWithout(search, name, signal)),
  ]);
  const facets = { ...result.facets };
  groups.forEach((name, index) => (facets[name] = counted[index]?.[name] ?? facets[name]));
  return { ...result, facets };
}

// Without these counts the filters are poorer, and the hits as good; hence no error.
async function countWithout(search, name, signal) {
  const parameters = [["q", search.query], ["limit", 1], ...filterParameters(withoutGroup(search, name))];
  return searchService(parameters, signal).then(({ facets }) => facets, () => null);
}

/** What a value of a group is called; `facets` know the documents' titles and the other folders. */
export function valueName(group, value, facets) {
  const values = facets?.[group] ?? [];
  if (group === "media_type") return formatName(value);
  if (group === "language") return languageName(value);
  if (group === "folder") return folderName(value, values.map((facet) => facet.value));
  if (group === "document") return values.find((facet) => facet.value === value)?.label ?? texts.search.groups.document;
  return value;
}

// The end of a folder's path, as long as it takes to tell it from the others.
function folderName(path, others) {
  const parts = path.split("/").filter(Boolean);
  for (let count = 1; count < parts.length; count++) {
    const end = parts.slice(-count).join("/");
    if (!others.some((other) => other !== path && `/${other}`.endsWith(`/${end}`))) return end;
  }
  return path;
}
