// The page: what the address says is drawn, and what is clicked changes the address.

const holder = document.getElementById("tables");
const tabs = [...document.querySelectorAll("[data-protocol]")];
const settingChoice = document.querySelector("#setting select");
const FILTERS = ["encoder", "train", "kind", "contaminated"];
let view = null; // the table that is shown
let shownState = null;

const tabOf = (name) => tabs.find((tab) => tab.dataset.protocol === name) ?? tabs[0];
const loadTable = (tab) => load(`data/${tab.dataset.slug}.js`, "table", tab.dataset.protocol);
const loadRow = (tab, id) => load(`data/${tab.dataset.slug}/${encodeURIComponent(id)}.js`, "row", id);
const loadOverview = () => load("data/overview.js", "overview", "");

function showNavigation(state, tab) {
  const dataset = tab?.dataset.of, setting = settingChoice.value;
  for (const link of document.querySelectorAll("[data-view]"))
    mark(link, "page", link.dataset.view === state.view);
  for (const link of document.querySelectorAll("[data-dataset]")) mark(link, "true", link.dataset.dataset === dataset);
  for (const link of tabs) {
    mark(link, "page", link === tab && !state.view);
    link.parentElement.hidden = link.dataset.of !== dataset || Boolean(setting && link !== tab && link.dataset.setting !== setting);
  }
  for (const name of ["reading", "submit"]) document.getElementById(name).hidden = state.view !== name;
  holder.hidden = ["reading", "submit"].includes(state.view);
}

function mark(link, value, on) {
  if (on) link.setAttribute("aria-current", value);
  else link.removeAttribute("aria-current");
}

async function show() {
  const state = readState(), tab = tabOf(state.p);
  const before = shownState;
  shownState = state;
  showNavigation(state, tab);
  if (["reading", "submit"].includes(state.view) || !tab) return;
  if (state.view === "overview") return showOverview();
  const name = tab.dataset.protocol;
  try {
    const table = await loadTable(tab);
    if (shownState !== state) return;
    const samePlace = view && view.name === name && before && !before.view;
    if (!samePlace) frame(name, tab, table, state);
    update(state, samePlace ? before : null);
  } catch (error) {
    holder.replaceChildren(element("p", { class: "verdict" }, `This table cannot be shown: ${error.message}.`));
  }
}

async function showOverview(limit = 100) {
  view = null;
  const overview = await loadOverview();
  if (shownState.view === "overview") holder.replaceChildren(...overviewOf(overview, limit, () => showOverview(limit + 400)));
}

// --- one protocol ---

function frame(name, tab, table, state) {
  const status = element("output", { role: "status" }), hint = element("div", { class: "hint" });
  const form = filterForm(table, state, status);
  const head = element("thead", {}), grid = element("table", {},
    element("caption", {}, `${name}, accuracies in %`, element("span", {}, ` · ${table.about}`)), head);
  const more = element("button", { type: "button", class: "more", hidden: true, onclick: () => drawBatch(view) });
  const pair = element("section", { class: "pair", id: "pair", "aria-live": "polite", tabindex: "-1" });
  const notes = notesOf(table);
  holder.replaceChildren(
    element("h2", {}, name), table.summary ? element("p", {}, table.summary) : "", form, hint, pair,
    element("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": `Table of ${name}` }, grid), more,
    notes, ...table.remarks.map((remark) => element("p", { class: "remark" }, remark)), leftOut(table), downloads(tab));
  view = { name, tab, table, form, status, hint, head, grid, more, pair, notes, actions: actionsOf(tab, notes) };
  new IntersectionObserver((seen) => seen.some((item) => item.isIntersecting) && !more.hidden && drawBatch(view),
    { rootMargin: "400px" }).observe(more);
}

function update(state, before) {
  const drawnBy = ["q", "sort", "across", ...FILTERS];
  if (!before || drawnBy.some((name) => before[name] !== state[name])) {
    redraw(state);
    if (before && before.q !== state.q && state.q) toFirstHit();
  } else if (before.row !== state.row) {
    view.state = state;
    closeRow(before.row);
    openRow(state.row);
  }
  view.state = state;
  if (!before || before.pair !== state.pair) showPair(state);
  for (const box of view.grid.querySelectorAll("[data-pick]")) box.checked = picked(state).includes(box.dataset.pick);
}

function redraw(state) {
  const { table, grid, head } = view;
  for (const body of [...grid.tBodies]) body.remove();
  const focused = head.contains(document.activeElement) ? document.activeElement.textContent : null;
  head.replaceChildren(headRow(table, state, (sort) => changeState({ sort })));
  if (focused) [...head.querySelectorAll("button")].find((button) => button.textContent === focused)?.focus();
  const rows = ordered(table, chosen(table, state), state);
  Object.assign(view, { rows, state, drawn: 0, group: null, body: null });
  drawBatch(view, Math.max(BATCH, state.row ? rows.findIndex((row) => row.id === state.row) + 20 : 0));
  const all = unpacked(table).length;
  view.status.textContent = `${rows.length.toLocaleString("en")} of ${all.toLocaleString("en")} rows`;
  grid.parentElement.hidden = !rows.length;
  showHint(state, rows.length);
}

async function showHint(state, count) {
  const { hint, name } = view;
  hint.replaceChildren();
  if (!state.q && count) return;
  const filtered = FILTERS.some((filter) => state[filter]);
  const overview = state.q ? await loadOverview() : null;
  if (shownState.q !== state.q || view.name !== name) return;
  const others = overview ? elsewhere(overview, state.q, name) : [];
  const clear = () => changeState({ q: "", ...Object.fromEntries(FILTERS.map((filter) => [filter, ""])) });
  const parts = [];
  if (!count) {
    parts.push(element("p", {}, `No row of ${name} ${state.q ? `has “${state.q}”` : "fits"}${filtered ? " under these filters" : ""}. `,
      element("button", { type: "button", onclick: () => { clear(); view.form.querySelector("input").focus(); } }, "Clear search and filters")));
  }
  if (others.length) {
    const links = others.slice(0, 12).flatMap(([other, hits], number) =>
      [number ? ", " : "", element("a", { href: addressOf({ ...DEFAULTS, p: other, q: state.q }) }, other), ` (${hits})`]);
    parts.push(element("p", {}, `Methods of this name elsewhere: `, links, others.length > 12 ? ` and ${others.length - 12} more protocols` : ""));
  } else if (!count && state.q) {
    parts.push(element("p", {}, "No method of that name stands on another protocol either. The search reads methods, parts, groups and sources; ",
      element("a", { href: "#view=overview" }, "the overview lists all methods"), "."));
  }
  hint.replaceChildren(...parts);
}

function toFirstHit() {
  const first = view.grid.querySelector("tr.row");
  if (!first) return;
  const { top, bottom } = first.getBoundingClientRect();
  if (top < 0 || bottom > innerHeight) first.scrollIntoView({ block: "center" });
}

// --- filters ---

function filterForm(table, state, status) {
  const rows = unpacked(table);
  const values = (name) => [...new Set(rows.map((row) => row[name]))].filter((value) => value && value !== "–").sort();
  const form = element("form", { role: "search", class: "filters" },
    element("label", {}, "Search ", input()),
    element("details", { class: "choices", open: innerWidth > 800 || FILTERS.some((name) => state[name]) }, element("summary", {}, "Filters"),
    choice("encoder", "encoder", values("encoder")),
    choice("train", "trained on", values("train"), (value) => (value === "none" ? "nothing" : value)),
    choice("kind", "rows", values("kind")),
    choice("contaminated", "contaminated classes", values("contaminated")),
    element("label", {}, across(), " sort across groups")), status);
  form.addEventListener("submit", (event) => event.preventDefault());
  return form;

  function input() {
    const field = element("input", { type: "search", name: "q", autocomplete: "off", placeholder: "method, part, paper …",
      oninput: () => changeState({ q: field.value }, true) });
    field.value = state.q;
    return field;
  }
  function across() {
    const box = element("input", { type: "checkbox", name: "across", oninput: () => changeState({ across: box.checked ? "1" : "" }) });
    box.checked = Boolean(state.across);
    return box;
  }
  function choice(name, label, options, shown = (value) => value) {
    if (options.length < 2) return "";
    const select = element("select", { name, oninput: () => changeState({ [name]: select.value }) },
      element("option", { value: "" }, "all"), options.map((value) => element("option", { value }, shown(value))));
    select.value = state[name];
    return element("label", {}, `${label} `, select);
  }
}

function matchForm(state) {
  if (!view) return;
  for (const field of view.form.querySelectorAll("input, select")) {
    if (field.type === "checkbox") field.checked = Boolean(state[field.name]);
    else if (field.value !== state[field.name]) field.value = state[field.name];
  }
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
      const now = picked(readState());
      changeState({ pair: (now.includes(id) ? now.filter((other) => other !== id) : [...now, id].slice(-2)).join(",") });
    },
    below: (row) => {
      const cell = element("td", { colspan: view.table.columns.length }, "Loading …");
      loadRow(tab, row.id).then(
        (details) => cell.replaceChildren(detailsOf(details, `details-${row.id}`)),
        (error) => cell.replaceChildren(`The details cannot be shown: ${error.message}.`));
      return element("tr", { class: "more", "data-below": row.id }, cell);
    },
  };
}

const picked = (state) => state.pair.split(",").filter(Boolean);

function closeRow(id) {
  if (!id) return;
  view.grid.querySelector(`tr[data-below="${CSS.escape(id)}"]`)?.remove();
  view.grid.querySelector(`button[data-id="${CSS.escape(id)}"]`)?.setAttribute("aria-expanded", "false");
}

function openRow(id) {
  const row = id && view.rows.find((item) => item.id === id);
  const place = row && view.grid.querySelector(`tr[data-row="${CSS.escape(id)}"]`);
  if (!place) return;
  view.grid.querySelector(`button[data-id="${CSS.escape(id)}"]`).setAttribute("aria-expanded", "true");
  place.after(view.actions.below(row));
}

async function showPair(state) {
  const { pair, tab, table } = view, ids = picked(state);
  if (!ids.length) return pair.replaceChildren();
  const rows = ids.map((id) => unpacked(table).find((row) => row.id === id));
  const method = table.columns.findIndex(([, kind]) => kind === "method");
  const named = (row) => row?.cells[method] ?? "a row that is not here";
  const full = (row) => (rows.length === 2 && named(rows[0]) === named(rows[1]) && row ? `${named(row)} (${row.about})` : named(row));
  const clear = element("button", { type: "button", class: "clear", onclick: () => changeState({ pair: "" }) }, "Clear");
  if (ids.length < 2 || rows.includes(undefined))
    return pair.replaceChildren(element("p", {}, `${named(rows[0])} is picked. Pick a second row to compare both on the same clips. `, clear));
  try {
    const details = await Promise.all(ids.map((id) => loadRow(tab, id)));
    const evidence = details[0].evidence;
    const draws = evidence && evidence.kept.length >= FEWEST_CLASSES
      ? await load(`data/draws-${evidence.kept.length}.js`, "draws", evidence.kept.length) : null;
    if (readState().pair !== state.pair) return;
    pair.replaceChildren(clear, ...pairOf(rows.map(full), details, draws));
    pair.focus({ preventScroll: true });
    pair.scrollIntoView({ block: "start" });
  } catch (error) {
    pair.replaceChildren(element("p", {}, `The pair cannot be shown: ${error.message}. `, clear));
  }
}

// --- below the table ---

function notesOf(table) {
  if (!table.notes.length) return element("div", {});
  return folded(`Notes and sources (${table.notes.length})`, () =>
    element("ol", { class: "notes" }, table.notes.map(([text, links], number) =>
      element("li", { "data-note": number, tabindex: "-1" }, text, links.length ? [" ", linkList(links)] : ""))), table.notes.length <= 60);
}

function leftOut(table) {
  if (!table.leftOut.length) return "";
  return folded(`${table.leftOut.length} results left out of this table, with reasons`, () =>
    element("ul", {}, table.leftOut.map((line) => element("li", {}, line))));
}

function downloads(tab) {
  if (!("downloads" in tab.dataset)) return "";
  const files = [["CSV", ".csv"], ["JSON", ".json"], ["LaTeX (booktabs)", ".tex"], ["every round, CSV", "-rounds.csv"]];
  return element("p", { class: "downloads" }, "Download this table: ", files.flatMap(([label, suffix], number) =>
    [number ? ", " : "", element("a", { href: `downloads/${tab.dataset.slug}${suffix}`, download: true }, label)]));
}

// --- start ---

addEventListener("hashchange", () => {
  show();
  matchForm(readState());
});
document.getElementById("setting").hidden = settingChoice.options.length < 3;
settingChoice.addEventListener("input", () => showNavigation(readState(), tabOf(readState().p)));
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main").focus();
});
show();
