import { texts } from "./languages.js";

const openXml = "application/vnd.openxmlformats-officedocument";
const openDocument = "application/vnd.oasis.opendocument";
const names = {
  "text/markdown": "Markdown",
  "text/csv": "CSV",
  "application/pdf": "PDF",
  "application/rtf": "RTF",
  [`${openDocument}.text`]: "OpenDocument (odt)",
  [`${openDocument}.presentation`]: "OpenDocument (odp)",
  [`${openDocument}.spreadsheet`]: "OpenDocument (ods)",
  [`${openXml}.wordprocessingml.document`]: "Word",
  [`${openXml}.presentationml.presentation`]: "PowerPoint",
  [`${openXml}.spreadsheetml.sheet`]: "Excel",
};

/** What people call a media type; the type itself where they have no name for it. */
export function formatName(mediaType) {
  return texts.mediaTypes[mediaType] ?? names[mediaType] ?? mediaType;
}
