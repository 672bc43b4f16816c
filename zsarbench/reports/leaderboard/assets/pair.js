// Two rows on the same clips: which is better, how sure that is, and on which classes.

function pairOf(names, details, draws) {
  const [first, second] = details.map(({ evidence }) => evidence);
  const title = element("h3", {}, `${names[0]} and ${names[1]} on the same clips`);
  const why = obstacle(first, second);
  if (why) return [title, element("p", { class: "verdict" }, `These two cannot be paired: ${why}.`)];
  const result = pairedDifference(first, second, draws);
  return [
    title,
    element("p", { class: "verdict" }, verdict(names, result)),
    definitions(numbersOf(names, first.heading, result, mcnemar(first, second))),
    element("p", { class: "remark" }, "The interval and the first p take whole classes as drawn, since clips of one ",
      "class are not independent; p is of this pair alone, and not corrected for other pairs. McNemar's test takes ",
      "each clip as an independent draw, right where it is right in most rounds, so its p is too small."),
    command(`zsarbench compare ${details.map(({ file }) => file).join(" ")} --paired`),
    classDifferences(names, first, second),
  ];
}

const SURE = 0.05;

function verdict([first, second], { difference, low, high, p }) {
  const [better, worse] = difference >= 0 ? [first, second] : [second, first];
  const sure = low === null ? "there are too few classes for an interval, so this is not known to be more than chance"
    : low <= 0 && high >= 0 ? "the 95 % interval contains zero: no difference is shown"
    : p < SURE ? "the 95 % interval excludes zero: the two methods differ"
    : `the 95 % interval excludes zero, but the paired test does not (p ${inWords(p)}): the difference is not sure`;
  return `${better} is ${percent(Math.abs(difference))} points above ${worse}; ${sure}.`;
}

const inWords = (p) => (p < 0.001 ? "< 0.001" : p.toFixed(3));

function numbersOf([first, second], metric, { difference, low, high, notBetter, p }, test) {
  const turns = notBetter === null ? null : difference >= 0 ? notBetter : 1 - notBetter;
  return [
    [`difference, ${first} − ${second}`, `${signed(difference)} points of ${metric}`],
    ["95 % interval of it, over classes",
      low === null ? `none: fewer than ${FEWEST_CLASSES} classes` : `[${signed(low)}, ${signed(high)}]`],
    ["p of a paired test over classes", p === null ? "–" : inWords(p)],
    ["replicates in which the order turns", turns === null ? "–" : `${percent(turns)} %`],
    ["McNemar, exact, p", inWords(test.p)],
    [`clips that only ${first} has right`, counted(test.onlyFirst)],
    [`clips that only ${second} has right`, counted(test.onlySecond)],
  ];
}

function classDifferences([first, second], a, b) {
  const others = new Map(classTotals(b).map(({ name, share }) => [name, share]));
  const rows = classTotals(a).map(({ name, share, clips }) => {
    const other = others.get(name) ?? 0;
    return { name, share, other, difference: share - other, clips };
  });
  const orders = {
    "largest difference": (x, y) => Math.abs(y.difference) - Math.abs(x.difference),
    [`${first} ahead`]: (x, y) => y.difference - x.difference,
    [`${second} ahead`]: (x, y) => x.difference - y.difference,
    "by name": (x, y) => (x.name < y.name ? -1 : 1),
  };
  const heads = ["class", "bar", "difference", first, second, "clips"];
  return inOrders(orders, (order) => simpleTable("Difference by class, in points", heads, [...rows].sort(order).map(
    (row) => [row.name, lean(row.difference), signed(row.difference), percent(row.share), percent(row.other),
      counted(Math.round(row.clips))]), 2));
}

function lean(difference) {
  const width = 60 * Math.min(1, Math.abs(difference)), left = difference < 0 ? 60 - width : 60;
  const filled = difference < 0 ? "filled below" : "filled";
  return drawing("svg", { class: "meter", viewBox: "0 0 120 10", width: 120, height: 10, "aria-hidden": "true" },
    drawing("rect", { class: "ground", width: 120, height: 10 }),
    drawing("rect", { class: filled, x: left.toFixed(1), width: width.toFixed(1), height: 10 }),
    drawing("path", { class: "zero", d: "M60 0V10" }));
}
