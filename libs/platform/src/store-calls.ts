import type { Documents } from "@portcullis/documents";

/** Is told of each call before it is made: `state.get`, `identity_sockets.findOne`. Never of what was asked for. */
export type OnStoreCall = (call: string) => void;

/** The same store, which says how it is used. */
export function watched<T extends object>(store: T, name: string, onCall: OnStoreCall): T {
  return new Proxy(store, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== "function") return value;
      return (...given: unknown[]) => {
        onCall(`${name}.${String(property)}`);
        return Reflect.apply(value, target, given);
      };
    },
  });
}

/** Of documents it is the collections that are asked. */
export function watchedDocuments(documents: Documents, onCall: OnStoreCall): Documents {
  return {
    collection: async (definition) => watched(await documents.collection(definition), definition.name, onCall),
    ping: () => documents.ping(),
    close: () => documents.close(),
  };
}
