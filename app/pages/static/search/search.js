import { startLanguages } from "../shared/languages.js";
import { showMasthead } from "../shared/masthead.js";

showMasthead("search");
startLanguages();
