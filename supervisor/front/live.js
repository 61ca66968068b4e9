// Devguard's script in a page: reloads it once another generation is ready, and shows what has failed.
// It makes no markup of text, and asks for nothing that a Content-Security-Policy with 'self' forbids.
(() => {
  "use strict";
  const me = document.currentScript;
  if (!me || window.top !== window) return;
  const { at, key, method } = me.dataset;
  let polls = "polls" in me.dataset;
  let css = me.dataset.css;
  let source = null;
  let over = false; // it is told nothing any more: it reloads, or may not ask
  let hidden = ""; // what the user has put away

  const make = (name, text, kind) => {
    const e = document.createElement(name);
    if (text) e.textContent = text;
    if (kind) e.className = kind;
    return e;
  };

  const connect = () => {
    if (source || over || document.visibilityState === "hidden") return;
    if (polls || forbidden(["connect-src", "default-src"], (s) => /^('self'|\*|https?:)$/.test(s))) {
      polls = true;
      if (document.readyState === "complete") poll(); // else at pageshow: the page would not be loaded before its scripts
      return;
    }
    const stream = (source = new EventSource("/.devguard/events"));
    stream.onmessage = (e) => take(JSON.parse(e.data));
    stream.onerror = () => {
      if (stream.readyState !== 2) return; // it is opened again by itself
      stream.close(); // another server has answered
      if (source !== stream) return;
      source = null;
      setTimeout(connect, 5000);
    };
  };
  // A browser has six connections to a server: pages that nobody sees give theirs back.
  const disconnect = () => {
    if (source) source.close();
    source = null;
  };

  // forbidden reports whether a policy in a meta element has none of the sources that are wanted, in the first of
  // these directives that it has. It does not hold for this script, which stands before it.
  const forbidden = (names, wanted) =>
    [...document.querySelectorAll('meta[http-equiv="content-security-policy" i]')].some((meta) => {
      const directives = meta.content.split(";").map((d) => d.trim().toLowerCase().split(/\s+/));
      const first = names.map((name) => directives.find((d) => d[0] === name)).find(Boolean);
      return first && !first.slice(1).some(wanted);
    });

  // A page whose policy has Trusted Types takes no string for a script's URL.
  const trusted = window.trustedTypes ? (url) => types().createScriptURL(url) : (url) => url;
  let made = null;
  const types = () => (made = made || window.trustedTypes.createPolicy("devguard", { createScriptURL: (url) => url }));

  // Where a policy does not let the page open a stream, scripts tell it the state, one after the other.
  let stamp = -1;
  const poll = () => {
    const nonce = me.nonce || document.querySelector("script[nonce]")?.nonce || "";
    if (forbidden(["script-src-elem", "script-src", "default-src"], (s) => s === "'self'" || s === `'nonce-${nonce.toLowerCase()}'`)) {
      over = true;
      return;
    }
    const script = make("script");
    script.nonce = nonce;
    script.src = trusted("/.devguard/poll.js?" + key + "." + stamp);
    const current = (source = { close: () => script.remove() });
    const again = (pause) => () => {
      script.remove();
      if (source !== current) return; // the page is hidden, or reloads
      source = null;
      setTimeout(connect, pause);
    };
    script.addEventListener("load", again(0));
    script.addEventListener("error", again(1000));
    document.head.append(script);
  };
  document.addEventListener("devguard", (e) => {
    stamp = e.detail.stamp;
    take(e.detail);
  });
  document.addEventListener("securitypolicyviolation", (e) => { // of a policy that devguard does not know
    if (e.blockedURI.includes("/.devguard/poll.js")) {
      over = true;
      disconnect();
    }
    if (polls || !e.effectiveDirective.startsWith("connect-src") || !e.blockedURI.endsWith("/.devguard/events")) return;
    polls = true;
    disconnect();
    connect();
  });

  // renew asks anew for what the page has fetched. What an app does not say how long to keep (http.FileServer says
  // nothing), browsers keep for as long as they like: days, where the file was old. A reload takes it from there.
  const renew = async (kinds) => {
    if (polls) return; // that would be forbidden, too
    const urls = new Set();
    for (const e of performance.getEntriesByType("resource")) {
      const url = new URL(e.name);
      const app = url.origin === location.origin && !url.pathname.startsWith("/.devguard/") && !url.searchParams.has("devguard");
      if (app && kinds.includes(e.initiatorType) && (e.responseStatus || 200) < 400) urls.add(e.name);
    }
    const again = (url) => fetch(url, { cache: "no-cache", signal: AbortSignal.timeout(2000) }).then((r) => r.arrayBuffer());
    await Promise.allSettled([...urls].map(again));
  };

  const reload = async () => {
    over = true;
    disconnect();
    await renew(["script", "link", "css", "img", "other"]);
    // Reloading what a form has brought would send the form again.
    if (method === "GET") location.reload();
    else location.replace(location.href.split("#")[0]); // with a fragment it would only scroll
  };

  // kept is what a page tells the next one of this tab; where a policy lets pages keep nothing, it tells nothing.
  const kept = (text) => {
    try {
      const said = sessionStorage.getItem("devguard");
      if (text) sessionStorage.setItem("devguard", text);
      else sessionStorage.removeItem("devguard");
      return said;
    } catch {
      return null;
    }
  };
  const loading = (href, to) => JSON.stringify([href, at, to]);
  const { href } = location; // which scripts of the page may change
  const before = kept(""); // what the page before has said of this one

  const take = (state) => {
    if (over) return;
    // A copy that a cache has kept stays what it is, however often it is loaded again.
    if (state.at !== at && before !== loading(href, state.at)) {
      kept(loading(location.href, state.at));
      reload();
      return;
    }
    if (!state.at) { // another devguard would tell it the same again, at once
      over = true;
      disconnect();
      return;
    }
    if (state.css !== css) {
      css = state.css;
      restyle();
    }
    show(state.problems || []);
  };

  const coming = new Set(); // stylesheets that take the place of others once they are there

  const restyle = async () => {
    await renew(["link", "css"]);
    for (const link of coming) link.remove();
    coming.clear();
    for (const old of document.querySelectorAll('link[rel~="stylesheet"][href]')) {
      const url = new URL(old.href, location.href);
      if (url.origin !== location.origin) continue;
      url.searchParams.set("devguard", Date.now()); // nothing has that in its cache
      const next = old.cloneNode();
      next.href = url.href;
      const arrived = (gone) => () => {
        if (coming.delete(next)) gone.remove();
      };
      next.addEventListener("load", arrived(old));
      next.addEventListener("error", arrived(next));
      coming.add(next);
      old.after(next);
    }
  };

  const style = `
    :host { all: initial; }
    .back { position: fixed; inset: 0; z-index: 2147483647; overflow: auto; background: rgba(10, 10, 14, .6); text-align: left; direction: ltr; }
    .card { position: relative; box-sizing: border-box; max-width: 1000px; width: 92vw; margin: 14vh auto 6vh; padding: 1.6em 2em; background: #1c1c21; color: #eee;
      font: 14px/1.5 ui-monospace, Menlo, Consolas, monospace; border-top: 3px solid #ff7b72; border-radius: 4px; box-shadow: 0 8px 40px rgba(0, 0, 0, .6); }
    h1 { font-size: 18px; color: #ff7b72; margin: 0 0 .5em; }
    p { margin: .3em 0; white-space: pre-wrap; overflow-wrap: anywhere; }
    pre { margin: .3em 0 1.2em; padding: .6em 0; background: #111; overflow: auto; tab-size: 4; }
    pre div { display: flex; width: fit-content; min-width: 100%; } .n { width: 4.5em; padding-right: 1.5em; text-align: right; color: #777; flex: none; user-select: none; }
    a { color: #79c0ff; } .here { color: #fff; background: #5a1e1e; } .note { color: #9da5b0; }
    button { position: absolute; top: 1em; right: 1em; font: inherit; color: inherit; background: none; border: 1px solid #666; padding: .2em .8em; cursor: pointer; }`;

  let host = null;
  let shown = ""; // what it shows
  let going = 0; // the timer that removes it

  const place = (p) => {
    const parts = [make("p")];
    const where = make(p.link ? "a" : "span", p.where);
    if (p.link) where.href = p.link;
    parts[0].append(where, " " + p.text);
    if (p.source && p.source.length) {
      const pre = make("pre");
      for (const one of p.source) {
        const line = make("div", "", one.n === p.line ? "here" : "");
        line.append(make("span", one.n, "n"), make("span", one.text || " "));
        pre.append(line);
      }
      parts.push(pre);
    }
    return parts;
  };

  const show = (problems) => {
    const text = JSON.stringify(problems);
    clearTimeout(going);
    if (!problems.length) {
      if (host) going = setTimeout(remove, 500); // an app that crashes at each start is fine for a moment
      return;
    }
    if (host && text === shown) return;
    remove();
    if (text === hidden) return;
    shown = text;
    host = make("devguard-overlay");
    const root = host.attachShadow({ mode: "open" });
    try {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(style); // not subject to style-src
      root.adoptedStyleSheets = [sheet];
    } catch {
      root.append(make("style", style));
    }
    const back = make("div", "", "back");
    const card = make("div", "", "card");
    card.setAttribute("role", "alert");
    const close = make("button", "Esc");
    close.addEventListener("click", () => putAway(text));
    card.append(close);
    for (const p of problems) {
      card.append(make("h1", p.title));
      if (p.text) card.append(make("p", p.text));
      for (const one of p.places || []) card.append(...place(one));
      if (p.note) card.append(make("p", p.note, "note"));
    }
    back.append(card);
    root.append(back);
    document.documentElement.append(host); // htmx and Turbo replace the body
  };

  const remove = () => {
    if (host) host.remove();
    host = null;
  };

  const putAway = (text) => {
    hidden = text;
    remove();
  };

  addEventListener("keydown", (e) => {
    if (e.key === "Escape" && host) host.shadowRoot.querySelector("button").click();
  });
  addEventListener("visibilitychange", () => (document.visibilityState === "hidden" ? disconnect() : connect()));
  addEventListener("pagehide", disconnect);
  addEventListener("pageshow", connect);

  // Whether a policy stands in the head is known when the body begins.
  if (document.body) {
    connect();
    return;
  }
  const parser = new MutationObserver(() => {
    if (!document.body) return;
    parser.disconnect();
    connect();
  });
  parser.observe(document.documentElement, { childList: true });
})();
