// Elements of the page; text is only ever set as text.

function element(name, properties = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  node.append(...children.flat(Infinity).filter((child) => child != null && child !== ""));
  return node;
}

function drawing(name, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

const button = (properties, ...children) => element("button", { type: "button", ...properties }, ...children);
const unseen = (text) => element("span", { class: "hidden" }, text); // for screen readers

// A link that leads away from the page; anything but an https address becomes text.
function outside([label, address], words = label) {
  if (!address.startsWith("https://")) return label;
  return element("a", { href: address, rel: "noopener noreferrer", title: label }, words);
}

const joined = (parts) => parts.flatMap((part, number) => [number ? ", " : "", part]);
const linkList = (links) => joined(links.map((link) => outside(link)));

function definitions(pairs) {
  return element("dl", {}, pairs.map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

// What is wider than the page scrolls in a region of its own, which the keyboard reaches.
function scrolled(label, ...children) {
  return element("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": label }, ...children);
}

function simpleTable(caption, heads, rows, numbersFrom = 1) {
  const kind = (column) => (column >= numbersFrom ? "number" : null);
  return scrolled(caption, element("table", { class: "small" },
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, heads.map((head, column) =>
      element("th", { scope: "col", class: kind(column) }, head)))),
    element("tbody", {}, rows.map((row) => element("tr", {}, row.map((value, column) =>
      column ? element("td", { class: kind(column) }, value) : element("th", { scope: "row" }, value)))))));
}

// A part that is drawn when it is opened.
function folded(title, draw, open = false) {
  const node = element("details", { open }, element("summary", {}, title));
  const fill = () => node.open && node.children.length < 2 && node.append(draw());
  node.addEventListener("toggle", fill);
  fill();
  return node;
}

// A table that `draw` makes in one of several orders, with a choice of them; the first is shown.
function inOrders(orders, draw) {
  const holder = element("div", {});
  const show = (name) => holder.replaceChildren(draw(orders[name]));
  const select = element("select", { oninput: () => show(select.value) },
    Object.keys(orders).map((name) => element("option", {}, name)));
  show(select.value);
  return element("div", {}, element("label", { class: "order" }, "Order ", select), holder);
}

// A command with a button that copies it; where the browser keeps the clipboard closed, the text is selected instead.
function command(text) {
  const code = element("code", {}, text);
  const copy = button({ class: "copy", onclick: async () => {
    copy.textContent = (await copied(text, code)) ? "Copied" : "Selected";
    setTimeout(() => (copy.textContent = "Copy"), 2000);
  } }, "Copy");
  return element("div", { class: "command" }, element("pre", { tabindex: "0" }, code), copy);
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

// One decimal as result files and tables have it: a number that lies halfway, such as 6.25, becomes the even one.
function decimal(number) {
  const tenths = Math.floor(10 * number), halfway = 4 * number % 2 === 1;
  return (halfway ? (tenths + tenths % 2) / 10 : number).toFixed(1);
}

const percent = (fraction) => decimal(100 * fraction);
const signed = (fraction) => (fraction < 0 ? "−" : "+") + decimal(Math.abs(100 * fraction));
const counted = (number) => number.toLocaleString("en");
