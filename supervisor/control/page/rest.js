// Addresses, builds, hooks, and which devguard this is.

import { h } from "./dom.js";
import { clock, many, since } from "./words.js";

/** addresses draws where the app listens, and who has the sockets. */
export function addresses(s) {
  const { off, addresses: held } = s.sockets;
  const names = held.map((a) => a.address);
  const others = s.instance.listening.filter((a) => !names.includes(a));
  const rows = [
    s.devguard.front && [s.devguard.front, "devguard answers here for the app", "front"],
    ...held.map((a) => [a.address, holder(a), a.kind]),
    ...others.map((a) => [a, `listening by generation ${s.instance.gen}`, "listening"]),
  ].filter(Boolean);
  return [
    rows.length === 0 && h("p", { class: "quiet" }, "The app listens nowhere."),
    h("ul", { class: "rows" }, rows.map(([address, text, kind]) => h("li", { key: address + kind, "data-kind": kind },
      h("code", null, address), h("span", null, text)))),
    off && h("p", { class: "quiet" }, `Sockets are not held over a restart: ${off}.`),
  ];
}

function holder(a) {
  if (a.kind === "held" && a.since) return `held by devguard for ${since(a.since)}`;
  return a.state;
}

/** builds draws how programs were built, why not fast, what the checks found, and the hooks. */
export function builds(s) {
  const { numbers, refused, differed } = s.builds?.mode === "auto" ? counted(s.builds) : recent(s.history);
  return [
    h("dl", { class: "numbers" }, numbers.map(([name, n]) => h("div", null, h("dt", null, name), h("dd", null, n)))),
    differed > 0 && h("p", { class: "bad" }, `${many(differed, "fast build")} differed from what the go command makes; it builds everything from then on.`),
    refused.length > 0 && [h("h3", { class: "label" }, "Left to the go command"),
      h("ul", { class: "rows" }, refused.map(({ reason, builds: n }) => h("li", { key: reason }, h("span", null, reason), h("span", { class: "quiet" }, many(n, "build")))))],
    s.hooks.length > 0 && [h("h3", { class: "label" }, "Hooks"),
      h("ul", { class: "rows" }, s.hooks.map((one) => h("li", { key: one.name, "data-state": one.state }, h("code", null, one.name), h("span", null, one.state))))],
  ];
}

// counted is what devguard counts while builds may be fast.
function counted(b) {
  const byGo = b.refused.reduce((sum, r) => sum + r.builds, 0);
  return { numbers: [["fast", b.fast], ["by go", byGo], ["verified", b.verified]], refused: b.refused, differed: b.differed };
}

// recent counts the builds of the newest generations, all of them by the go command.
function recent(history) {
  const all = history.flatMap((p) => p.builds);
  const count = (outcome) => all.filter((b) => b.outcome === outcome).length;
  return { numbers: [["finished", count("finished")], ["failed", count("failed")], ["cancelled", count("cancelled")]], refused: [], differed: 0 };
}

/** about draws which devguard this is. */
export function about(s) {
  const d = s.devguard;
  return [
    h("span", null, `${d.version}, pid ${d.pid}, since ${clock(d.since)}`),
    h("span", null, "in ", h("code", null, d.dir)),
    d.debug && h("span", null, "a debugger attaches at ", h("code", null, d.debug)),
  ];
}
