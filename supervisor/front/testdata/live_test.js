// What live.js does, on a document that has as little as it needs. Run by TestScript, with the path of live.js.
"use strict";
const assert = require("node:assert");
const fs = require("node:fs");
const vm = require("node:vm");
const text = fs.readFileSync(process.argv[2], "utf8");

class Element extends EventTarget {
  constructor(name) {
    super();
    this.name = name;
    this.children = [];
    this.text = "";
    this.dataset = {};
  }
  set textContent(s) { this.text = s; }
  get textContent() { return this.text + this.children.map((c) => c.textContent ?? c).join(""); }
  append(...more) { for (const e of more) { this.children.push(e); if (e instanceof Element) e.parent = this; } }
  after(e) { this.parent.append(e); }
  remove() { if (this.parent) this.parent.children = this.parent.children.filter((c) => c !== this); this.parent = null; }
  setAttribute() {}
  attachShadow() { this.shadowRoot = new Element("shadow"); this.shadowRoot.querySelector = (n) => find(this.shadowRoot, n); return this.shadowRoot; }
  cloneNode() { const e = new Element(this.name); e.href = this.href; return e; }
  click() { this.dispatchEvent(new Event("click")); }
}
const find = (e, name) => {
  if (!(e instanceof Element)) return null;
  if (e.name === name) return e;
  for (const c of e.children) { const f = find(c, name); if (f) return f; }
  return null;
};

// page opens a page whose tag has these attributes.
function page(dataset, { top = true, visible = true, metas = [], storage = new Map() } = {}) {
  const p = { streams: [], did: [], timers: [], fetched: [], resources: [] };
  const document = new Element("document");
  document.body = new Element("body");
  document.head = new Element("head");
  document.append(document.head, document.body);
  document.documentElement = document;
  document.querySelector = (selector) => null;
  document.readyState = "complete";
  document.visibilityState = visible ? "visible" : "hidden";
  document.currentScript = Object.assign(new Element("script"), { dataset, nonce: "N" });
  document.createElement = (name) => new Element(name);
  document.querySelectorAll = (selector) => selector.startsWith("meta") ? metas.map((content) => ({ content })) : document.head.children.filter((c) => c.name === "link");
  const window = new EventTarget();
  window.window = window;
  window.top = top ? window : {};
  Object.assign(window, {
    document, URL, JSON, String, setTimeout: (f, ms) => p.timers.push({ f, ms }), clearTimeout: (n) => { if (n) p.timers[n - 1] = null; },
    location: { href: "http://localhost/a#b", origin: "http://localhost", reload: () => p.did.push("reload"), replace: (u) => p.did.push("replace " + u) },
    EventSource: class { constructor(url) { this.url = url; p.streams.push(this); } close() { this.closed = true; } },
    performance: { getEntriesByType: () => p.resources },
    AbortSignal,
    sessionStorage: { getItem: (k) => storage.get(k) ?? null, setItem: (k, v) => storage.set(k, v), removeItem: (k) => storage.delete(k) },
    fetch: async (url, { cache }) => { p.fetched.push(cache + " " + url); return { arrayBuffer: async () => null }; },
    CSSStyleSheet: class { replaceSync() {} },
    addEventListener: window.addEventListener.bind(window),
  });
  vm.runInNewContext(text, vm.createContext(window));
  p.window = window;
  p.document = document;
  p.told = (state) => p.streams.at(-1).onmessage({ data: JSON.stringify(state) });
  p.overlay = () => find(document, "devguard-overlay");
  p.see = (yes) => { document.visibilityState = yes ? "visible" : "hidden"; window.dispatchEvent(new Event("visibilitychange")); };
  return p;
}
const made = { at: "r.1", css: "0", key: "K", method: "GET" };
const state = (more) => ({ at: "r.1", css: "0", problems: null, ...more });
// settled waits until what a page fetches is there.
const settled = () => new Promise((done) => setImmediate(done));
const event = (type, more) => Object.assign(new Event(type), more);

const tests = {
  "the same state does nothing"() {
    const p = page(made);
    assert.equal(p.streams[0].url, "/.devguard/events");
    p.told(state());
    assert.deepEqual(p.did, []);
    assert.ok(!p.streams[0].closed);
  },
  async "another generation reloads, once"() {
    const p = page(made);
    p.told(state({ at: "r.2" }));
    assert.ok(p.streams[0].closed);
    p.window.dispatchEvent(new Event("pageshow"));
    assert.equal(p.streams.length, 1);
    await settled();
    assert.deepEqual(p.did, ["reload"]);
  },
  async "a copy that a cache has kept is not reloaded for ever"() {
    const storage = new Map();
    const load = async (dataset, at) => {
      const p = page({ ...made, ...dataset }, { storage });
      p.told(state({ at }));
      await settled();
      return p;
    };
    assert.deepEqual((await load({}, "r.2")).did, ["reload"]);
    const stale = await load({}, "r.2");
    assert.deepEqual(stale.did, []);
    stale.told(state({ at: "r.2", problems: [{ title: "x" }] }));
    assert.ok(stale.overlay());
    stale.told(state({ at: "r.3" }));
    await settled();
    assert.deepEqual(stale.did, ["reload"]);
    assert.deepEqual((await load({ at: "r.3" }, "r.3")).did, []);
    assert.deepEqual((await load({}, "r.3")).did, ["reload"]); // another load, later
    storage.clear();
    assert.deepEqual((await load({}, "")).did, ["reload"]);
    const another = await load({}, ""); // of another devguard, which knows no more of it
    assert.deepEqual(another.did, []);
    assert.ok(another.streams[0].closed);
  },
  async "a page whose storage is closed to it reloads"() {
    const p = page(made, { storage: null });
    p.told(state({ at: "r.2" }));
    await settled();
    assert.deepEqual(p.did, ["reload"]);
  },
  async "what the page has of the app is asked for anew before it reloads"() {
    const p = page(made);
    const resource = (name, initiatorType, responseStatus) => ({ name, initiatorType, responseStatus });
    p.resources = [
      resource("http://localhost/a.js", "script", 200), resource("http://localhost/a.js", "script", 200),
      resource("http://localhost/b.css", "link"), resource("http://localhost/b.css?devguard=1", "link"),
      resource("http://localhost/gone.js", "script", 404), resource("http://localhost/api", "fetch", 200),
      resource("http://localhost/.devguard/live.js", "script", 200), resource("http://cdn.example/c.js", "script", 200),
    ];
    p.told(state({ at: "r.2" }));
    assert.deepEqual(p.did, []);
    await settled();
    assert.deepEqual(p.fetched, ["no-cache http://localhost/a.js", "no-cache http://localhost/b.css"]);
    assert.deepEqual(p.did, ["reload"]);
  },
  async "what a form has brought is not sent again"() {
    const p = page({ ...made, method: "POST" });
    p.told(state({ at: "s.1" }));
    await settled();
    assert.deepEqual(p.did, ["replace http://localhost/a"]);
  },
  "a frame does nothing"() { assert.equal(page(made, { top: false }).streams.length, 0); },
  "a page that nobody sees has no connection"() {
    const p = page(made, { visible: false });
    assert.equal(p.streams.length, 0);
    p.see(true);
    assert.equal(p.streams.length, 1);
    p.see(false);
    assert.ok(p.streams[0].closed);
    p.see(true);
    assert.equal(p.streams.length, 2);
  },
  async "stylesheets of the page's own origin are taken anew"() {
    const p = page(made);
    const own = Object.assign(new Element("link"), { href: "http://localhost/a.css?v=1" });
    const other = Object.assign(new Element("link"), { href: "http://cdn.example/b.css" });
    p.document.head.append(own, other);
    const links = () => p.document.head.children.map((l) => l.href.replace(/devguard=\d+/, "devguard=N"));
    p.told(state({ css: "1" }));
    await settled();
    assert.deepEqual(links(), ["http://localhost/a.css?v=1", "http://cdn.example/b.css", "http://localhost/a.css?v=1&devguard=N"]);
    p.told(state({ css: "2" })); // the first has not come yet
    await settled();
    const late = p.document.head.children[2];
    assert.equal(links().length, 3);
    late.dispatchEvent(new Event("load"));
    assert.deepEqual(links(), ["http://cdn.example/b.css", "http://localhost/a.css?v=1&devguard=N"]);
    p.told(state({ css: "2" }));
    await settled();
    assert.equal(links().length, 2);
    assert.deepEqual(p.did, []);
  },
  async "a stylesheet that does not come leaves the old one"() {
    const p = page(made);
    p.document.head.append(Object.assign(new Element("link"), { href: "http://localhost/a.css" }));
    p.told(state({ css: "1" }));
    await settled();
    p.document.head.children[1].dispatchEvent(new Event("error"));
    assert.deepEqual(p.document.head.children.map((l) => l.href), ["http://localhost/a.css"]);
  },
  "a stream that another server has ended is opened again, later"() {
    const p = page(made);
    p.streams[0].readyState = 0; // the browser does it
    p.streams[0].onerror();
    assert.equal(p.timers.length, 0);
    p.streams[0].readyState = 2;
    p.streams[0].onerror();
    assert.equal(p.timers[0].ms, 5000);
    p.timers[0].f();
    assert.equal(p.streams.length, 2);
  },
  "a problem is shown until it is mended, or put away"() {
    const p = page(made);
    const problems = [{ title: "build failed", note: "generation 1 still serves", places: [{ where: "a.go:2:1", text: "<b>", line: 2, link: "vscode://file/a.go:2:1", source: [{ n: 1, text: "x" }, { n: 2, text: "</script>" }] }] }];
    p.told(state({ problems }));
    const shown = p.overlay().shadowRoot;
    assert.match(shown.textContent, /build failed.*a\.go:2:1 <b>.*2<\/script>.*generation 1 still serves/s);
    assert.equal(find(shown, "a").href, "vscode://file/a.go:2:1");
    p.told(state());
    assert.ok(p.overlay());
    p.told(state({ problems }));
    assert.equal(p.overlay().shadowRoot, shown, "it was gone for a moment only");
    assert.deepEqual(p.timers, [null]);
    p.told(state());
    p.timers.pop().f();
    assert.equal(p.overlay(), null);
    p.told(state({ problems }));
    p.window.dispatchEvent(event("keydown", { key: "Escape" }));
    assert.equal(p.overlay(), null);
    p.told(state({ problems }));
    assert.equal(p.overlay(), null, "it was put away");
    p.told(state({ problems: [{ title: "another" }] }));
    assert.ok(p.overlay());
  },
  async "a page that may not open the stream polls"() {
    const p = page({ ...made, polls: "" });
    assert.equal(p.streams.length, 0);
    let script = find(p.document.head, "script");
    assert.equal(script.src, "/.devguard/poll.js?K.-1");
    assert.equal(script.nonce, "N");
    p.document.dispatchEvent(event("devguard", { detail: state({ stamp: 7 }) }));
    script.dispatchEvent(new Event("load"));
    assert.equal(find(p.document.head, "script"), null);
    p.timers.pop().f();
    script = find(p.document.head, "script");
    assert.equal(script.src, "/.devguard/poll.js?K.7");
    script.dispatchEvent(new Event("error"));
    assert.equal(p.timers.at(-1).ms, 1000);
    p.timers.pop().f();
    p.document.dispatchEvent(event("devguard", { detail: state({ at: "", stamp: 0 }) }));
    assert.equal(find(p.document.head, "script"), null);
    await settled();
    assert.deepEqual(p.did, ["reload"]);
    assert.deepEqual(p.fetched, []);
  },
  "nor one that a meta element forbids it"() {
    const asks = (...metas) => {
      const p = page(made, { metas });
      return p.streams.length > 0 ? "stream" : find(p.document.head, "script") ? "polls" : "nothing";
    };
    assert.equal(asks("img-src 'none'"), "stream");
    assert.equal(asks("default-src 'none'; connect-src 'self'"), "stream");
    assert.equal(asks("script-src 'self'; Connect-Src https://example.com"), "polls");
    assert.equal(asks("default-src 'none'; script-src 'nonce-N'"), "polls");
    assert.equal(asks("default-src 'self'", "default-src 'none'; script-src 'self'"), "polls");
    assert.equal(asks("default-src 'none'"), "nothing");
    assert.equal(asks("connect-src 'none'; script-src 'nonce-M'"), "nothing");
  },
  "nor one whose policy comes to light as it asks"() {
    const p = page(made);
    const no = { effectiveDirective: "connect-src", blockedURI: "http://localhost/.devguard/events" };
    p.document.dispatchEvent(event("securitypolicyviolation", { ...no, blockedURI: "http://localhost/api" }));
    assert.equal(find(p.document.head, "script"), null);
    p.document.dispatchEvent(event("securitypolicyviolation", no));
    assert.ok(p.streams[0].closed);
    assert.ok(find(p.document.head, "script"));
    const never = { effectiveDirective: "script-src-elem", blockedURI: "http://localhost/.devguard/poll.js?K.-1" };
    p.document.dispatchEvent(event("securitypolicyviolation", never));
    assert.equal(find(p.document.head, "script"), null);
    p.window.dispatchEvent(new Event("pageshow"));
    assert.equal(find(p.document.head, "script"), null);
  },
};
(async () => {
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test();
    } catch (e) {
      console.error(name + ": " + e.stack);
      process.exitCode = 1;
    }
  }
})();
