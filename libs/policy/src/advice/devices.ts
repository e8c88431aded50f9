import { restsOn } from "../gates/registry.ts";
import { devicesOf, type Way } from "../ways.ts";
import { type Advice, advice, type Rule } from "./advice.ts";

/** Two gates that look like two factors and are one. */
export const sameDevice: Rule = ({ ways }) => {
  const found = new Map<string, Advice>();
  for (const way of ways.ways) {
    for (const [device, [first, second]] of pairs(way)) {
      if (found.has(device)) continue;
      const message = `rests on the same device (${device}) as gates.${first}: one thing satisfies both; \`distinct\` refuses that`;
      found.set(device, advice("same-device", "warning", `gates.${second}`, message));
    }
  }
  return [...found.values()];
};

function pairs({ steps }: Way): [string, [string, string]][] {
  const byDevice = Map.groupBy(steps, ({ item }) => restsOn(item));
  return [...byDevice].flatMap(([device, [first, second]]) =>
    device === null || first === undefined || second === undefined ? [] : [[device, [first.at, second.at]]],
  );
}

/** An authenticator app mostly runs on the phone that gets the text messages. */
export const samePhone: Rule = ({ ways }) => {
  const found = ways.ways.find((way) => {
    const devices = devicesOf(way);
    return devices.includes("phone") && devices.includes("member-authenticator");
  });
  const step = found?.steps.find(({ item }) => restsOn(item) === "phone");
  return step === undefined
    ? []
    : [
        advice(
          "same-phone",
          "info",
          `gates.${step.at}`,
          "the authenticator app mostly runs on the phone that is called or gets the text messages: whoever has it unlocked passes both",
        ),
      ];
};
