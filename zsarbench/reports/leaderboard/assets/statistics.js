// Paired comparisons: the same sums, draws and widening as `zsarbench compare --paired`, so the same interval.

function perClass(evidence) {
  const right = new Map(), scored = new Map();
  evidence.kept.forEach((label, place) => {
    const name = evidence.classes[label];
    right.set(name, evidence.right.map((round) => round[place]));
    scored.set(name, evidence.scored.map((round) => round[place]));
  });
  return { names: [...right.keys()], right, scored };
}

const total = (values) => values.reduce((sum, value) => sum + value, 0);

// Each class of a result over all rounds, with the share of its clips that is right.
function classTotals(evidence) {
  const { names, right, scored } = perClass(evidence);
  return names.map((name) => {
    const clips = total(scored.get(name));
    return { name, clips, share: clips ? total(right.get(name)) / clips : 0 };
  });
}

// Why two results cannot be paired; "" where they can.
function obstacle(first, second) {
  if (!first || !second) return "the predictions of both are needed, and one of them has none here";
  if (first.unpaired || second.unpaired) return first.unpaired || second.unpaired;
  if (first.clips.digest !== second.clips.digest) return "they are on other clips";
  return "";
}

function pairSums(first, second) {
  const a = perClass(first), b = perClass(second);
  const weigh = (side, name, round) => {
    const scored = side.scored.get(name)[round], right = side.right.get(name)[round];
    return first.average === "per_class" ? [right / Math.max(scored, 1), scored > 0 ? 1 : 0] : [right, scored];
  };
  const rounds = first.right.map((_, round) => round);
  return {
    a: a.names.map((name) => rounds.map((round) => weigh(a, name, round))),
    b: a.names.map((name) => rounds.map((round) => weigh(b, name, round))),
    rounds,
  };
}

function meanDifference({ a, b, rounds }, weight) {
  let sum = 0, defined = 0;
  for (const round of rounds) {
    let rightA = 0, rightB = 0, scored = 0;
    for (let label = 0; label < a.length; label++) {
      rightA += weight(label) * a[label][round][0];
      rightB += weight(label) * b[label][round][0];
      scored += weight(label) * a[label][round][1];
    }
    if (scored > 0) {
      sum += (rightA - rightB) / scored;
      defined += 1;
    }
  }
  return defined ? sum / defined : NaN;
}

// How many classes of equal weight vary as little as these (Kish's number).
function effectiveClasses({ a, rounds }) {
  const scored = rounds.map((round) => Math.max(total(a.map((label) => label[round][1])), 1));
  const shares = a.map((label) => total(rounds.map((round) => label[round][1] / scored[round])) / rounds.length);
  return total(shares) ** 2 / total(shares.map((share) => share ** 2));
}

// Student's distribution over angles: with x = sqrt(f) tan(a), the density in a is cos(a)^(f - 1).
const ANGLES = 40001, STEP = Math.PI / (ANGLES - 1);

function studentBelow(freedom) {
  const below = new Float64Array(ANGLES);
  const density = (place) => Math.max(Math.cos(-Math.PI / 2 + place * STEP), 0) ** (freedom - 1);
  for (let place = 1; place < ANGLES; place++)
    below[place] = below[place - 1] + (density(place) + density(place - 1)) / 2;
  return below.map((sum) => sum / below[ANGLES - 1]);
}

function studentQuantile(probability, freedom) {
  const below = studentBelow(freedom);
  const place = below.findIndex((sum) => sum >= probability);
  const part = (probability - below[place - 1]) / (below[place] - below[place - 1]);
  return Math.sqrt(freedom) * Math.tan(-Math.PI / 2 + (place - 1 + part) * STEP);
}

function studentTwoSided(t, freedom) {
  const place = (Math.PI / 2 - Math.atan(Math.abs(t) / Math.sqrt(freedom))) / STEP, low = Math.floor(place);
  const below = studentBelow(freedom);
  return Math.min(1, 2 * (below[low] + (place - low) * ((below[low + 1] ?? 1) - below[low])));
}

// By what replicates are spread about the estimate, since bare percentiles of few classes are too narrow.
function widening(nClasses) {
  const n = Math.max(nClasses, 2);
  return (Math.sqrt(n / (n - 1)) * studentQuantile(0.975, n - 1)) / 1.959963984540054;
}

function quantile(sorted, probability) {
  const place = probability * (sorted.length - 1), low = Math.floor(place);
  return sorted[low] + (place - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}

const FEWEST_CLASSES = 10;

// How far the first is above the second, with its 95 % interval and p; these are null with too few classes.
function pairedDifference(first, second, draws) {
  const sums = pairSums(first, second);
  const difference = meanDifference(sums, () => 1);
  if (sums.a.length < FEWEST_CLASSES || !draws) return { difference, low: null, high: null, notBetter: null, p: null };
  const widen = widening(effectiveClasses(sums));
  const replicates = draws
    .map((row) => Array.from(row, (digit) => parseInt(digit, 36)))
    .map((weights) => meanDifference(sums, (label) => weights[label]))
    .filter((value) => !Number.isNaN(value))
    .map((value) => difference + widen * (value - difference))
    .sort((a, b) => a - b);
  const ends = [quantile(replicates, 0.025), quantile(replicates, 0.975)].map((end) => Math.min(1, Math.max(-1, end)));
  const notBetter = replicates.filter((value) => value <= 0).length / replicates.length;
  return { difference, low: ends[0], high: ends[1], notBetter, p: pairedTest(sums, difference) };
}

// The p of a paired test over classes: the difference over the standard error that what each class adds to it has.
function pairedTest(sums, difference) {
  const { a, b, rounds } = sums;
  const scored = rounds.map((round) => total(a.map((label) => label[round][1])));
  const effects = a.map((own, label) => total(rounds.map((round) =>
    (own[round][0] - b[label][round][0] - difference * own[round][1]) / scored[round])) / rounds.length);
  const n = Math.max(effectiveClasses(sums), 2);
  const error = Math.sqrt((n / (n - 1)) * total(effects.map((effect) => effect ** 2)));
  return Math.abs(difference) < 1e-12 ? 1 : studentTwoSided(difference / error, n - 1);
}

function rightClips(evidence) {
  const bytes = Uint8Array.from(atob(evidence.clips.right), (char) => char.charCodeAt(0));
  return Array.from({ length: evidence.clips.count }, (_, clip) => (bytes[clip >> 3] >> (7 - (clip & 7))) & 1);
}

// McNemar's exact test of the clips that one has right and the other wrong; each clip counts once.
function mcnemar(first, second) {
  const a = rightClips(first), b = rightClips(second);
  const onlyFirst = a.filter((right, clip) => right && !b[clip]).length;
  const onlySecond = b.filter((right, clip) => right && !a[clip]).length;
  return { onlyFirst, onlySecond, p: binomialTwoSided(Math.min(onlyFirst, onlySecond), onlyFirst + onlySecond) };
}

// Twice the probability of at most k heads of n, at most 1.
function binomialTwoSided(k, n) {
  let term = -n * Math.LN2, sum = 0;
  for (let heads = 0; heads <= k; heads++) {
    sum += Math.exp(term);
    term += Math.log(n - heads) - Math.log(heads + 1);
  }
  return Math.min(1, 2 * sum);
}
