import type { OnFailure } from "@portcullis/policy";

/** Whose failures are counted together. Null where there is none: what is looked up is the same. */
export interface Who {
  /** As the edge saw it. */
  readonly address: string;
  /** HMAC of its network. */
  readonly network: string;
  readonly socketId: string | null;
  /** The key under which the box opened. */
  readonly keyId: string | null;
  readonly memberId: string | null;
}

export interface Hold {
  /** Null: everything of this holder's. */
  readonly gate: string | null;
  readonly is: "delay" | "lockout";
  readonly untilMs: number;
}

/** How somebody stands when they come. */
export interface Standing {
  /** A proof of work is due. */
  readonly work: boolean;
  readonly holds: readonly Hold[];
  /** The free tries of the holder, or of the member at some gate, are used up, and the member never came in from here. */
  readonly spent: boolean;
}

/** A place from which nobody has failed. */
export const unblemished: Standing = Object.freeze({ work: false, holds: [], spent: false });

export interface Penalties {
  /** The same look-ups for whoever asks, and for nobody. */
  look(who: Who, rules: OnFailure | null): Promise<Standing>;
}
