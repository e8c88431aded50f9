import { randomBytes, randomInt } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Features, heldOutAuc, type Sample, standardError } from "./support/classifier.ts";
import { askForPage, tryPassphrase } from "./support/door.ts";
import { type Hunted, inventedKey, startHunted } from "./support/hunted-world.ts";
import { probe } from "./support/probe.ts";

const full = process.env.PORTCULLIS_FULL === "1";

/**
 * Whether somebody who may try thousands of times, and looks at bytes and time of every answer, can tell what there is from what there is not.
 *
 * What is compared is tried in turns, in an order that is drawn anew each time, so that whatever else the machine does meets all alike; and the server is another process,
 * so that what is measured is not the hunter's own work. Each bound is nearly four standard errors of so many probes of each class: of ten comparisons
 * that find nothing, one in a thousand runs says that one did. What is found is looked for once more, in probes of its own: a machine that stumbles over one kind for a while does
 * so once, and what gives something away does so each time.
 */
interface Hunt {
  readonly probesOfEach: number;
  readonly bound: number;
}
/** A refusal takes 25 to 50 ms: more would take longer than they tell. */
const thorough: Hunt = { probesOfEach: 1_000, bound: 0.05 };
/** What differs by less inside, or takes far longer to try. */
const brief: Hunt = { probesOfEach: 250, bound: 0.1 };
const plantedOfEach = 250;
const plantedBound = 0.6;

const random = () => randomBytes(16).toString("base64url");

/** All kinds once in each round. */
async function inTurns<Kind extends string>(
  kinds: Readonly<Record<Kind, () => Promise<Features>>>,
  rounds: number,
): Promise<Readonly<Record<Kind, readonly Features[]>>> {
  const names = Object.keys(kinds) as Kind[];
  const seen = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Kind, Features[]>;
  // Until the server's code is compiled, whoever comes later is served faster.
  const warmUp = 20;
  // One probe at a time: of two at once each is noise to the other, in which the planted half millisecond was found no more.
  for (let round = -warmUp; round < rounds; round += 1) {
    const order = [...names];
    while (order.length > 0) {
      const [name] = order.splice(randomInt(order.length), 1);
      if (name === undefined) break;
      const features = await kinds[name]();
      if (round >= 0) seen[name].push(features);
    }
  }
  return seen;
}

function aucIn(seen: Readonly<Record<string, readonly Features[]>>, one: string, other: string): number {
  const auc = aucBetween(seen[one] ?? [], seen[other] ?? []);
  process.stdout.write(`${one} / ${other}: held-out AUC ${auc.toFixed(3)}\n`);
  return auc;
}

/** Round by round: each half of what the classifier gets has both classes of its rounds. */
function aucBetween(live: readonly Features[], nothing: readonly Features[]): number {
  const halves: Sample[][] = [[], []];
  for (const [round, features] of live.entries()) {
    const half = halves[round % 2];
    half?.push({ features, isLive: true }, { features: nothing[round] ?? [], isLive: false });
  }
  return heldOutAuc(halves as [Sample[], Sample[]]);
}

test.skipIf(full)("what is hunted for is hunted for in full only, and by enough probes to be believed", () => {
  for (const { bound, probesOfEach } of [thorough, brief])
    expect(bound / standardError(probesOfEach)).toBeGreaterThan(3.8);
});

describe.runIf(full)("a hunter with thousands of probes", () => {
  let hunted: Hunted & { readonly stop: () => Promise<void> };
  const kinds = (port: number) => {
    const { live, deleted, locked, revokedKey } = hunted;
    const invented = () => inventedKey(live.appKey);
    const nowhere = () => ({ ...live.dst, path: random() });
    return {
      live: () => probe({ port, dst: live.dst, appKey: invented() }),
      "no path": () => probe({ port, dst: nowhere(), appKey: invented() }),
      "no label": () =>
        probe({ port, dst: { ...live.dst, label: `s${randomBytes(6).toString("hex")}` }, appKey: invented() }),
      deleted: () => probe({ port, dst: deleted.dst, appKey: deleted.appKey }),
      locked: () => probe({ port, dst: locked.dst, appKey: locked.appKey }),
      revoked: () => probe({ port, dst: live.dst, appKey: revokedKey }),
      "live without a key": () => probe({ port, dst: live.dst, appKey: null }),
      "no path without a key": () => probe({ port, dst: nowhere(), appKey: null }),
      "no path with a live key": () => probe({ port, dst: nowhere(), appKey: live.appKey }),
    };
  };
  type Kind = keyof ReturnType<typeof kinds>;
  const hunts: readonly (Hunt & { readonly pairs: readonly (readonly [Kind, Kind])[] })[] = [
    {
      ...thorough,
      pairs: [
        ["live", "no path"],
        ["live", "no label"],
      ],
    },
    {
      ...brief,
      pairs: [
        ["locked", "no path"],
        ["deleted", "no path"],
        ["revoked", "no path"],
        ["live without a key", "no path without a key"],
        ["no path with a live key", "no path"],
      ],
    },
  ];

  beforeAll(async () => {
    hunted = await startHunted();
  }, 120_000);
  afterAll(() => hunted.stop());

  test.each(hunts)("cannot tell, by $probesOfEach probes of each: $pairs", { timeout: 900_000 }, async (hunt) => {
    /** Those of the pairs that can be told. */
    const find = async (pairs: (typeof hunt)["pairs"]) => {
      const wanted = new Set<string>(pairs.flat());
      const all = Object.entries(kinds(hunted.port)).filter(([kind]) => wanted.has(kind));
      const seen = await inTurns(Object.fromEntries(all), hunt.probesOfEach);
      return pairs.filter(([one, other]) => Math.abs(aucIn(seen, one, other) - 0.5) >= hunt.bound);
    };
    const found = await find(hunt.pairs);
    expect(found.length === 0 ? [] : await find(found)).toEqual([]);
  });

  test("cannot tell a socket's page from the page of none, nor what is posted there", {
    timeout: 1_800_000,
  }, async () => {
    const { url, live } = hunted;
    const { label, path } = live.dst;
    const pages = await inTurns(
      { live: () => askForPage(url, `/${label}/${path}`), nothing: () => askForPage(url, `/${label}/${random()}`) },
      thorough.probesOfEach,
    );
    // Names are invented: a member has no more than fifty tries in an hour, from all networks together.
    const posts = await inTurns(
      {
        live: () => tryPassphrase(url, `/${label}/${path}`, random()),
        nothing: () => tryPassphrase(url, `/${label}/${random()}`, random()),
      },
      brief.probesOfEach,
    );
    expect(Math.abs(aucIn(pages, "live", "nothing") - 0.5), "pages").toBeLessThan(thorough.bound);
    expect(Math.abs(aucIn(posts, "live", "nothing") - 0.5), "posts").toBeLessThan(brief.bound);
  });

  test.each(["delay", "byte"] as const)(
    "would find it: a %s that gives live sockets away",
    { timeout: 600_000 },
    async (give) => {
      const { live, "no path": nothing } = kinds(hunted.planted[give]);
      const given = await inTurns({ live, nothing }, plantedOfEach);
      expect(aucIn(given, "live", "nothing")).toBeGreaterThan(plantedBound);
    },
  );
});
