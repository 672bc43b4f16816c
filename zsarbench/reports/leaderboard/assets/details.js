// What opens below a measured row.

const NO_PREDICTIONS = "No predictions are kept from which the figures of this result follow, so accuracies by class " +
  "and paired differences cannot be shown. The command above computes them.";

function detailsOf(details) {
  const { evidence } = details;
  return element("div", { class: "details" },
    command(details.command),
    element("p", {}, "Paper and code: ", details.links.length ? linkList(details.links) : "none is named",
      ". Lists of the protocol: ", details.protocolLinks.length ? linkList(details.protocolLinks) : "see its file",
      ". ", filesOf(details), "."),
    element("h3", {}, "Trained on"),
    definitions(details.trainedOn),
    element("h3", {}, "What it gets right"),
    evidence ? evidenceOf(evidence) : element("p", { class: "remark" }, NO_PREDICTIONS),
    element("h3", {}, "How it was measured"),
    folded("Parts, parameters, seconds, commit, code", () => definitions(makingOf(details))),
    folded(`Rounds (${details.rounds.rows.length})`, () =>
      simpleTable("Every round, accuracies in %", details.rounds.columns, details.rounds.rows)),
    folded(`History of this request (${details.history.length})`, () =>
      simpleTable("The same request over versions, oldest first",
        ["date", "%", "protocol", "zsarbench", "commit", "result"], details.history, 9)));
}

function filesOf({ file, predictions }) {
  const files = [element("a", { href: file }, "Result file")];
  if (predictions) files.push(element("a", { href: predictions, download: true }, "predictions"));
  return joined(files);
}

function makingOf(details) {
  return [
    ["commit", commitOf(details)],
    ...details.distributions.map(([plugins, distribution]) => [`code of ${plugins}`, distribution]),
    ...details.parameters.map(([what, value]) => [`parameters, ${what}`, value]),
    ...details.seconds.map(([what, value]) => [`seconds, ${what}`, counted(value)]),
    ...details.facts,
  ];
}

function commitOf({ commit, dirty }) {
  if (!commit) return "not stated";
  const { repository } = document.body.dataset;
  const shown = commit.slice(0, 12) + (dirty ? " with changes" : "");
  return repository ? outside([commit, `${repository}/commit/${commit}`], shown) : shown;
}

function evidenceOf(evidence) {
  const name = (label) => evidence.classes[label] ?? "–";
  const wrong = evidence.wrong.map(([clip, own, other, share]) => [clip, name(own), name(other), percent(share)]);
  return element("div", {},
    folded(`Accuracy of the ${evidence.kept.length} classes`, () => classBars(classTotals(evidence)), true),
    folded("Confusions", () => confusionsOf(evidence, name)),
    folded("Clips most often wrong", () =>
      simpleTable("Clips most often wrong", ["clip", "class", "mostly taken for", "% of rounds wrong"], wrong, 3)));
}

function classBars(totals) {
  const orders = {
    "lowest first": (a, b) => a.share - b.share,
    "highest first": (a, b) => b.share - a.share,
    "by name": (a, b) => (a.name < b.name ? -1 : 1),
  };
  return inOrders(orders, (order) =>
    simpleTable("Accuracy by class, in %", ["class", "bar", "%", "clips"], [...totals].sort(order).map((item) =>
      [item.name, meter(item.share), percent(item.share), counted(Math.round(item.clips))]), 2));
}

function meter(share) {
  return drawing("svg", { class: "meter", viewBox: "0 0 120 10", width: 120, height: 10, "aria-hidden": "true" },
    drawing("rect", { class: "ground", width: 120, height: 10 }),
    drawing("rect", { class: "filled", width: (120 * Math.max(0, share)).toFixed(1), height: 10 }));
}

function confusionsOf(evidence, name) {
  const largest = evidence.confusions.slice(0, 15)
    .map(([own, other, clips]) => [name(own), name(other), counted(Math.round(clips))]);
  return element("div", {},
    simpleTable("What is most often taken for what", ["class", "taken for", "clips"], largest, 2),
    confusionMap(evidence));
}

// A picture of all pairs of classes; the list above it says the largest in words.
function confusionMap(evidence) {
  const size = 8, side = size * evidence.kept.length, totals = classTotals(evidence);
  const place = new Map(evidence.kept.map((label, number) => [label, number]));
  const cell = (own, other, share, title) =>
    drawing("rect", { x: other * size, y: own * size, width: size, height: size, "fill-opacity": share.toFixed(3) },
      drawing("title", {}, title));
  const right = totals.map(({ name, share }, own) => cell(own, own, share, `${name}: ${percent(share)} % right`));
  const wrong = evidence.confusions.filter(([own, other]) => place.has(own) && place.has(other))
    .map(([own, other, clips]) => {
      const { name, clips: all } = totals[place.get(own)], share = Math.min(1, clips / Math.max(all, 1));
      const title = `${name} taken for ${evidence.classes[other]}: ${percent(share)} %`;
      return cell(place.get(own), place.get(other), share, title);
    });
  const map = { class: "map", viewBox: `0 0 ${side} ${side}`, role: "img", "aria-label": "Confusions of all classes" };
  return element("figure", {}, drawing("svg", map, ...right, ...wrong), element("figcaption", {},
    "Rows are classes, columns what they were taken for; darker is more. Names appear under the pointer."));
}
