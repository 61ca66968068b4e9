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
  const all = s.history.flatMap((p) => p.builds.map((b) => ({ ...b, gen: p.gen })));
  const finished = all.filter((b) => b.outcome === "finished");
  const count = (keep) => finished.filter(keep).length;
  const differs = count((b) => b.check === "differs");
  const numbers = [
    [count((b) => b.way === "fast"), "fast"], [count((b) => b.way !== "fast"), "by go"],
    [count((b) => b.check === "same"), "verified"], [all.length - finished.length, "not finished"],
  ];
  const refused = finished.filter((b) => b.by_go).slice(0, 4);
  return [
    h("dl", { class: "numbers" }, numbers.map(([n, name]) => h("div", null, h("dt", null, name), h("dd", null, n)))),
    differs > 0 && h("p", { class: "bad" }, `${many(differs, "fast build")} differed from what the go command makes; it is not used any more.`),
    refused.length > 0 && [h("h3", { class: "label" }, "Not built fast"),
      h("ul", { class: "rows" }, refused.map((b) => h("li", null, h("span", { class: "quiet" }, `generation ${b.gen}`), h("span", null, b.by_go))))],
    s.hooks.length > 0 && [h("h3", { class: "label" }, "Hooks"),
      h("ul", { class: "rows" }, s.hooks.map((one) => h("li", { key: one.name, "data-state": one.state }, h("code", null, one.name), h("span", null, one.state))))],
  ];
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
