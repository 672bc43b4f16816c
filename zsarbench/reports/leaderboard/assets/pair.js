// Two rows on the same clips: which is better, how sure that is, and on which classes.

function pairOf(names, details, draws) {
  const [first, second] = details.map(({ evidence }) => evidence);
  const title = element("h3", {}, `${names[0]} and ${names[1]} on the same clips`);
  const why = obstacle(first, second);
  if (why) return [title, element("p", { class: "verdict" }, `These two cannot be paired: ${why}.`)];
  const result = pairedDifference(first, second, draws), test = mcnemar(first, second);
  return [title, verdict(names, result), numbers(names, first, result, test, details), classDifferences(names, first, second)];
}

function verdict([first, second], { difference, low, high }) {
  const [better, worse] = difference >= 0 ? [first, second] : [second, first];
  const points = Math.abs(100 * difference).toFixed(1);
  const sure = low === null ? "there are too few classes for an interval, so this is not known to be more than chance"
    : low > 0 || high < 0 ? "the 95 % interval excludes zero: they are told apart"
    : "the 95 % interval holds zero: they are not told apart";
  return element("p", { class: "verdict" }, `${better} is ${points} points above ${worse}; ${sure}.`);
}

function numbers([first, second], evidence, { difference, low, high, notBetter }, test, details) {
  const interval = low === null ? "none: fewer than 10 classes" : `[${signed(low)}, ${signed(high)}]`;
  const share = notBetter === null ? null : difference >= 0 ? notBetter : 1 - notBetter;
  const files = details.map(({ file }) => file).join(" ");
  return element("div", {},
    definitions([
      [`difference, ${first} − ${second}`, `${signed(difference)} points of ${evidence.metric}`],
      ["95 % interval of it, over classes", interval],
      ["replicates in which the order turns", share === null ? "–" : `${percent(share)} %`],
      ["McNemar, exact", `p ${test.p < 0.0001 ? "< 0.0001" : "= " + test.p.toFixed(4)}`],
      [`clips that only ${first} has right`, test.onlyFirst.toLocaleString("en")],
      [`clips that only ${second} has right`, test.onlySecond.toLocaleString("en")],
    ]),
    element("p", { class: "remark" }, "The interval draws whole classes, as clips of one class are not independent. McNemar's " +
      "test takes each clip as an independent draw, right where it is right in most rounds, so its p is too small; rely on the interval."),
    command(`zsarbench compare ${files} --paired`));
}

function classDifferences([first, second], a, b) {
  const other = new Map(classTotals(b).map(([name, right]) => [name, right]));
  const rows = classTotals(a).map(([name, right, clips]) => {
    const own = right / Math.max(clips, 1), others = (other.get(name) ?? 0) / Math.max(clips, 1);
    return { name, own, others, difference: own - others, clips };
  });
  const orders = {
    "largest difference": (x, y) => Math.abs(y.difference) - Math.abs(x.difference),
    [`${first} ahead`]: (x, y) => y.difference - x.difference,
    [`${second} ahead`]: (x, y) => x.difference - y.difference,
    "by name": (x, y) => (x.name < y.name ? -1 : 1),
  };
  const holder = element("div", {});
  const draw = (order) => holder.replaceChildren(
    simpleTable("Difference by class, in points", ["class", "bar", "difference", first, second, "clips"],
      [...rows].sort(orders[order]).map((row) =>
        [row.name, lean(row.difference), signed(row.difference), percent(row.own), percent(row.others), String(Math.round(row.clips))]), 2));
  draw("largest difference");
  return element("div", {}, orderChoice(Object.keys(orders), draw), holder);
}

function lean(difference) {
  const width = 60 * Math.min(1, Math.abs(difference));
  return drawing("svg", { class: "meter", viewBox: "0 0 120 10", width: 120, height: 10, "aria-hidden": "true" },
    drawing("rect", { class: "ground", width: 120, height: 10 }),
    drawing("rect", { class: difference < 0 ? "filled below" : "filled", x: (difference < 0 ? 60 - width : 60).toFixed(1), width: width.toFixed(1), height: 10 }),
    drawing("path", { class: "zero", d: "M60 0V10" }));
}
