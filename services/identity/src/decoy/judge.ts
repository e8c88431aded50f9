import type { Handshake } from "../handshake/store.ts";
import type { Decoys } from "./decoys.ts";
import type { PlayedItem } from "./player.ts";

interface Result {
  readonly ref: string;
  readonly ok: boolean;
  readonly cause: string | null;
}

/** A proof of work shows nothing about anybody: it alone is really looked at, or whoever tries would pay less here than anywhere else. */
const worked = "captcha";

/** @param ask asks `factors` */
export async function judgePlayed<Item extends PlayedItem>(
  { player, note }: Pick<Decoys, "player" | "note">,
  { room, socketId }: Pick<Handshake, "room" | "socketId">,
  items: readonly Item[],
  ask: (items: Item[]) => Promise<readonly Result[]>,
): Promise<Result[]> {
  if (room === null) throw new TypeError("this handshake is not played");
  const works = items.filter(({ gate }) => gate === worked);
  const proven = works.length === 0 ? [] : await ask(works);
  const played = items.flatMap((item) => {
    if (item.gate === worked) return [];
    const ok = player.believes(room, item);
    note({ socketId, room }, "tried", { gate: item.gate, believed: ok });
    return [{ ref: item.ref, ok, cause: ok ? null : "decoy" }];
  });
  return [...proven, ...played];
}
