// What is looked at, kept in the part of the address after "#", so that every view can be shared.
"use strict";

const DEFAULTS = {
  view: "", p: "", q: "", encoder: "", train: "", kind: "", contaminated: "", sort: "", across: "", row: "", pair: "",
};

function readState() {
  const found = new URLSearchParams(location.hash.slice(1));
  return Object.fromEntries(Object.entries(DEFAULTS).map(([name, value]) => [name, found.get(name) ?? value]));
}

function addressOf(state) {
  const kept = Object.entries(state).filter(([name, value]) => name in DEFAULTS && value !== DEFAULTS[name]);
  return "#" + new URLSearchParams(kept).toString();
}

// Change the state: as a step to come back from, or, where `quietly`, in place of the present one.
function changeState(patch, quietly = false) {
  const address = addressOf({ ...readState(), ...patch });
  if (address === (location.hash || "#")) return;
  if (quietly) location.replace(address);
  else location.hash = address;
}

// Files that belong to the page arrive as scripts, since a page from a disk may read nothing else.
const arrived = { table: {}, row: {}, draws: {}, overview: {} };
const waiting = {};

function load(file, kind, name) {
  if (arrived[kind][name]) return Promise.resolve(arrived[kind][name]);
  waiting[file] ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = file;
    script.onload = () => (arrived[kind][name] ? resolve(arrived[kind][name]) : reject(new Error(`${file} is empty`)));
    script.onerror = () => {
      delete waiting[file];
      reject(new Error(`${file} cannot be read; it lies in the folder of this page`));
    };
    document.head.append(script);
  });
  return waiting[file];
}

window.zsarbench = {
  table: (name, content) => (arrived.table[name] = content),
  row: (name, content) => (arrived.row[name] = content),
  draws: (name, content) => (arrived.draws[name] = content),
  overview: (content) => (arrived.overview[""] = content),
};
