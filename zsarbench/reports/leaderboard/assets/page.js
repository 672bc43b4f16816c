// The page: what the address says is drawn, and what is clicked changes the address.

const holder = document.getElementById("tables");
const tabs = [...document.querySelectorAll("[data-protocol]")];
const setting = document.querySelector("#setting select");
const WRITTEN = ["reading", "submit"]; // views that stand in the page itself
let shown = null; // the state that was requested last

const tabOf = (name) => tabs.find((tab) => tab.dataset.protocol === name) ?? tabs[0];

async function show() {
  const state = readState(), tab = tabOf(state.p);
  shown = state;
  showNavigation(state, tab);
  if (WRITTEN.includes(state.view) || !tab) return;
  try {
    if (state.view === "overview") return await showOverview();
    const table = await loadTable(tab);
    if (shown !== state) return; // another address was opened meanwhile
    if (view?.tab !== tab || !holder.contains(view.grid)) showProtocol(tab, table, state);
    updateProtocol(state);
  } catch (error) {
    view = null;
    holder.replaceChildren(element("p", { class: "verdict" }, `This cannot be shown: ${error.message}.`));
  }
}

async function showOverview(limit = 100) {
  const overview = await loadOverview();
  if (shown.view !== "overview") return;
  holder.replaceChildren(...overviewOf(overview, limit, () => showOverview(limit + 400)));
}

function showNavigation(state, tab) {
  for (const link of document.querySelectorAll("[data-view]")) {
    mark(link, "page", link.dataset.view === state.view);
    link.href = addressOf({ ...DEFAULTS, p: state.p, view: link.dataset.view });
  }
  document.getElementById("protocols").hidden = Boolean(state.view);
  for (const link of document.querySelectorAll("[data-dataset]"))
    mark(link, "true", link.dataset.dataset === tab?.dataset.of);
  for (const link of tabs) {
    const ofDataset = link.dataset.of === tab.dataset.of;
    const ofSetting = !setting.value || link.dataset.setting === setting.value;
    mark(link, "page", link === tab);
    link.parentElement.hidden = link !== tab && !(ofDataset && ofSetting);
  }
  for (const name of WRITTEN) document.getElementById(name).hidden = state.view !== name;
  holder.hidden = WRITTEN.includes(state.view);
}

function mark(link, value, on) {
  if (on) link.setAttribute("aria-current", value);
  else link.removeAttribute("aria-current");
}

addEventListener("hashchange", show);
addEventListener("beforeprint", () => view && drawBatch(view, view.rows.length)); // on paper nobody asks for more rows
document.getElementById("setting").hidden = setting.options.length < 3;
setting.addEventListener("input", () => showNavigation(readState(), tabOf(readState().p)));
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main").focus();
});
show();
