/** What an attacker has measured of one probe, always in the same order. */
export type Features = readonly number[];

export interface Sample {
  readonly features: Features;
  /** The class that the attacker would like to know of. */
  readonly isLive: boolean;
}

/** How live a probe looks; only the order of scores means something. */
type Score = (features: Features) => number;

/**
 * Area under the ROC curve of a classifier that has never seen what it judges: 0.5 is a guess, 1 is certainty. Each half is judged by what was learnt
 * from the other, and the mean is what is returned: so all samples count for the error, which for n of each class in all is about sqrt(1 / (6n)) where there is
 * nothing to find (Mann-Whitney: the variance of an AUC of m against m is (2m + 1) / 12m²).
 */
export function heldOutAuc([one, other]: readonly [readonly Sample[], readonly Sample[]]): number {
  return (aucOf(train(one), other) + aucOf(train(other), one)) / 2;
}

/** Where there is nothing to find. @param perClass samples of each class in all */
export function standardError(perClass: number): number {
  return Math.sqrt(1 / (6 * perClass));
}

function aucOf(score: Score, samples: readonly Sample[]): number {
  const scored = samples.map(({ features, isLive }) => ({ score: score(features), isLive }));
  const ranks = rankedBy(scored.map((each) => each.score));
  const live = scored.filter(({ isLive }) => isLive).length;
  const others = scored.length - live;
  const rankSum = scored.reduce((sum, { score, isLive }) => (isLive ? sum + ranks(score) * scored.length : sum), 0);
  return (rankSum - live / 2 - (live * (live - 1)) / 2) / (live * others);
}

/**
 * Two learners that miss different things, added up: a logistic regression sees what all features together lean to, boosted stumps see a threshold, or a value
 * that only one class has. Both go by ranks, because times have long tails and one slow probe must not decide.
 */
function train(samples: readonly Sample[]): Score {
  const width = samples[0]?.features.length ?? 0;
  const ranks = Array.from({ length: width }, (_, at) => rankedBy(samples.map(({ features }) => features[at] ?? 0)));
  const inRanks = (features: Features) => ranks.map((rank, at) => rank(features[at] ?? 0) - 0.5);
  const rows = samples.map(({ features, isLive }) => ({ x: inRanks(features), y: isLive ? 1 : -1 }));
  const logistic = logisticRegression(rows);
  const stumps = boostedStumps(rows);
  return (features) => {
    const x = inRanks(features);
    return squash(logistic(x)) + squash(stumps(x));
  };
}

interface Row {
  readonly x: readonly number[];
  readonly y: number;
}

const squash = (margin: number) => 1 / (1 + Math.exp(-margin));

function logisticRegression(rows: readonly Row[]): (x: readonly number[]) => number {
  const weights: number[] = (rows[0]?.x ?? []).map(() => 0);
  const margin = (x: readonly number[]) => x.reduce((sum, value, at) => sum + value * (weights[at] ?? 0), 0);
  const decay = 0.001;
  for (let step = 0; step < 300; step += 1) {
    const gradient = weights.map((weight) => decay * weight);
    for (const { x, y } of rows) {
      const pull = (y * squash(-y * margin(x))) / rows.length;
      for (const [at, value] of x.entries()) gradient[at] = (gradient[at] ?? 0) - pull * value;
    }
    for (const [at, slope] of gradient.entries()) weights[at] = (weights[at] ?? 0) - 8 * slope;
  }
  return margin;
}

const rounds = 40;
const thresholds = Array.from({ length: 31 }, (_, index) => (index + 1) / 32 - 0.5);

/** AdaBoost over one threshold of one feature at a time. */
function boostedStumps(rows: readonly Row[]): (x: readonly number[]) => number {
  const width = rows[0]?.x.length ?? 0;
  let weights = rows.map(() => 1 / rows.length);
  const chosen: { readonly at: number; readonly above: number; readonly vote: number }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    let best = { at: 0, above: 0, lean: 0 };
    for (let at = 0; at < width; at += 1) {
      for (const above of thresholds) {
        let lean = 0;
        for (const [index, { x, y }] of rows.entries())
          lean += (weights[index] ?? 0) * y * ((x[at] ?? 0) > above ? 1 : -1);
        if (Math.abs(lean) > Math.abs(best.lean)) best = { at, above, lean };
      }
    }
    const wrong = Math.min(0.999, Math.max(0.001, (1 - best.lean) / 2));
    const vote = 0.5 * Math.log((1 - wrong) / wrong);
    chosen.push({ at: best.at, above: best.above, vote });
    const next = rows.map(({ x, y }, index) => {
      const said = (x[best.at] ?? 0) > best.above ? vote : -vote;
      return (weights[index] ?? 0) * Math.exp(-y * said);
    });
    const total = next.reduce((sum, weight) => sum + weight, 0);
    weights = next.map((weight) => weight / total);
  }
  return (x) => chosen.reduce((sum, { at, above, vote }) => sum + ((x[at] ?? 0) > above ? vote : -vote), 0);
}

/** Where a value stands among those given, from 0 to 1; the middle of those that equal it. */
function rankedBy(values: readonly number[]): (value: number) => number {
  const sorted = values.toSorted((one, other) => one - other);
  const before = (value: number, orEqual: boolean) => {
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const each = sorted[middle] ?? 0;
      if (each < value || (orEqual && each === value)) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return (value) => (before(value, false) + before(value, true)) / 2 / sorted.length;
}
