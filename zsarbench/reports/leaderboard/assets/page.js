// Sorting and filtering; without it the page shows everything, in the order of the ranking.
"use strict";

const bodies = () => [...document.querySelectorAll("tbody")];

// A row and the row of details below it, where there is one, go together.
const entries = (body) =>
  [...body.querySelectorAll("tr.row")].map((row) => {
    const below = row.nextElementSibling;
    return below?.classList.contains("more") ? [row, below] : [row];
  });

function textOf(entry) {
  const notes = [...entry[0].querySelectorAll("a.mark")].map((mark) =>
    document.getElementById(decodeURIComponent(mark.hash.slice(1))),
  );
  return [...entry, ...notes].map((element) => element.textContent).join(" ").toLowerCase();
}

function sortKey(row, column) {
  const text = row.cells[column].textContent.trim();
  const digits = text.replaceAll(",", "");
  return /^[\d.]/.test(digits) && !/^\d{4}-/.test(digits) ? parseFloat(digits) : text.toLowerCase();
}

function compare(left, right) {
  if (typeof left === typeof right) return left < right ? -1 : left > right ? 1 : 0;
  return typeof left === "number" ? -1 : 1; // what has no number stands after what has one
}

function sort(table, head, column) {
  const before = head.getAttribute("aria-sort");
  const descending = before ? before === "ascending" : head.dataset.first === "descending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", descending ? "descending" : "ascending");
  for (const body of table.tBodies) {
    const keyed = entries(body).map((entry) => ({ entry, key: sortKey(entry[0], column) }));
    const missing = ({ key }) => key === "–" || key === "";
    keyed.sort((a, b) => missing(a) - missing(b) || compare(a.key, b.key) * (descending && !missing(a) ? -1 : 1));
    for (const { entry } of keyed) body.append(...entry);
  }
}

for (const table of document.querySelectorAll("table")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    if ("unsorted" in head.dataset) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    head.dataset.first = head.classList.contains("number") && head.textContent !== "rank" ? "descending" : "ascending";
    button.addEventListener("click", () => sort(table, head, column));
  });
}

const form = document.getElementById("filters");

function filter() {
  const words = form.words.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const body of bodies()) {
    const wanted = form[body.classList.contains("measured") ? "measured" : "reported"].checked;
    let left = 0;
    for (const entry of entries(body)) {
      const text = words.length ? textOf(entry) : "";
      const visible = wanted && words.every((word) => text.includes(word));
      for (const row of entry) row.hidden = !visible;
      left += visible;
    }
    body.hidden = !left;
    shown += left;
  }
  for (const section of document.querySelectorAll("section.protocol")) {
    section.hidden = [...section.querySelectorAll("tbody")].every((body) => body.hidden);
  }
  form.querySelector("output").textContent = shown === 1 ? "1 row" : `${shown} rows`;
}

form.hidden = false;
form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
filter();
