// What is to be seen is described by h(), and draw() changes the document to that, node by node: focus,
// what is unfolded and what is read aloud stay. Strings become text nodes, never markup.

const svgTags = new Set(["svg", "path", "line", "circle", "g"]);

/** h describes an element; kids may be nested lists, strings, numbers, or nothing. */
export function h(tag, attrs, ...kids) {
  const shown = (k) => k !== null && k !== undefined && k !== false && k !== "";
  return { tag, attrs: attrs ?? {}, kids: kids.flat(Infinity).filter(shown) };
}

/** draw makes the children of an element those that are described. */
export function draw(parent, ...kids) {
  const wanted = h("", null, kids).kids;
  const kept = keyed(parent);
  let at = parent.firstChild;
  for (const want of wanted) {
    const node = reuse(want, at, kept) ?? create(want);
    if (node !== at) parent.insertBefore(node, at);
    else at = at.nextSibling;
    fill(node, want);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function keyed(parent) {
  const all = new Map();
  for (const n of parent.childNodes) if (n.drawnKey !== undefined) all.set(n.drawnKey, n);
  return all;
}

// reuse returns the node that may become what is wanted: that of the same key, else the one in place.
function reuse(want, at, kept) {
  const key = want.attrs?.key;
  const node = key === undefined ? at : kept.get(key);
  if (!node || node.drawnKey !== key) return undefined;
  const text = typeof want !== "object";
  if (text ? node.nodeType === Node.TEXT_NODE : node.localName === want.tag) return node;
  return undefined;
}

function create(want) {
  if (typeof want !== "object") return document.createTextNode("");
  const node = svgTags.has(want.tag)
    ? document.createElementNS("http://www.w3.org/2000/svg", want.tag)
    : document.createElement(want.tag);
  node.drawnKey = want.attrs.key;
  return node;
}

function fill(node, want) {
  if (typeof want !== "object") {
    if (node.data !== String(want)) node.data = String(want);
    return;
  }
  attributes(node, want.attrs);
  draw(node, want.kids);
}

function attributes(node, attrs) {
  const before = node.drawnAttrs ?? {};
  for (const name of Object.keys(before)) if (!(name in attrs)) node.removeAttribute(name);
  for (const [name, value] of Object.entries(attrs)) {
    if (name === "key" || before[name] === value) continue;
    if (name === "style") for (const [k, v] of Object.entries(value)) node.style.setProperty(k, v);
    else if (value === undefined || value === false) node.removeAttribute(name);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.drawnAttrs = attrs;
}
