// What opens below a measured row.

function detailsOf(details, ids) {
  const { evidence } = details;
  return element("div", { class: "details", id: ids },
    command(details.command),
    element("p", {}, "Paper and code: ", details.links.length ? linkList(details.links) : "none is named",
      ". Lists of the protocol: ", details.protocolLinks.length ? linkList(details.protocolLinks) : "see its file",
      ". ", element("a", { href: details.file }, "Result file"), "."),
    definitions([
      ...details.trainedOn.map(([what, value]) => [`trained on, ${what}`, value]),
      ...details.parameters.map(([what, value]) => [`parameters, ${what}`, value]),
      ...details.seconds.map(([what, value]) => [`seconds, ${what}`, value.toLocaleString("en")]),
      ["commit", commitOf(details)],
      ...details.facts,
    ]),
    evidence ? evidenceOf(evidence) : element("p", { class: "remark" }, details.missing),
    folded(`Rounds (${details.rounds.rows.length})`, () =>
      simpleTable("Every round, accuracies in %", details.rounds.columns, details.rounds.rows, 0)),
    folded(`History of this request (${details.history.length})`, () =>
      simpleTable("The same request over versions, oldest first", ["date", "%", "protocol", "zsarbench", "commit", "result"],
        details.history, 9)));
}

function commitOf({ commit, dirty }) {
  if (!commit) return "not stated";
  const { repository } = document.body.dataset;
  const shown = commit.slice(0, 12) + (dirty ? " with changes" : "");
  return repository ? outside([commit, `${repository}/commit/${commit}`], shown) : shown;
}

// A part that is drawn when it is opened.
function folded(title, draw, open = false) {
  const made = element("details", { open }, element("summary", {}, title));
  const fill = () => made.open && made.children.length < 2 && made.append(draw());
  made.addEventListener("toggle", fill);
  fill();
  return made;
}

function evidenceOf(evidence) {
  const name = (label) => evidence.classes[label] ?? "–";
  const top = evidence.confusions.slice(0, 15).map(([own, other, count]) => [name(own), name(other), String(count)]);
  const wrong = evidence.wrong.map(([clip, own, other, share]) => [clip, name(own), name(other), percent(share)]);
  return element("div", {},
    folded(`Accuracy of the ${evidence.kept.length} classes`, () => classBars(classTotals(evidence)), true),
    folded("Confusions", () => element("div", {},
      simpleTable("What is most often taken for what", ["class", "taken for", "clips"], top, 2), confusionMap(evidence))),
    folded("Clips most often wrong", () =>
      simpleTable("Clips most often wrong", ["clip", "class", "mostly taken for", "% of rounds wrong"], wrong, 3)));
}

function classBars(totals) {
  const holder = element("div", {});
  const share = ([, right, clips]) => (clips ? right / clips : 0);
  const orders = {
    "lowest first": (a, b) => share(a) - share(b),
    "highest first": (a, b) => share(b) - share(a),
    "by name": (a, b) => (a[0] < b[0] ? -1 : 1),
  };
  const draw = (order) =>
    holder.replaceChildren(simpleTable("Accuracy by class, in %", ["class", "bar", "%", "clips"],
      [...totals].sort(orders[order]).map((row) =>
        [row[0], meter(share(row)), percent(share(row)), String(Math.round(row[2]))]), 2));
  draw("lowest first");
  return element("div", {}, orderChoice(Object.keys(orders), draw), holder);
}

function orderChoice(names, draw) {
  const select = element("select", { oninput: () => draw(select.value) }, names.map((name) => element("option", {}, name)));
  return element("label", {}, "Order ", select);
}

function meter(share) {
  return drawing("svg", { class: "meter", viewBox: "0 0 120 10", width: 120, height: 10, "aria-hidden": "true" },
    drawing("rect", { class: "ground", width: 120, height: 10 }),
    drawing("rect", { class: "filled", width: (120 * Math.max(0, share)).toFixed(1), height: 10 }));
}

// A picture of all pairs of classes; the list above it says the largest in words.
function confusionMap(evidence) {
  const place = new Map(evidence.kept.map((label, number) => [label, number]));
  const clips = classTotals(evidence), n = evidence.kept.length, size = 8;
  const cell = (own, other, share, title) => {
    const made = drawing("rect", { x: other * size, y: own * size, width: size, height: size, "fill-opacity": share.toFixed(3) });
    made.append(drawing("title", {}, title));
    return made;
  };
  const cells = clips.map(([name, right, all], own) =>
    cell(own, own, right / Math.max(all, 1), `${name}: ${percent(right / Math.max(all, 1))} % right`));
  for (const [own, other, count] of evidence.confusions) {
    if (!place.has(own) || !place.has(other)) continue;
    const [name, , all] = clips[place.get(own)], share = count / Math.max(all, 1);
    cells.push(cell(place.get(own), place.get(other), share, `${name} taken for ${evidence.classes[other]}: ${percent(share)} %`));
  }
  return element("figure", {},
    drawing("svg", { class: "map", viewBox: `0 0 ${n * size} ${n * size}`, role: "img", "aria-label": "Confusions of all classes" }, ...cells),
    element("figcaption", {}, "Rows are classes, columns what they were taken for; darker is more. Names appear under the pointer."));
}
