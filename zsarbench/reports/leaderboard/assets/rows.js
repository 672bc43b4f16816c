// The rows of a protocol: unpacked from the data, chosen by search and filters, and ordered.

const FIELDS = [
  "group", "cells", "about", "notes", "id", "encoder", "contaminated", "backing", "unranked", "bar",
];
const TEXTS = ["about", "id", "encoder", "contaminated", "backing"];

// Rows as objects with their texts in place of numbers; once for each protocol.
function rowsOf(table) {
  const text = (number) => table.strings[number];
  table.unpacked ??= table.rows.map((packed) => {
    const row = Object.fromEntries(FIELDS.map((name, place) => [name, packed[place]]));
    row.cells = row.cells.map(text);
    for (const name of TEXTS) row[name] = text(row[name]);
    [row.kind, row.heading, row.train] = table.groups[row.group];
    return row;
  });
  return table.unpacked;
}

const columnOf = (table, kind) => table.columns.findIndex(([, own]) => own === kind);
const isNumber = (kind) => ["rank", "main", "value", "count"].includes(kind);
const wordsOf = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);

function searchText(table, row) {
  row.search ??= [...row.cells, row.about, row.heading, row.id, ...row.notes.map((note) => table.notes[note][0])]
    .join(" ").toLowerCase();
  return row.search;
}

function chosen(table, state) {
  const words = wordsOf(state.q);
  return rowsOf(table).filter((row) =>
    FILTERS.every((name) => !state[name] || row[name] === state[name]) &&
    words.every((word) => searchText(table, row).includes(word)));
}

// In the order of the table, or sorted by a column: within groups, or across them, then by default by the main one.
function ordered(table, rows, state) {
  const { heading, direction } = sortedBy(state);
  const named = table.columns.findIndex(([name]) => name === heading);
  const column = named < 0 && state.across ? columnOf(table, "main") : named;
  if (column < 0) return rows;
  const sign = named < 0 || direction === "desc" ? -1 : 1;
  const keyed = rows.map((row) => ({ row, key: sortKey(row.cells[column]) }));
  keyed.sort((a, b) =>
    (state.across ? 0 : a.row.group - b.row.group) ||
    (a.key === null) - (b.key === null) || // rows without a value stand last, whatever the direction
    (a.key === null ? 0 : sign * compareKeys(a.key, b.key)));
  return keyed.map(({ row }) => row);
}

// The number that a cell begins with, else its text; null where it has no value.
function sortKey(text) {
  if (text === "–" || text === "") return null;
  const digits = text.replaceAll(",", "").replace(/^≥ /, "");
  return /^[\d.]/.test(digits) && !/^\d{4}-/.test(digits) ? parseFloat(digits) : text.toLowerCase();
}

function compareKeys(left, right) {
  if (typeof left === typeof right) return left < right ? -1 : left > right ? 1 : 0;
  return typeof left === "number" ? -1 : 1; // what has no number stands after what has one
}
