import { defineConfig } from "vitest/config";

/** Each starts a dozen processes and kills some: beside two others of its kind on a small machine, what it waits for would not come in time. */
const ofManyProcesses = [
  "deploy/demo/demo.test.ts",
  "test/e2e/{distributed,gates-distributed,consumers-distributed,decoys-distributed,penalties-distributed,secrets-distributed,key-rotation-distributed,outage}.test.ts",
];

/** Minutes in all, and what they show is also shown from nearer by: in `npm run test:full` only. */
const longer = [
  "cli/connect/connect.test.ts",
  "test/attack/{decoy-reach,lockouts,owner-api,penalties,slow,tampering,tickets}.test.ts",
  "test/e2e/{account,outbox-page,survival,tickets,webhooks}.test.ts",
];
const isFull = process.env.PORTCULLIS_FULL === "1";

/** What it measures is what others do to the machine as well: nothing else runs then. */
const alone = ["test/attack/distinguisher.test.ts"];

export default defineConfig({
  test: {
    // Forks, because tests start servers, change folders and are killed: a thread would take its neighbours along.
    pool: "forks",
    testTimeout: 20_000,
    hookTimeout: 30_000,
    projects: [
      {
        extends: true,
        test: {
          name: "main",
          include: [
            "libs/*/test/**/*.test.ts",
            "services/*/test/**/*.test.ts",
            "deploy/**/*.test.ts",
            "cli/**/*.test.ts",
            "test/**/*.test.ts",
          ],
          exclude: ["**/node_modules/**", ...ofManyProcesses, ...alone, ...(isFull ? [] : longer)],
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: "distributed", include: ofManyProcesses, maxWorkers: 2, sequence: { groupOrder: 1 } },
      },
      { extends: true, test: { name: "alone", include: alone, maxWorkers: 1, sequence: { groupOrder: 2 } } },
    ],
  },
});
