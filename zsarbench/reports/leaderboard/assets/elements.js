// Elements of the page; text is only ever set as text.

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "onclick" || key === "oninput") made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children.flat(Infinity).filter((child) => child != null && child !== ""));
  return made;
}

function drawing(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// A link that leads away from the page; anything but an https address becomes text.
function outside([label, address], words = label) {
  if (!address.startsWith("https://")) return label;
  return element("a", { href: address, rel: "noopener noreferrer", title: label }, words);
}

function linkList(links) {
  return links.flatMap((link, number) => [number ? ", " : "", outside(link)]);
}

function definitions(pairs) {
  return element("dl", {}, pairs.map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

function simpleTable(caption, heads, rows, numbersFrom = 1) {
  const cell = (value, column) => element("td", { class: column >= numbersFrom ? "number" : null }, value);
  return element("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": caption },
    element("table", { class: "small" },
      element("caption", {}, caption),
      element("thead", {}, element("tr", {}, heads.map((head, column) =>
        element("th", { scope: "col", class: column >= numbersFrom ? "number" : null }, head)))),
      element("tbody", {}, rows.map((row) => element("tr", {}, row.map(cell))))));
}

// A command with a button that copies it; where the browser keeps the clipboard closed, the text is selected instead.
function command(text) {
  const code = element("code", {}, text);
  const button = element("button", { type: "button", class: "copy", onclick: copy }, "Copy");
  async function copy() {
    const done = await copied(text, code);
    button.textContent = done ? "Copied" : "Selected";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  }
  return element("div", { class: "command" }, element("pre", { tabindex: "0" }, code), button);
}

async function copied(text, shown) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(shown);
    return document.execCommand("copy");
  }
}

const percent = (fraction) => (100 * fraction).toFixed(1);
const signed = (fraction) => (fraction < 0 ? "−" : "+") + Math.abs(100 * fraction).toFixed(1);
