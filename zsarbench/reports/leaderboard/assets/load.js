// Files that belong to the page arrive as scripts, since a page from a disk may read nothing else.

const arrived = { table: {}, row: {}, draws: {}, overview: {} };
const waiting = {};

window.zsarbench = {
  table: (name, content) => (arrived.table[name] = content),
  row: (name, content, evidence) => (arrived.row[name] = { ...content, evidence }),
  draws: (name, content) => (arrived.draws[name] = content),
  overview: (content) => (arrived.overview[""] = content),
};

function load(file, kind, name) {
  if (arrived[kind][name]) return Promise.resolve(arrived[kind][name]);
  waiting[file] ??= new Promise((resolve, reject) => {
    const script = element("script", { src: file });
    script.onload = () => (arrived[kind][name] ? resolve(arrived[kind][name]) : reject(new Error(`${file} is empty`)));
    script.onerror = () => {
      delete waiting[file]; // so that it is tried again
      reject(new Error(`${file} cannot be read; it lies in the folder of this page`));
    };
    document.head.append(script);
  });
  return waiting[file];
}

const loadTable = (tab) => load(`data/${tab.dataset.slug}.js`, "table", tab.dataset.protocol);
const loadRow = (tab, id) => load(`data/${tab.dataset.slug}/${encodeURIComponent(id)}.js`, "row", id);
const loadDraws = (nClasses) => load(`data/draws-${nClasses}.js`, "draws", nClasses);
const loadOverview = () => load("data/overview.js", "overview", "");
