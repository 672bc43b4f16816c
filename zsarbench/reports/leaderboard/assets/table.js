// The table of a protocol: rows chosen and ordered from data, drawn only as far as they are looked at.

const BATCH = 60;
const FIELDS = ["group", "cells", "about", "notes", "id", "encoder", "contaminated", "unranked", "bar"];

// Rows as objects with their texts in place of numbers; once for each protocol.
function unpacked(table) {
  const text = (number) => table.strings[number];
  table.all ??= table.rows.map((packed) => {
    const row = Object.fromEntries(FIELDS.map((name, place) => [name, packed[place]]));
    row.cells = row.cells.map(text);
    for (const name of ["about", "id", "encoder", "contaminated"]) row[name] = text(row[name]);
    [row.kind, row.heading, row.train] = table.groups[row.group];
    return row;
  });
  return table.all;
}

function searchText(table, row) {
  row.search ??= [...row.cells, row.about, row.heading, row.id, ...row.notes.map((note) => table.notes[note][0])]
    .join(" ").toLowerCase();
  return row.search;
}

const wordsOf = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);

function chosen(table, state) {
  const words = wordsOf(state.q);
  return unpacked(table).filter((row) =>
    (!state.kind || row.kind === state.kind) &&
    (!state.train || row.train === state.train) &&
    (!state.encoder || row.encoder === state.encoder) &&
    (!state.contaminated || row.contaminated === state.contaminated) &&
    words.every((word) => searchText(table, row).includes(word)));
}

function sortKey(text) {
  const digits = text.replaceAll(",", "").replace(/^≥ /, "");
  return /^[\d.]/.test(digits) && !/^\d{4}-/.test(digits) ? parseFloat(digits) : text.toLowerCase();
}

function compareKeys(left, right) {
  if (typeof left === typeof right) return left < right ? -1 : left > right ? 1 : 0;
  return typeof left === "number" ? -1 : 1; // what has no number stands after what has one
}

function ordered(table, rows, state) {
  const [, heading, direction] = /^(.*):(asc|desc)$/.exec(state.sort) ?? [];
  const column = table.columns.findIndex(([name]) => name === heading);
  const main = table.columns.findIndex(([, kind]) => kind === "main");
  if (column < 0 && !(state.across && main >= 0)) return rows;
  const place = column < 0 ? main : column, sign = column < 0 || direction === "desc" ? -1 : 1;
  const keyed = rows.map((row) => ({ row, key: sortKey(row.cells[place]) }));
  const missing = ({ key }) => key === "–" || key === "";
  keyed.sort((a, b) =>
    (state.across ? 0 : a.row.group - b.row.group) ||
    missing(a) - missing(b) ||
    compareKeys(a.key, b.key) * (missing(a) ? 1 : sign));
  return keyed.map(({ row }) => row);
}

// --- drawing ---

function barOf(row) {
  if (!row.bar) return null;
  const [value, low, high, chance] = row.bar;
  const parts = [drawing("path", { class: "axis", d: "M4 7H116" })];
  if (chance != null) parts.push(drawing("path", { class: "chance", d: `M${chance} 2V12` }));
  if (low != null && high != null) parts.push(drawing("path", { class: "interval", d: `M${low} 7H${high}` }));
  parts.push(drawing("circle", { class: row.kind, cx: value, cy: 7, r: 3.5 }));
  return drawing("svg", { class: "bar", viewBox: "0 0 120 14", width: 120, height: 14, "aria-hidden": "true" }, ...parts);
}

function methodCell(table, row, text, state, actions) {
  const marks = row.notes.map((note) =>
    element("button", { type: "button", class: "mark", "aria-label": `note ${note + 1}`, onclick: () => actions.note(note) },
      `[${note + 1}]`));
  const links = row.id ? [] : row.notes.flatMap((note) => table.notes[note][1]).slice(0, 2);
  const about = [state.across ? row.heading : "", row.about].filter(Boolean).join(" · ");
  const open = row.id && element("button", {
    type: "button", class: "open", "aria-expanded": String(state.row === row.id), "data-id": row.id,
    onclick: () => actions.toggle(row.id),
  }, "Details", element("span", { class: "hidden" }, `: ${text}`));
  const pick = row.id && element("label", { class: "pick" },
    element("input", { type: "checkbox", "data-pick": row.id, oninput: () => actions.pick(row.id) }),
    "compare", element("span", { class: "hidden" }, ` ${text} ${row.about}`));
  if (pick) pick.firstChild.checked = state.pair.split(",").includes(row.id);
  return element("th", { scope: "row" }, text,
    row.unranked ? [" ", element("b", { class: "tag unranked" }, "not ranked")] : "", " ", marks,
    about ? element("span", { class: "about" }, about) : "",
    links.length ? element("span", { class: "about" }, linkList(links)) : "",
    row.id ? element("span", { class: "actions" }, open, " ", pick) : "");
}

function rowElements(table, row, state, actions) {
  const cells = table.columns.map(([, kind, further], place) => {
    const text = row.cells[place];
    if (kind === "method") return methodCell(table, row, text, state, actions);
    const classes = [kind, further ? "further" : "", ["rank", "main", "value", "count"].includes(kind) ? "number" : ""];
    const inside = kind === "interval" ? [barOf(row), element("span", {}, text)] : [text];
    return element("td", { class: classes.filter(Boolean).join(" ") }, inside);
  });
  const drawn = [element("tr", { class: `row ${row.kind}`, "data-row": row.id || null }, cells)];
  if (row.id && state.row === row.id) drawn.push(actions.below(row));
  return drawn;
}

function groupRow(table, row) {
  return element("tr", { class: "group" },
    element("th", { scope: "rowgroup", colspan: table.columns.length },
      element("b", { class: row.kind === "measured" ? "tag" : "tag reported" }, row.kind), row.heading.slice(row.kind.length)));
}

// Append rows up to the next batch; each group stands in a body of its own.
function drawBatch(view, count = BATCH) {
  const { table, rows, state, actions, grid } = view;
  for (const row of rows.slice(view.drawn, view.drawn + count)) {
    const group = state.across ? "all" : row.group;
    if (view.group !== group) {
      view.group = group;
      view.body = element("tbody", {});
      if (!state.across) view.body.append(groupRow(table, row));
      grid.append(view.body);
    }
    view.body.append(...rowElements(table, row, state, actions));
  }
  view.drawn = Math.min(view.drawn + count, rows.length);
  const left = rows.length - view.drawn;
  view.more.hidden = !left;
  view.more.textContent = `Show more rows (${left.toLocaleString("en")} left)`;
}

function headRow(table, state, onsort) {
  const [, sorted, direction] = /^(.*):(asc|desc)$/.exec(state.sort) ?? [];
  return element("tr", {}, table.columns.map(([heading, kind, further]) => {
    const number = ["rank", "main", "value", "count"].includes(kind);
    const classes = [number ? "number" : "", further ? "further" : ""].filter(Boolean).join(" ");
    const order = heading === sorted ? (direction === "asc" ? "ascending" : "descending") : null;
    if (kind === "interval")
      return element("th", { scope: "col" }, heading, element("span", { class: "scale" }, `bar: 0 to ${table.scale}`));
    const first = number && kind !== "rank" ? "desc" : "asc";
    const next = order ? (order === "ascending" ? "desc" : "asc") : first;
    return element("th", { scope: "col", class: classes || null, "aria-sort": order },
      element("button", { type: "button", onclick: () => onsort(`${heading}:${next}`) }, heading));
  }));
}
