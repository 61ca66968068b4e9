// What runs now, what is done, why anything waits, and what fails.

import { h } from "./dom.js";
import { since } from "./words.js";

/** headline is one sentence about the newest generation. */
export function headline(i) {
  if (i.gen === 0) return "Nothing was started yet";
  const words = {
    none: "was stopped", exited: "has exited", crashed: "has crashed", failed: "could not be started",
    starting: "is starting", stopping: "is stopping", draining: "is draining its sessions",
    running: i.ready ? "serves" : "is not ready yet",
  };
  return `Generation ${i.gen} ${words[i.phase] ?? i.phase}`;
}

/** tone is how well it goes: good, busy, bad. */
export function tone(s) {
  const bad = ["crashed", "failed", "exited", "none"].includes(s.instance.phase) && s.instance.gen > 0;
  if (s.failures.length > 0 || (bad && s.tree.rest === "rest")) return "bad";
  return s.instance.ready && s.tree.doing === "idle" ? "good" : "busy";
}

// stages of a save on its way, in order, and what is done in each.
const stages = ["settle", "hooks", "build", "stop", "drain", "start", "ready"];

function stage(s) {
  const { doing } = s.tree;
  if (doing === "settling" || doing === "configuring") return "settle";
  if (doing.startsWith("hook ")) return "hooks";
  if (doing === "building") return "build";
  const phases = { stopping: "stop", draining: "drain", starting: "start" };
  if (s.instance.phase === "running" && !s.instance.ready) return "ready";
  return phases[s.instance.phase] ?? "";
}

/** now draws the sentence, the way of a save, and what waits. */
export function now(s) {
  const i = s.instance;
  const at = stage(s);
  const last = s.history.find((p) => p.gen === i.gen);
  const facts = [
    s.devguard.runs !== "." && s.devguard.runs,
    i.ready && last?.ready && `for ${since(last.ready.at)}`,
    i.pid && `pid ${i.pid}`,
    ...i.listening,
  ].filter(Boolean);
  return [
    h("h1", { class: "headline", "data-tone": i.ready ? "good" : tone(s) }, headline(i)),
    h("p", { class: "facts" }, facts.map((f, n) => [n > 0 && h("span", { "aria-hidden": "true" }, " · "), f])),
    h("ol", { class: "way", "aria-label": "The way of a save" }, stages.map((name) =>
      h("li", { "aria-current": at === name ? "step" : undefined }, h("span", null, at === name && name === "hooks" ? s.tree.doing : name)))),
    s.waits.length > 0 && h("div", { class: "waits" },
      h("h2", null, "Waits"),
      h("dl", null, s.waits.map((w) => [h("dt", null, w.what), h("dd", null, w.reason)]))),
  ];
}

/** failures draws what has failed and has not succeeded since. */
export function failures(s) {
  return s.failures.map((f) => h("article", { class: "failure", key: f.what },
    h("h2", null, f.what, " fails", f.total > 1 && h("span", { class: "count" }, ` ${f.total} errors`)),
    f.errors ? f.errors.map(diagnostic) : h("p", { class: "text" }, f.error),
    f.total > (f.errors?.length ?? 0) && f.errors && h("p", { class: "quiet" }, `and ${f.total - f.errors.length} more`),
    f.hint && h("p", { class: "hint" }, h("b", null, "Hint: "), f.hint),
    s.instance.ready && h("p", { class: "quiet" }, `Generation ${s.instance.gen} goes on.`)));
}

function diagnostic(d) {
  const place = [d.file, d.line, d.column].filter(Boolean).join(":");
  return h("div", { class: "diagnostic" },
    h("p", { class: "text" }, place && h("span", { class: "place" }, place), " ", d.text),
    d.around ? excerpt(d) : d.source && h("pre", { class: "code", tabindex: "0", "aria-label": "source" }, d.source));
}

function excerpt(d) {
  const lines = d.around.split("\n");
  const name = `${d.file}, lines ${d.around_from} to ${d.around_from + lines.length - 1}`;
  return h("pre", { class: "code", tabindex: "0", role: "group", "aria-label": name }, lines.map((text, k) => {
    const n = d.around_from + k;
    const hit = n === d.line;
    return h("span", { class: hit ? "line hit" : "line" },
      h("span", { class: "number" }, n), h("span", { class: "source" }, hit ? marked(text, d.column ?? 0) : text), "\n");
  }));
}

// marked underlines the word at a column, which counts bytes from 1.
function marked(text, column) {
  if (column < 1) return text;
  const at = new TextDecoder().decode(new TextEncoder().encode(text).slice(0, column - 1)).length;
  const word = /^(\w+|\S)/.exec(text.slice(at))?.[0] ?? "";
  return [text.slice(0, at), h("mark", null, word), text.slice(at + word.length)];
}
