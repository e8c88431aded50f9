export { type MongoDocumentsOptions, openMongoDocuments } from "./documents.ts";
