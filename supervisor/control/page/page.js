// The status page: asks devguard how it stands whenever there is news, and draws it.

import { databases, observe } from "./databases.js";
import { draw, h } from "./dom.js";
import { ask, follow } from "./link.js";
import { failures, headline, now, tone } from "./now.js";
import { about, addresses, builds } from "./rest.js";
import { restarts } from "./restarts.js";
import { many } from "./words.js";

const at = (id) => document.getElementById(id);

// Sessions change without news: while somebody looks they are asked for once a second. Between two
// questions there are 80 ms at least, however many lines the log has.
const pace = 1000;
const gap = 80;

// told is how long the page says what came of a button, in milliseconds. A guess.
const told = 15_000;

let latest;
let asking = false;
let again = false;
let toldAt = Infinity;
let telling;

async function refresh() {
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  try {
    latest = await ask("GET", "/v1/status");
    observe(latest);
    show();
  } catch {
    // The link says so.
  }
  setTimeout(() => {
    asking = false;
    if (again) refresh();
    again = false;
  }, gap);
}

function show() {
  const s = latest;
  if (s.instance.ready && s.instance.gen > toldAt) forget(); // of an earlier generation
  document.title = `${tone(s) === "bad" ? "✕ " : ""}${headline(s.instance)} – ${s.devguard.name}`;
  document.body.dataset.tone = tone(s);
  at("name").textContent = s.devguard.name;
  draw(at("now"), now(s));
  draw(at("failures"), failures(s));
  draw(at("restarts"), restarts(s.history, Math.max(120, at("restarts").clientWidth - 150)));
  draw(at("databases"), databases(s));
  draw(at("addresses"), addresses(s));
  draw(at("builds"), builds(s));
  draw(at("about"), about(s));
}

const links = {
  live: ["live", null],
  lost: ["not connected", `devguard has ended, or does not answer at ${location.host}. This page goes on by itself once it runs here again. ` +
    "If it was started again and this page stays as it is, it answers at another port: press o in its terminal, or type devguard status --open."],
  refused: ["not let in", "This page was not opened by devguard, or its address was used before. Press o in the terminal of devguard, or type devguard status --open."],
};

function link(state) {
  if (document.body.dataset.link === state) return;
  document.body.dataset.link = state;
  const [word, text] = links[state];
  draw(at("link"), word);
  draw(at("notice"), text && h("p", { class: "notice" }, text));
  at("restart").disabled = at("reset").disabled = state !== "live";
}

async function act(button, path, say) {
  button.setAttribute("aria-busy", "true");
  let text;
  try {
    text = say(await ask("POST", path));
  } catch (err) {
    text = `That did not work: ${err.message}`;
  }
  button.removeAttribute("aria-busy");
  draw(at("notice"), h("p", { class: "notice" }, text));
  toldAt = latest?.instance.gen ?? Infinity;
  clearTimeout(telling);
  telling = setTimeout(forget, told);
  refresh();
}

// forget takes away what came of a button.
function forget() {
  toldAt = Infinity;
  if (document.body.dataset.link === "live") draw(at("notice"));
}

function resetText(done) {
  if (done.databases.length === 0) return "The app uses no database that devguard knows of.";
  return done.databases.map((r) => r.reason ? `${r.database}: nothing was done: ${r.reason}.`
    : `${r.database}: ${many(r.sessions, "session")} ended, ${many(r.statements, "prepared statement")} gone, ${r.rolled_back} rolled back.`).join(" ");
}

at("restart").addEventListener("click", (e) => act(e.currentTarget, "/v1/restart", () => "The restart has begun."));
at("reset").addEventListener("click", (e) => act(e.currentTarget, "/v1/reset-connections", resetText));

setInterval(() => {
  if (!document.hidden && document.body.dataset.link === "live") refresh();
}, pace);
document.addEventListener("visibilitychange", () => document.hidden || refresh());
addEventListener("resize", () => latest && show());

follow({ link, news: refresh });
