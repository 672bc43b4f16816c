// What is looked at, kept in the part of the address after "#", so that every view can be shared.
"use strict";

const FILTERS = ["encoder", "train", "kind", "contaminated", "backing"];
const VIEWS = ["overview", "reading", "submit"]; // besides the tables
const NAMES = ["view", "p", "q", ...FILTERS, "sort", "across", "row", "pair"];
const DEFAULTS = Object.fromEntries(NAMES.map((name) => [name, ""]));

function readState() {
  const found = new URLSearchParams(location.hash.slice(1));
  const state = Object.fromEntries(Object.entries(DEFAULTS).map(([name, value]) => [name, found.get(name) ?? value]));
  return VIEWS.includes(state.view) ? state : { ...state, view: "" };
}

function addressOf(state) {
  const kept = Object.entries(state).filter(([name, value]) => name in DEFAULTS && value !== DEFAULTS[name]);
  return "#" + new URLSearchParams(kept).toString();
}

const addressOfProtocol = (name, more = {}) => addressOf({ ...DEFAULTS, p: name, ...more });

// Change the state: as a step to come back from, or, where `quietly`, in place of the present one.
function changeState(patch, quietly = false) {
  const address = addressOf({ ...readState(), ...patch });
  if (address === (location.hash || "#")) return;
  if (quietly) location.replace(address);
  else location.hash = address;
}

const pickedIn = (state) => [...new Set(state.pair.split(",").filter(Boolean))].slice(-2);

function sortedBy(state) {
  const [, heading = "", direction = ""] = /^(.*):(asc|desc)$/.exec(state.sort) ?? [];
  return { heading, direction };
}
