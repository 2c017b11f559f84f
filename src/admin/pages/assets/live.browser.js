/*
 * Keeps what is observed fresh on a page that stays open, and confirms an apply that this browser has made
 * as soon as it reaches the appliance again. Every page works without it.
 */

const POLL_MS = 15_000;
const SETTLE_MS = 300;
const TRY_MS = 3000;

document.documentElement.classList.add("has-script");

/** Puts what is marked as live in from a fresh copy of this page; forms that are being filled stay. */
async function refresh() {
  if (document.hidden) return;
  const response = await fetch(location.pathname + location.search, { cache: "no-store" });
  if (!response.ok || response.redirected) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const element of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(element.id);
    if (next === null || element.contains(document.activeElement)) continue;
    if (element.innerHTML === next.innerHTML) continue;
    const opened = [...element.querySelectorAll("details")].map(({ open }) => open);
    for (const [at, details] of next.querySelectorAll("details").entries()) {
      details.open = opened[at] ?? details.open;
    }
    element.replaceWith(document.adoptNode(next));
  }
}

function refreshQuietly() {
  refresh().catch(() => undefined);
}

let waiting = 0;
function refreshSoon() {
  clearTimeout(waiting);
  waiting = setTimeout(refreshQuietly, SETTLE_MS);
}

if (document.querySelector("[data-live]") !== null) {
  const events = new EventSource("/api/v1/events");
  for (const type of ["candidate", "applied", "confirmed", "undone", "proxy"]) {
    events.addEventListener(type, refreshSoon);
  }
  document.addEventListener("visibilitychange", refreshSoon);
  setInterval(refreshQuietly, POLL_MS);
}

/** The seconds of the text count down; the server's number stands in it. */
function countDown() {
  const text = document.querySelector("[data-countdown]");
  const left = Number(text?.dataset.countdown ?? 0);
  if (text === null || left <= 0) return;
  text.dataset.countdown = String(left - 1);
  const node = text.firstChild;
  node.data = node.data.replace(new RegExp(`\\b${left}(?= s\\b)`), String(left - 1));
  if (left === 1) refreshSoon();
}

setInterval(countDown, 1000);

/** The page that came after an apply proves little yet: a fresh request has to get through. */
async function confirmWhenReached() {
  const form = document.querySelector('form[data-confirm="auto"]');
  if (form === null) return;
  const response = await fetch("/account", { cache: "no-store" });
  if (!response.ok || response.redirected) throw new Error("not reached");
  form.submit();
}

function tryToConfirm() {
  setTimeout(() => confirmWhenReached().catch(tryToConfirm), TRY_MS);
}

tryToConfirm();
