// The table of a protocol, drawn only as far as it is looked at.

const BATCH = 60;

function headRow(table, state, onsort) {
  const { heading: sorted, direction } = sortedBy(state);
  return element("tr", {}, table.columns.map(([heading, kind, further]) => {
    const classes = [isNumber(kind) && "number", further && "further"].filter(Boolean).join(" ") || null;
    if (kind === "interval")
      return element("th", { scope: "col" }, heading, element("span", { class: "scale" }, `bar: 0 to ${table.scale}`));
    const order = heading !== sorted ? null : direction === "asc" ? "ascending" : "descending";
    const first = isNumber(kind) && kind !== "rank" ? "desc" : "asc";
    const next = order === null ? first : order === "ascending" ? "desc" : "asc";
    return element("th", { scope: "col", class: classes, "aria-sort": order },
      button({ onclick: () => onsort(`${heading}:${next}`) }, heading));
  }));
}

// Append rows up to the next batch; each group stands in a body of its own.
function drawBatch(view, count = BATCH) {
  const { table, rows, state, grid, more } = view;
  for (const row of rows.slice(view.drawn, view.drawn + count)) {
    const group = state.across ? "all" : row.group;
    if (view.group !== group) {
      view.group = group;
      view.body = element("tbody", {}, state.across ? "" : groupRow(table, row));
      grid.append(view.body);
    }
    view.body.append(...rowElements(view, row));
  }
  view.drawn = Math.min(view.drawn + count, rows.length);
  more.hidden = view.drawn === rows.length;
  more.textContent = `Show more rows (${counted(rows.length - view.drawn)} left)`;
}

function groupRow(table, row) {
  const tag = element("b", { class: `tag ${row.kind}` }, row.kind);
  return element("tr", { class: "group" },
    element("th", { scope: "rowgroup", colspan: table.columns.length }, tag, row.heading.slice(row.kind.length)));
}

function rowElements(view, row) {
  const cells = view.table.columns.map(([, kind, further], place) => {
    const text = row.cells[place];
    if (kind === "method") return methodCell(view, row, text);
    const classes = [kind, further && "further", isNumber(kind) && "number"].filter(Boolean).join(" ");
    return element("td", { class: classes }, kind === "interval" ? [barOf(row), element("span", {}, text)] : text);
  });
  const drawn = [element("tr", { class: `row ${row.kind}`, "data-row": row.id || null }, cells)];
  if (row.id && view.state.row === row.id) drawn.push(view.actions.below(row));
  return drawn;
}

function methodCell({ table, state, actions }, row, name) {
  const marks = row.notes.map((note) =>
    button({ class: "mark", "aria-label": `note ${note + 1}`, onclick: () => actions.note(note) }, `[${note + 1}]`));
  const about = [state.across ? row.heading : "", row.about].filter(Boolean).join(" · ");
  const links = row.id ? [] : row.notes.flatMap((note) => table.notes[note][1]).slice(0, 2);
  return element("th", { scope: "row" }, element("div", { class: "method" },
    element("div", {}, element("span", { class: "name" }, name), " ",
      row.unranked ? [element("b", { class: "tag unranked" }, "not ranked"), " "] : "",
      row.backing ? [backingOf(table, row), " "] : "", marks,
      about ? element("span", { class: "about" }, about) : "",
      links.length ? element("span", { class: "about" }, linkList(links)) : ""),
    row.id ? rowActions(row, name, state, actions) : ""));
}

const backingOf = ({ badges }, { backing }) =>
  element("b", { class: `tag ${backing}`, title: badges[backing] }, backing);

function rowActions(row, name, state, actions) {
  const open = button({
    class: "open", "aria-expanded": String(state.row === row.id), "data-id": row.id,
    onclick: () => actions.toggle(row.id),
  }, "Details", unseen(`: ${name} ${row.about}`));
  const box = element("input", { type: "checkbox", "data-pick": row.id, oninput: () => actions.pick(row.id) });
  box.checked = pickedIn(state).includes(row.id);
  return element("div", { class: "actions" }, open,
    element("label", { class: "pick" }, box, "compare", unseen(` ${name} ${row.about}`)));
}

// The interval with the mean as a dot and chance as an upright stroke; the cell says it in words.
function barOf(row) {
  if (!row.bar) return null;
  const [value, low, high, chance] = row.bar;
  const parts = [drawing("path", { class: "axis", d: "M4 7H116" })];
  if (chance != null) parts.push(drawing("path", { class: "chance", d: `M${chance} 2V12` }));
  if (low != null && high != null) parts.push(drawing("path", { class: "interval", d: `M${low} 7H${high}` }));
  parts.push(drawing("circle", { class: row.kind, cx: value, cy: 7, r: 3.5 }));
  return drawing("svg",
    { class: "bar", viewBox: "0 0 120 14", width: 120, height: 14, "aria-hidden": "true" }, ...parts);
}
