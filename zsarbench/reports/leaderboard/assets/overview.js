// Methods by protocols, for those who look for a method and not for a protocol.

function overviewOf(overview, limit, more) {
  const heads = overview.protocols.map(([name, metric]) =>
    element("th", { scope: "col" }, element("a", { href: addressOf({ ...DEFAULTS, p: name }) }, name),
      element("span", { class: "scale" }, metric)));
  const rows = overview.methods.slice(0, limit).map(([method, cells]) => {
    const by = new Map(cells.map((cell) => [cell[0], cell]));
    return element("tr", {}, element("th", { scope: "row" }, method),
      overview.protocols.map(([name], place) => overviewCell(by.get(place), name, method)));
  });
  const left = overview.methods.length - limit;
  return [
    element("h2", {}, "Methods by protocols"),
    element("p", {}, "The best row of each method, in %: measured where there is one, else what a paper reports, in italics. " +
      "Columns are different tasks: read down, not across; and groups of a table are not ranked against each other."),
    element("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": "Methods by protocols" },
      element("table", { class: "matrix" }, element("caption", {}, `${overview.methods.length} methods on ${overview.protocols.length} protocols`),
        element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "method"), heads)), element("tbody", {}, rows))),
    left > 0 ? element("button", { type: "button", class: "more", onclick: more }, `Show more methods (${left.toLocaleString("en")} left)`) : "",
  ];
}

function overviewCell(cell, protocol, method) {
  if (!cell) return element("td", { class: "number" }, "–");
  const [, value, kind, id] = cell;
  const address = addressOf({ ...DEFAULTS, p: protocol, q: method, row: id });
  const text = value.split(" ")[0];
  return element("td", { class: "number" },
    element("a", { href: address, title: value, "aria-label": `${method} on ${protocol}: ${value}, ${kind}` },
      kind === "measured" ? text : element("i", {}, text)));
}

// Where else methods of this name stand.
function elsewhere(overview, query, here) {
  const words = wordsOf(query), found = new Map();
  if (!words.length) return [];
  for (const [method, cells] of overview.methods) {
    if (!words.every((word) => method.toLowerCase().includes(word))) continue;
    for (const [place] of cells) {
      const [name] = overview.protocols[place];
      if (name !== here) found.set(name, (found.get(name) ?? 0) + 1);
    }
  }
  return [...found];
}
