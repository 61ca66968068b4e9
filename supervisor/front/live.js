// Devguard's script in a page: reloads it once another generation is ready, and shows what has failed.
// It makes no markup of text, and asks for nothing that a Content-Security-Policy with 'self' forbids.
(() => {
  "use strict";
  const me = document.currentScript;
  if (!me || window.top !== window) return;
  const { at, key, method } = me.dataset;
  const nonce = me.nonce;
  let polls = "polls" in me.dataset;
  let css = me.dataset.css;
  let source = null;
  let hidden = ""; // what the user has put away

  const make = (name, text, kind) => {
    const e = document.createElement(name);
    if (text) e.textContent = text;
    if (kind) e.className = kind;
    return e;
  };

  const connect = () => {
    if (source || document.visibilityState === "hidden") return;
    if (polls) {
      poll();
      return;
    }
    source = new EventSource("/.devguard/events");
    source.onmessage = (e) => take(JSON.parse(e.data));
  };
  // A browser has six connections to a server: pages that nobody sees give theirs back.
  const disconnect = () => {
    if (source) source.close();
    source = null;
  };

  // Where a policy does not let the page open a stream, scripts tell it the state, one after the other.
  let stamp = -1;
  const poll = () => {
    const script = make("script");
    script.nonce = nonce;
    script.src = "/.devguard/poll.js?" + key + "." + stamp;
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
  document.addEventListener("securitypolicyviolation", (e) => {
    if (polls || !e.effectiveDirective.startsWith("connect-src") || !e.blockedURI.endsWith("/.devguard/events")) return;
    polls = true; // a policy of the document's own, in a meta element
    disconnect();
    connect();
  });

  const take = (state) => {
    if (state.at !== at) {
      disconnect();
      // Reloading what a form has brought would send the form again.
      if (method === "GET") location.reload();
      else location.replace(location.href.split("#")[0]); // with a fragment it would only scroll
      return;
    }
    if (state.css !== css) {
      css = state.css;
      restyle(css);
    }
    show(state.problems || []);
  };

  const restyle = (stamp) => {
    for (const old of document.querySelectorAll('link[rel~="stylesheet"][href]')) {
      const url = new URL(old.href, location.href);
      if (url.origin !== location.origin) continue;
      url.searchParams.set("devguard", stamp);
      const next = old.cloneNode();
      next.href = url.href;
      next.addEventListener("load", () => old.remove());
      next.addEventListener("error", () => next.remove());
      old.after(next);
    }
  };

  const style = `
    :host { all: initial; }
    .back { position: fixed; inset: 0; z-index: 2147483647; overflow: auto; background: rgba(20, 20, 24, .92);
      color: #eee; font: 14px/1.5 ui-monospace, Menlo, Consolas, monospace; padding: 4vh 5vw; text-align: left; direction: ltr; }
    h1 { font-size: 18px; color: #ff7b72; margin: 0 0 .5em; }
    p { margin: .3em 0; white-space: pre-wrap; overflow-wrap: anywhere; }
    pre { margin: .3em 0 1.2em; padding: .6em 1em; background: #111; overflow: auto; tab-size: 4; }
    a { color: #79c0ff; } .here { color: #fff; background: #5a1e1e; } .note { color: #9da5b0; }
    button { position: absolute; top: 1em; right: 1em; font: inherit; color: inherit; background: none; border: 1px solid #666; padding: .2em .8em; cursor: pointer; }`;

  let host = null;

  const place = (p) => {
    const parts = [make("p")];
    const where = make(p.link ? "a" : "span", p.where);
    if (p.link) where.href = p.link;
    parts[0].append(where, " " + p.text);
    if (p.source && p.source.length) {
      const pre = make("pre");
      for (const line of p.source) pre.append(make("div", String(line.n).padStart(5) + "  " + line.text, line.n === p.line ? "here" : ""));
      parts.push(pre);
    }
    return parts;
  };

  const show = (problems) => {
    const text = JSON.stringify(problems);
    if (host) host.remove();
    host = null;
    if (!problems.length || text === hidden) return;
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
    back.setAttribute("role", "alert");
    const close = make("button", "Esc");
    close.addEventListener("click", () => putAway(text));
    back.append(close);
    for (const p of problems) {
      back.append(make("h1", p.title));
      if (p.text) back.append(make("p", p.text));
      for (const one of p.places || []) back.append(...place(one));
      if (p.note) back.append(make("p", p.note, "note"));
    }
    root.append(back);
    (document.body || document.documentElement).append(host);
  };

  const putAway = (text) => {
    hidden = text;
    if (host) host.remove();
    host = null;
  };

  addEventListener("keydown", (e) => {
    if (e.key === "Escape" && host) host.shadowRoot.querySelector("button").click();
  });
  addEventListener("visibilitychange", () => (document.visibilityState === "hidden" ? disconnect() : connect()));
  addEventListener("pagehide", disconnect);
  addEventListener("pageshow", connect);
  connect();
})();
