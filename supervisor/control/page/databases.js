// The databases of the app: mode, sessions, prepared statements over generations, conflicts.

import { h } from "./dom.js";
import { ago, many } from "./words.js";

// slots is how many generations the chart shows.
const slots = 10;

// seen is what this page has seen of the prepared statements: by database, [generation, time, number].
const seen = new Map();

/** observe remembers how many prepared statements the generation that runs has now. */
export function observe(s) {
  if (s.instance.phase !== "running") return; // while it is stopped they go one by one
  for (const d of s.databases) {
    const all = seen.get(d.name) ?? [];
    const gen = s.instance.gen;
    const n = prepared(d, gen);
    const last = all.at(-1);
    if (!last || last[0] !== gen || last[2] !== n || Date.now() - last[1] > 5000) all.push([gen, Date.now(), n]);
    seen.set(d.name, all.slice(-600));
  }
}

const prepared = (d, gen) => d.generations.find((g) => g.gen === gen)?.prepared ?? 0;

/** databases draws all. */
export function databases(s) {
  if (s.databases.length === 0) return h("p", { class: "quiet" }, "The app uses no Postgres that devguard knows of.");
  return s.databases.map((d) => h("article", { class: "database", key: d.name },
    h("h3", null, d.name),
    mode(d),
    h("div", { class: "two" }, chart(d, s), sessions(d))));
}

function mode(d) {
  const kinds = { "session-pooler": "a session pooler", "transaction-pooler": "a transaction pooler", postgres: "Postgres itself" };
  return h("p", { class: "mode" },
    d.mode ? ["Mode ", h("b", null, d.mode)] : "The mode is not known yet",
    d.kind && d.kind !== "unknown" && `, ${kinds[d.kind] ?? d.kind}`, d.reason && `: ${d.reason}`, ". ",
    d.paused && h("b", null, "Its clients wait for a migration. "),
    conflicts(d));
}

function conflicts(d) {
  const all = d.generations.flatMap((g) => Object.entries(g.conflicts ?? {}).map(([state, n]) => `${n} of ${state} in generation ${g.gen}`));
  return all.length ? h("strong", { class: "bad" }, `Conflicts: ${all.join(", ")}.`) : "No conflicts.";
}

function sessions(d) {
  return h("div", { class: "sessions" },
    h("h4", null, many(d.sessions.length, "session"), d.spares > 0 && h("span", { class: "quiet" }, `, ${d.spares} dialled ahead`)),
    h("ul", null, d.sessions.map((one) => h("li", { key: one.pid, "data-pid": one.pid },
      h("span", { class: "state", "data-state": one.state }, one.state, " ", h("span", { class: "quiet" }, ago(one.state_ms))),
      h("span", { class: "quiet" }, `pid ${one.pid}, ${one.gen ? `generation ${one.gen}` : "not the app's"}, open ${ago(one.age_ms)}`),
      one.query && h("code", { title: one.query }, one.query)))));
}

/** series is, by generation, the points that are known: [share of its time, number]. Of a generation
 *  that this page has not seen the last one is known: what went with its sessions. */
export function series(d, s) {
  const past = s.history.filter((p) => p.started).slice(0, slots).reverse();
  return past.map((p) => {
    const begun = new Date(p.started).getTime();
    const ended = p.ended ? new Date(p.ended.at).getTime() : Date.now();
    const share = (t) => Math.min(1, Math.max(0, (t - begun) / Math.max(1, ended - begun)));
    const points = (seen.get(d.name) ?? []).filter(([gen]) => gen === p.gen).map(([, t, n]) => [share(t), n]);
    const running = p.gen === s.instance.gen && !p.ended;
    const last = running ? prepared(d, p.gen) : points.at(-1)?.[1] ?? p.drained.find((one) => one.database === d.name)?.statements;
    if (last !== undefined) points.push([1, last]);
    return { gen: p.gen, running, points: points.length ? [[0, 0], ...points] : [] };
  });
}

function chart(d, s) {
  const all = series(d, s);
  const top = Math.max(1, ...all.flatMap((g) => g.points.map(([, n]) => n)));
  const last = (g) => g.points.at(-1)?.[1];
  const words = all.filter((g) => g.points.length).map((g) => `generation ${g.gen}: ${last(g)}${g.running ? " now" : ", then 0"}`);
  return h("figure", { class: "chart" },
    h("figcaption", null, h("h4", null, "Prepared statements"), h("span", { class: "quiet" }, "gone with each restart")),
    h("svg", { viewBox: `0 0 ${100 * Math.max(1, all.length)} 100`, preserveAspectRatio: "none", role: "img",
      "aria-label": `Prepared statements by generation. ${words.join("; ") || "None yet"}.` },
      all.map((g, i) => slot(g, 100 * i, top))),
    h("ol", { class: "axis", "aria-hidden": "true" }, all.map((g) =>
      h("li", { key: g.gen, "data-gen": g.gen, "data-last": last(g) }, h("b", null, last(g) ?? ""), h("span", null, g.gen)))));
}

// slot draws one generation: up from nothing, and down to nothing at its end. What was seen changes in
// steps; where the end alone is known the line goes there.
function slot(g, x, top) {
  const across = (t) => (x + 2 + 96 * t).toFixed(1);
  const up = (n) => (96 - (84 * n) / top).toFixed(1);
  const step = g.points.length > 2 ? ([t, n]) => `H${across(t)}V${up(n)}` : ([t, n]) => `L${across(t)} ${up(n)}`;
  const line = g.points.map((p, i) => (i ? step(p) : `M${across(p[0])} ${up(p[1])}`)).join("");
  const fall = g.points.length && !g.running ? "V96" : "";
  return h("g", { key: g.gen },
    x > 0 && h("line", { class: "restart", x1: x, x2: x, y1: 0, y2: 100 }),
    h("line", { class: "zero", x1: x, x2: x + 100, y1: 96, y2: 96 }),
    line && h("path", { class: "area", d: `${line}V96Z` }),
    line && h("path", { class: "line", d: line + fall }));
}
