// Numbers and times as people read them.

/** took is a duration of something that was done. */
export function took(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 9950 ? 2 : 1)} s`;
  return ago(ms);
}

/** ago is how long something has lasted, in its one or two largest units. */
export function ago(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}

/** clock is a time of day. */
export function clock(time) {
  return new Date(time).toLocaleTimeString([], { hour12: false });
}

/** many is a number of things. */
export function many(n, what) {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}

/** since is how long ago a time is, by this machine's clock, which is devguard's too. */
export function since(time) {
  return ago(Date.now() - new Date(time).getTime());
}
