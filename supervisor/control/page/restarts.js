// The timeline: one line for each generation, and where its time went.

import { h } from "./dom.js";
import { clock, many, took } from "./words.js";

// parts of a restart in their order. build stands for compile and link where they are not known apart.
const parts = ["settle", "hooks", "build", "compile", "link", "stop", "drain", "start", "ready"];

const groups = [["waits", ["settle"]], ["makes", ["hooks", "compile", "link"]], ["swaps", ["stop", "drain", "start", "ready"]]];

const most = 12;

/** split is what is known of where the time of a generation went: [name, ms], without what is not known.
 *  before is the generation that it replaced. */
export function split(p, before) {
  const r = p.ready ?? {};
  const apart = r.compile_ms !== undefined && r.link_ms !== undefined;
  const known = {
    settle: r.settle_ms,
    hooks: r.hooks_ms ?? sum(p.hooks.map((run) => run.ms)),
    build: apart ? undefined : r.build_ms ?? p.builds.findLast((b) => b.outcome === "finished")?.ms,
    compile: apart ? r.compile_ms : undefined,
    link: apart ? r.link_ms : undefined,
    stop: r.stop_ms,
    drain: r.drain_ms ?? Math.max(0, ...(before?.drained ?? []).map((d) => d.ms)),
    start: r.start_ms - r.ms, // start_ms is until it was ready, ms is from the process until then
    ready: r.ms,
  };
  return parts.map((name) => [name, known[name]]).filter(([, ms]) => ms > 0);
}

const sum = (all) => all.reduce((so, ms) => so + ms, 0);

/** restarts draws the timeline; width is that of a bar in pixels. */
export function restarts(history, width) {
  if (history.length === 0) return h("p", { class: "quiet" }, "No generation was made yet.");
  const rows = history.slice(0, most).map((p, i) => [p, split(p, history.slice(i + 1).find((older) => older.started))]);
  const longest = Math.max(1, ...rows.map(([, all]) => total(all)));
  return [
    h("ol", { class: "restarts" }, rows.map(([p, all]) => row(p, all, longest, width))),
    legend(rows.some(([, all]) => all.some(([name]) => name === "build"))),
  ];
}

const total = (all) => sum(all.map(([, ms]) => ms));

function row(p, all, longest, width) {
  const whole = p.ready?.save_to_ready_ms ?? total(all);
  return h("li", { key: p.gen, "data-gen": p.gen }, h("details", null,
    h("summary", null,
      h("span", { class: "gen" }, h("span", { class: "sr" }, "generation "), p.gen),
      h("span", { class: "stack", role: "img", "aria-label": spoken(all) },
        all.map(([name, ms]) => segment(name, ms, (100 * ms) / longest, width))),
      h("span", { class: "sum" }, whole > 0 ? took(whole) : "–"),
      h("span", { class: "why" }, reason(p))),
    more(p, all)));
}

function spoken(all) {
  return all.length ? all.map(([name, ms]) => `${name} ${took(ms)}`).join(", ") : "no times are known";
}

function segment(name, ms, percent, width) {
  const room = (percent / 100) * width;
  return h("span", { class: `part ${name}`, key: name, style: { width: `${percent}%` } },
    room > 9 * name.length + 8 && h("span", { "aria-hidden": "true" }, name));
}

// reason is what a generation was made for, and what is unusual about it.
function reason(p) {
  const files = p.changed.map((f) => f.split("/").at(-1));
  const what = [...new Set(files)].slice(-2).join(", ") + (new Set(files).size > 2 ? " …" : "");
  const built = p.builds.findLast((b) => b.outcome === "finished");
  return [
    what && `${what} changed`,
    p.builds.at(-1)?.outcome === "failed" && "does not build",
    p.skipped && `not started: ${p.skipped}`,
    built?.way && `${built.way} build`,
    p.failed && "not ready",
    p.ended && p.ended.code !== 0 && !p.ended.signal && `exited with ${p.ended.code}`,
    (p.started ?? p.builds.at(-1)?.at) && clock(p.started ?? p.builds.at(-1).at),
  ].filter(Boolean).join(" · ");
}

function more(p, all) {
  const lines = [
    p.started && ["started", `${clock(p.started)}, pid ${p.pid}`],
    ...all.map(([name, ms]) => [name, took(ms)]),
    p.ready?.save_to_ready_ms !== undefined && ["save to ready", took(p.ready.save_to_ready_ms)],
    p.changed.length > 0 && ["changed", [...new Set(p.changed)].join(", ")],
    ...p.builds.map((b) => ["build", build(b)]),
    ...p.hooks.map((run) => [`hook ${run.name}`, `${run.outcome} in ${took(run.ms)}${run.error ? `: ${run.error}` : ""}`]),
    p.failed && ["failed", p.failed],
    p.ended && ["ended", `${clock(p.ended.at)}, ${p.ended.signal ? `by ${p.ended.signal}` : `code ${p.ended.code}`}`],
    ...p.drained.map((d) => [`drained ${d.database}`, drained(d)]),
  ].filter(Boolean);
  return h("dl", { class: "more" }, lines.map(([name, text]) => [h("dt", null, name), h("dd", null, text)]));
}

function build(b) {
  const check = { same: ", the go command builds the same", differs: ", the go command builds something else" };
  return `${b.outcome} in ${took(b.ms)}${b.way ? `, ${b.way}${check[b.check] ?? ""}` : ""}${b.by_go ? `, by the go command: ${b.by_go}` : ""}`;
}

function drained(d) {
  const words = [
    d.sessions !== undefined && many(d.sessions, "session"), d.cancelled > 0 && `${d.cancelled} cancelled`,
    d.rolled_back > 0 && `${d.rolled_back} rolled back`, d.statements !== undefined && many(d.statements, "prepared statement"),
    d.left > 0 && `${d.left} left`,
  ];
  return `${words.filter(Boolean).join(", ")} in ${took(d.ms)}`;
}

function legend(whole) {
  return h("p", { class: "legend", "aria-hidden": "true" }, groups.map(([group, names]) =>
    h("span", { class: "group" }, h("b", null, group), names.map((name) => {
      const shown = whole && name === "compile" ? "build" : name;
      return h("span", null, h("i", { class: `part ${shown}` }), shown);
    }))));
}
