/** What of the package can be imported. */
export interface Entry {
  /** As an application names it: "." or "./gate". */
  readonly subpath: string;
  /** Of the file in the package. */
  readonly name: string;
  /** Below `src`. */
  readonly source: string;
  /** Whether importing it does something, as defining a custom element does: bundlers leave out what does not and is not used. */
  readonly hasEffect: boolean;
  /** Whether its types speak of the browser's own, so that whoever imports it needs them (`lib: ["dom"]`). */
  readonly needsDom: boolean;
}

export const entries: readonly Entry[] = [
  { subpath: ".", name: "index", source: "mod.ts", hasEffect: false, needsDom: false },
  { subpath: "./end-to-end", name: "end-to-end", source: "end-to-end/mod.ts", hasEffect: false, needsDom: false },
  { subpath: "./gate", name: "gate", source: "gate/mod.ts", hasEffect: true, needsDom: true },
];
