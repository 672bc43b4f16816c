// Methods by protocols, for those who look for a method and not for a protocol.

function overviewOf({ protocols, methods }, limit, more) {
  const rows = methods.slice(0, limit).map(([method, cells]) => {
    const byProtocol = new Map(cells.map((cell) => [cell[0], cell]));
    return element("tr", {}, element("th", { scope: "row" }, method),
      protocols.map(([name], place) => overviewCell(byProtocol.get(place), name, method)));
  });
  const left = methods.length - limit;
  return [
    element("h2", {}, "Methods by protocols"),
    element("p", {}, "The best row of each method, in %: a ranked one where there is one, else one that was measured and ",
      "is not ranked, in brackets, else what a paper reports, in italics. Columns are different tasks: read down, not across. Groups of a table are not ranked against each ",
      "other."),
    scrolled("Methods by protocols", element("table", { class: "matrix" },
      element("caption", {}, `${methods.length} methods on ${protocols.length} protocols`),
      overviewHead(protocols), element("tbody", {}, rows))),
    left > 0 ? button({ class: "more", onclick: more }, `Show more methods (${counted(left)} left)`) : "",
  ];
}

function overviewHead(protocols) {
  const spans = new Map();
  for (const [, dataset] of protocols) spans.set(dataset, (spans.get(dataset) ?? 0) + 1);
  return element("thead", {},
    element("tr", {}, element("th", { scope: "col", rowspan: 2 }, "method"),
      [...spans].map(([dataset, n]) => element("th", { scope: "colgroup", colspan: n }, dataset))),
    element("tr", {}, protocols.map(([name, dataset, metric]) => element("th", { scope: "col", class: "number" },
      element("a", { href: addressOfProtocol(name), title: name }, name.slice(dataset.length + 1) || name),
      element("span", { class: "scale" }, metric)))));
}

function overviewCell(cell, protocol, method) {
  if (!cell) return element("td", { class: "number" }, "–");
  const [, value, kind, id] = cell;
  const short = value.split(" ±")[0];
  const text = { measured: short, "not ranked": `(${short})` }[kind] ?? element("i", {}, short);
  return element("td", { class: "number" }, element("a", {
    href: addressOfProtocol(protocol, { q: method, row: id }), title: value,
    "aria-label": `${method} on ${protocol}: ${value}, ${kind}`,
  }, text));
}

// Where else methods stand whose names hold the words of a search: [protocol, number of methods].
function elsewhere({ protocols, methods }, query, here) {
  const words = wordsOf(query), found = new Map();
  for (const [method, cells] of words.length ? methods : []) {
    if (!words.every((word) => method.toLowerCase().includes(word))) continue;
    for (const [place] of cells) {
      const [name] = protocols[place];
      if (name !== here) found.set(name, (found.get(name) ?? 0) + 1);
    }
  }
  return [...found];
}
