import type { Documents } from "@portcullis/documents";
import type { State } from "@portcullis/state";

type Hook = (replica: number, ...input: readonly unknown[]) => Promise<void> | void;

/** Lets a test in between the service and its stores: to wait at a chosen place, or to fail there. */
export interface Hooks {
  /**
   * @param operation `state.replace`, `identity_owners.insert`
   * @param hook runs before it; what it throws the service gets in place of an answer.
   * @returns a function that takes it away.
   */
  before(operation: string, hook: Hook): () => void;
  /** The same, after the store has done it. */
  after(operation: string, hook: Hook): () => void;
  /** What is done in its place. */
  instead(operation: string, hook: (...input: never[]) => Promise<unknown>): () => void;
}

export function createHooks() {
  const befores = new Map<string, Hook>();
  const afters = new Map<string, Hook>();
  const insteads = new Map<string, (...input: never[]) => Promise<unknown>>();
  const put =
    <H>(hooks: Map<string, H>) =>
    (operation: string, hook: H) => {
      hooks.set(operation, hook);
      return () => void hooks.delete(operation);
    };
  const wrap = <O extends object>(object: O, name: string, replica: number): O =>
    new Proxy(object, {
      get(target, key) {
        const member: unknown = Reflect.get(target, key);
        if (typeof member !== "function") return member;
        return async (...input: unknown[]) => {
          await befores.get(`${name}.${String(key)}`)?.(replica, ...input);
          const instead = insteads.get(`${name}.${String(key)}`);
          const result: unknown = await (instead ?? member).apply(target, input as never[]);
          await afters.get(`${name}.${String(key)}`)?.(replica, ...input);
          return result;
        };
      },
    });
  return {
    hooks: { before: put(befores), after: put(afters), instead: put(insteads) } satisfies Hooks,
    state: (state: State, replica: number): State => wrap(state, "state", replica),
    documents: (documents: Documents, replica: number): Documents => ({
      collection: async (definition) => wrap(await documents.collection(definition), definition.name, replica),
      ping: () => documents.ping(),
      close: () => documents.close(),
    }),
  };
}

/** A place where one goes on only when another says so. */
export function gate() {
  const reached = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  return {
    reached: reached.promise,
    open: () => opened.resolve(),
    async wait() {
      reached.resolve();
      await opened.promise;
    },
  };
}
