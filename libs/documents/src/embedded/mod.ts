export { type EmbeddedDocumentsOptions, openEmbeddedDocuments } from "./documents.ts";
