// The form above a table: search, filters, and whether rows are sorted across groups.

function filterForm(rows, state, status) {
  const values = (name) =>
    [...new Set(rows.map((row) => row[name]))].filter((value) => value && value !== "–").sort();
  const open = innerWidth > 512 || FILTERS.some((name) => state[name]);
  const form = element("form", { role: "search", class: "filters", onsubmit: (event) => event.preventDefault() },
    element("label", {}, "Search ", searchField()),
    element("details", { class: "choices", open }, element("summary", {}, "Filters"),
      choice("encoder", "encoder", values("encoder")),
      choice("train", "trained on", values("train"), (value) => (value === "none" ? "nothing" : value)),
      choice("kind", "rows", values("kind")),
      choice("contaminated", "contaminated classes", values("contaminated")),
      element("label", {}, acrossBox(), " sort across groups")),
    status);
  matchForm(form, state);
  return form;
}

function searchField() {
  const field = element("input", {
    type: "search", name: "q", autocomplete: "off", placeholder: "method, part, paper …",
    oninput: () => changeState({ q: field.value }, true),
  });
  return field;
}

function acrossBox() {
  const box = element("input", {
    type: "checkbox", name: "across", oninput: () => changeState({ across: box.checked ? "1" : "" }),
  });
  return box;
}

function choice(name, label, options, shown = (value) => value) {
  if (options.length < 2) return "";
  const select = element("select", { name, oninput: () => changeState({ [name]: select.value }) },
    element("option", { value: "" }, "all"),
    options.map((value) => element("option", { value }, shown(value))));
  return element("label", {}, `${label} `, select);
}

// Let the form say what the address says, as after a step back.
function matchForm(form, state) {
  for (const field of form.querySelectorAll("input, select")) {
    if (field.type === "checkbox") field.checked = Boolean(state[field.name]);
    else if (field.value !== state[field.name]) field.value = state[field.name];
  }
}
