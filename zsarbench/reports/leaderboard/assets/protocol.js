// One protocol: its table, what is filtered and picked in it, and what stands around it.

let view = null; // the protocol that is shown, and the elements that change

function showProtocol(tab, table, state) {
  const name = tab.dataset.protocol, rows = rowsOf(table);
  const status = element("output", { role: "status" }), hint = element("div", { class: "hint" });
  const head = element("thead", {});
  const grid = element("table", {},
    element("caption", {}, `${name}, accuracies in %`, element("span", {}, ` · ${table.about}`)), head);
  const more = button({ class: "more", hidden: true, onclick: () => drawBatch(view) });
  const pair = element("section", { class: "pair", id: "pair", tabindex: "-1", "aria-label": "Two rows compared" });
  const form = filterForm(rows, state, status), notes = notesOf(table);
  const scroll = scrolled(`Table of ${name}`, grid);
  const remarks = table.remarks.map((remark) => element("p", { class: "remark" }, remark));
  holder.replaceChildren(
    element("h2", {}, name), table.summary ? element("p", {}, table.summary) : "", sharedRanks(table, rows),
    downloads(tab), form, hint, pair, scroll, more, notes, ...remarks, leftOut(table));
  const actions = actionsOf(tab, notes);
  view = { name, tab, table, form, status, hint, head, grid, scroll, more, pair, actions, state: null };
  new IntersectionObserver((seen) => seen.some((item) => item.isIntersecting) && !more.hidden && drawBatch(view),
    { rootMargin: "400px" }).observe(more);
}

// Draw what differs from what is shown; at first, everything.
function updateProtocol(state) {
  const before = view.state;
  const differs = (...names) => !before || names.some((name) => before[name] !== state[name]);
  view.state = state;
  matchForm(view.form, state);
  if (differs("q", "sort", "across", ...FILTERS)) {
    redraw();
    if (before && state.q && differs("q")) bringIntoView(view.grid.querySelector("tr.row"));
  } else if (differs("row")) {
    closeRow(before.row);
    openRow(state.row);
  }
  if (state.row && differs("row")) bringIntoView(inGrid("tr", "row", state.row));
  if (differs("p", "q", "row", ...FILTERS)) showHint();
  if (differs("pair")) showPair();
  for (const box of view.grid.querySelectorAll("[data-pick]"))
    box.checked = pickedIn(state).includes(box.dataset.pick);
}

function redraw() {
  const { table, grid, head, scroll, state, status } = view;
  for (const body of [...grid.tBodies]) body.remove();
  const focused = head.contains(document.activeElement) ? document.activeElement.textContent : null;
  head.replaceChildren(headRow(table, state, (sort) => changeState({ sort })));
  [...head.querySelectorAll("button")].find((item) => item.textContent === focused)?.focus();
  const rows = ordered(table, chosen(table, state), state);
  Object.assign(view, { rows, drawn: 0, group: null, body: null });
  drawBatch(view, Math.max(BATCH, state.row ? rows.findIndex((row) => row.id === state.row) + 20 : 0));
  status.textContent = `${counted(rows.length)} of ${counted(rowsOf(table).length)} rows`;
  scroll.hidden = !rows.length;
}

// Scroll to a row, unless it is in sight or is not in the table.
function bringIntoView(row) {
  if (!row) return;
  const { top, bottom } = row.getBoundingClientRect();
  if (top < 0 || bottom > innerHeight) row.scrollIntoView({ block: "center" });
}

// --- where a search finds nothing, and where else it does ---

async function showHint() {
  const { hint, state, rows } = view, shown = view;
  const lost = lostOf(state);
  hint.replaceChildren(...lost);
  if (!state.q && rows.length) return;
  const others = state.q ? elsewhere(await loadOverview(), state.q, view.name) : [];
  if (view !== shown || view.state !== state) return;
  hint.replaceChildren(...lost, ...rows.length ? [] : [nothingFound()], ...others.length ? [elsewhereLine(others)] : []);
  if (!rows.length && !others.length && state.q) hint.append(element("p", {},
    "No method of that name stands on another protocol either. The search reads methods, parts, groups and sources; ",
    element("a", { href: "#view=overview" }, "the overview lists all methods"), "."));
}

// What the address requests and the page does not have, such as a result that a newer one replaced.
function lostOf({ p, row }) {
  const { name, table } = view, lines = [];
  if (p && p !== name) lines.push(`This page has no protocol “${p}”; it shows ${name}.`);
  if (row && !rowsOf(table).some((one) => one.id === row))
    lines.push(`The table of ${name} has no row “${row}”; a newer result may have replaced it.`);
  return lines.map((line) => element("p", { class: "verdict" }, line));
}

function nothingFound() {
  const { name, state, form } = view;
  const filtered = FILTERS.some((filter) => state[filter]) ? " under these filters" : "";
  const clear = () => {
    changeState({ q: "", ...Object.fromEntries(FILTERS.map((filter) => [filter, ""])) });
    form.querySelector("input").focus();
  };
  return element("p", {}, `No row of ${name} ${state.q ? `has “${state.q}”` : "fits"}${filtered}. `,
    button({ onclick: clear }, "Clear search and filters"));
}

function elsewhereLine(others) {
  const links = others.slice(0, 12).map(([name, hits]) =>
    [element("a", { href: addressOfProtocol(name, { q: view.state.q }) }, name), ` (${hits})`]);
  const left = others.length > 12 ? ` and ${others.length - 12} more protocols` : "";
  return element("p", {}, "Methods of this name elsewhere: ", joined(links), left);
}

// --- rows that open, and pairs ---

function actionsOf(tab, notes) {
  return {
    note: (number) => {
      notes.open = true;
      notes.dispatchEvent(new Event("toggle"));
      const item = notes.querySelector(`[data-note="${number}"]`);
      item.focus();
      item.scrollIntoView({ block: "center" });
    },
    toggle: (id) => changeState({ row: readState().row === id ? "" : id }),
    pick: (id) => {
      const now = pickedIn(readState());
      const next = now.includes(id) ? now.filter((other) => other !== id) : [...now, id].slice(-2);
      changeState({ pair: next.join(",") });
    },
    below: (row) => {
      const cell = element("td", { colspan: view.table.columns.length }, "Loading …");
      loadRow(tab, row.id).then(
        (details) => cell.replaceChildren(detailsOf(details)),
        (error) => cell.replaceChildren(`The details cannot be shown: ${error.message}.`));
      return element("tr", { class: "below", "data-below": row.id }, cell);
    },
  };
}

const inGrid = (tag, data, id) => view.grid.querySelector(`${tag}[data-${data}="${CSS.escape(id)}"]`);

function closeRow(id) {
  if (!id) return;
  inGrid("tr", "below", id)?.remove();
  inGrid("button", "id", id)?.setAttribute("aria-expanded", "false");
}

function openRow(id) {
  const number = id ? view.rows.findIndex((row) => row.id === id) : -1;
  if (number < 0) return;
  if (number >= view.drawn) return drawBatch(view, number + 20 - view.drawn); // which opens it
  inGrid("button", "id", id).setAttribute("aria-expanded", "true");
  inGrid("tr", "row", id).after(view.actions.below(view.rows[number]));
}

async function showPair() {
  const { pair, tab, table, state } = view, ids = pickedIn(state);
  const clear = button({ class: "clear", onclick: () => changeState({ pair: "" }) }, "Clear");
  const rows = ids.map((id) => rowsOf(table).find((row) => row.id === id));
  if (!ids.length) return pair.replaceChildren();
  if (rows.includes(undefined))
    return pair.replaceChildren(element("p", {}, `The table of ${view.name} has no row “${ids[rows.indexOf(undefined)]}”, `,
      "which is to be compared. ", clear));
  const names = namesOf(rows);
  if (ids.length < 2)
    return pair.replaceChildren(element("p", {},
      `${names[0]} is picked. Pick a second row to compare both on the same clips. `, clear));
  try {
    const details = await Promise.all(ids.map((id) => loadRow(tab, id)));
    const nClasses = details[0].evidence?.kept.length ?? 0;
    const draws = nClasses >= FEWEST_CLASSES ? await loadDraws(nClasses) : null;
    if (readState().pair !== state.pair) return;
    pair.replaceChildren(clear, ...pairOf(names, details, draws));
    pair.focus({ preventScroll: true });
    pair.scrollIntoView({ block: "start" });
  } catch (error) {
    pair.replaceChildren(element("p", {}, `The pair cannot be shown: ${error.message}. `, clear));
  }
}

// What picked rows are called: by their methods, with settings where both are of one method.
function namesOf(rows) {
  const method = columnOf(view.table, "method"), names = rows.map((row) => row.cells[method]);
  return names[0] === names[1] ? rows.map((row, number) => `${names[number]} (${row.about})`) : names;
}

// --- around the table ---

// Which rows are distinguished, where any share ranks.
function sharedRanks(table, rows) {
  const rank = columnOf(table, "rank");
  if (rank < 0 || !rows.some((row) => row.cells[rank].includes(" to "))) return "";
  return element("p", { class: "remark" }, "Rows that share ranks, such as 1 to 4, are not distinguished by paired tests ",
    "over classes, corrected for all pairs of a group.");
}

function downloads(tab) {
  if (!("downloads" in tab.dataset)) return "";
  const files = [["CSV", ".csv"], ["JSON", ".json"], ["LaTeX (booktabs)", ".tex"], ["every round, CSV", "-rounds.csv"]];
  return element("p", { class: "downloads" }, "Download this table: ", joined(files.map(([label, suffix]) =>
    element("a", { href: `downloads/${tab.dataset.slug}${suffix}`, download: true }, label))));
}

function notesOf(table) {
  if (!table.notes.length) return element("div", {});
  return folded(`Notes and sources (${table.notes.length})`, () =>
    element("ol", { class: "notes" }, table.notes.map(([text, links], number) =>
      element("li", { "data-note": number, tabindex: "-1" }, text, links.length ? [" ", linkList(links)] : ""))),
    table.notes.length <= BATCH);
}

function leftOut(table) {
  if (!table.leftOut.length) return "";
  const results = table.leftOut.length === 1 ? "1 result" : `${counted(table.leftOut.length)} results`;
  return folded(`${results} left out of this table, with reasons`, () =>
    element("ul", { class: "notes" }, table.leftOut.map((line) => element("li", {}, line))));
}
