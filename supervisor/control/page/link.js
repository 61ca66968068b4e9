// The link to devguard: how this page is let in, asks, hears news, and finds devguard again.
//
// The token of the run is in the sessionStorage of this tab; with the run it becomes worthless. The key
// by which the next run knows this page is in memory alone: whoever has the port of a devguard that
// has ended must not find it. See pass.go.

/** Refused says that this page is not let in, and why. */
export class Refused extends Error {}

let code = location.hash.slice(1);
let token = sessionStorage.getItem("devguard") ?? "";
let key = "";
if (code) history.replaceState(null, "", location.pathname);

/** ask sends a request and returns the JSON of its answer; a Problem is an Error. */
export async function ask(method, path) {
  const answer = await send(method, path, `Bearer ${token}`);
  const body = await answer.json();
  if (!answer.ok) throw answer.status === 401 ? new Refused(body.error) : new Error(body.error);
  return body;
}

function send(method, path, authorization, signal) {
  return fetch(path, { method, signal, headers: { Authorization: authorization }, cache: "no-store", redirect: "error" });
}

/** follow calls hear.news() when there is some, and hear.link(state, why) as the link changes: live,
 *  lost, refused. It does not return while the page is open. */
export async function follow(hear) {
  for (let wait = 250; ; wait = Math.min(2 * wait, 4000)) {
    try {
      await enter();
      await listen(() => {
        wait = 250;
        hear.link("live");
        hear.news();
      });
      hear.link("lost");
    } catch (err) {
      if (err instanceof Refused) {
        hear.link("refused", err.message);
        if (!key) return; // nothing will change that
      } else hear.link("lost");
    }
    await new Promise((done) => setTimeout(done, wait));
  }
}

// enter is let in by what this page has: a code, the token of the run, the key of the project.
async function enter() {
  const tries = [];
  if (code) tries.push(async () => `Code ${code}`);
  if (token) tries.push(async () => `Bearer ${token}`);
  if (key) tries.push(async (refusal) => `Proof ${await proof(refusal?.nonce ?? "")}`);
  let refusal = { error: "This page was not opened by devguard." };
  for (const next of tries) {
    const answer = await send("POST", "/v1/page/enter", await next(refusal));
    const body = await answer.json();
    code = "";
    if (answer.ok) {
      ({ token, key } = body);
      sessionStorage.setItem("devguard", token);
      return;
    }
    if (answer.status !== 401) throw new Error(body.error);
    refusal = body;
  }
  throw new Refused(refusal.error);
}

// proof shows that this page knows the key, to the run that answers at this very address.
async function proof(nonce) {
  const text = new TextEncoder();
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const secret = await crypto.subtle.importKey("raw", text.encode(key), hmac, false, ["sign"]);
  const sum = await crypto.subtle.sign("HMAC", secret, text.encode(`${nonce} ${location.host}`));
  return Array.from(new Uint8Array(sum), (b) => b.toString(16).padStart(2, "0")).join("");
}

// quiet is how long the event stream may say nothing: it says that it is alive every 15 s.
const quiet = 40_000;

// listen reads the event stream to its end.
async function listen(news) {
  const stop = new AbortController();
  let alarm = setTimeout(() => stop.abort(), quiet);
  try {
    const answer = await send("GET", "/v1/events", `Bearer ${token}`, stop.signal);
    if (!answer.ok) throw new Error((await answer.json()).error);
    const reader = answer.body.getReader();
    for (;;) {
      const { done } = await reader.read();
      if (done) return;
      clearTimeout(alarm);
      alarm = setTimeout(() => stop.abort(), quiet);
      news(); // what has changed is asked for anew, so that the events need not be read
    }
  } finally {
    clearTimeout(alarm);
  }
}
