import { z } from "zod";
import { takes } from "../composition.ts";
import { leavesMax } from "../items.ts";
import { denyCauses } from "../machine/state.ts";
import { strict } from "../strict.ts";
import { waysMax } from "../ways.ts";
import { stepsMax } from "./script.ts";

const at = z.string().max(64);
const gate = z.string().max(16);
const place = strict({ at, gate });
const ms = z.number().int().nonnegative();
const branches = z.array(strict({ at, take: z.enum(takes) })).max(128);
const asked = { attemptsLeft: z.number().int().nonnegative(), retry: z.boolean() };
/** Milliseconds since the handshake began. */
const answerByMs = ms;

/** What the client is told. Of `denied` it is never told why. */
const heard = z.discriminatedUnion("is", [
  strict({ is: z.literal("challenge"), options: z.array(place).max(leavesMax), ...asked, answerByMs }),
  strict({ is: z.literal("wait"), at, gate, ...asked, answerByMs }),
  strict({ is: z.literal("accepted") }),
  strict({ is: z.literal("denied") }),
  strict({ is: z.literal("nothing") }),
]);
export type Heard = z.output<typeof heard>;

const entry = strict({
  /** Index in the script; null: the handshake begins. */
  step: ms.nullable(),
  /** Milliseconds since the handshake began. */
  atMs: ms,
  did: z.string().max(1024),
  heard,
  /** What really happened, and nobody outside hears: `wrong`, `unexpected`, `stale`. */
  noted: z.array(z.string().max(32)).max(64),
  failures: ms,
});
export type Entry = z.output<typeof entry>;

const assurance = strict({ key: z.boolean(), memberBound: z.boolean(), gates: z.array(gate).max(64) });

export const simulationSchema = strict({
  /** Which way each `when` went. */
  branches,
  transcript: z.array(entry).max(stepsMax + 1),
  /** Null: it has not ended. */
  verdict: z.enum(["accept", "deny"]).nullable(),
  /** Why it was denied; for the owner only. */
  cause: z.enum(denyCauses).nullable(),
  gates: z.array(gate).max(64),
  assurance: assurance.nullable(),
  /** Steps behind the verdict. */
  unplayed: ms,
});
export type Simulation = z.output<typeof simulationSchema>;

const device = z.string().max(64);
const devices = z.array(device).max(leavesMax);

export const explorationSchema = strict({
  /** Each is enough where its branches were taken, and nothing of it can be left out. */
  ways: z
    .array(
      strict({
        branches,
        gates: z.array(place).max(leavesMax),
        devices,
        /** Also holds for members who have an authenticator: otherwise they are asked for it as well. */
        authenticator: z.boolean(),
      }),
    )
    .max(waysMax),
  /** There are others. */
  more: z.boolean(),
  /** What somebody passes who has got hold of something, in whichever branch suits them. */
  holders: z
    .array(
      strict({
        holds: z.string().max(64),
        devices,
        passes: z.boolean(),
        /** The same for members who have an authenticator, which is asked for whatever the policy says. */
        passesAuthenticator: z.boolean(),
        /** The least that is missing. */
        lacks: devices,
      }),
    )
    .max(32),
});
export type Exploration = z.output<typeof explorationSchema>;
