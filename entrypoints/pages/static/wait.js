// Follows the work on a ticket: by server-sent events, or by asking now and then. The words come from the page itself.

const POLL_MILLISECONDS = 4000;
const place = () => document.getElementById("wait");
const base = place().dataset.status;
let events = null;
let timer = 0;

function stop() {
  events?.close();
  events = null;
  clearTimeout(timer);
  timer = 0;
}

// Shows the page's own words anew when the status is another than the one that they were written for.
async function renew() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (answer.redirected || answer.status === 404) {
    location.reload();
    return;
  }
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.title = page.title;
  const { state, key } = page.getElementById("wait").dataset;
  place().replaceChildren(...page.getElementById("wait").childNodes);
  Object.assign(place().dataset, { state, key });
  if (state !== "working") stop();
}

async function show(status) {
  const bar = document.getElementById("progress");
  if (bar && status.progress > bar.value) bar.value = status.progress;
  if (`${status.contentStatus}/${status.stage}` !== place().dataset.key) await renew();
}

async function ask() {
  timer = 0;
  try {
    const answer = await fetch(`${base}/status`);
    if (answer.ok) await show(await answer.json());
    // The person signed out, or erased everything, on another page.
    else if (answer.status === 401 || answer.status === 404) return location.reload();
  } catch {
    // No network: it is asked again.
  }
  if (place().dataset.state === "working" && !document.hidden) later();
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(ask, POLL_MILLISECONDS);
}

function follow() {
  stop();
  if (document.hidden || place().dataset.state !== "working") return;
  events = new EventSource(`${base}/events`);
  // The page could not be fetched; the status that it missed is not sent again.
  events.addEventListener("status", (event) => show(JSON.parse(event.data)).catch(later));
  events.addEventListener("error", () => {
    // A stream that was refused is not opened again by the browser.
    if (events?.readyState === EventSource.CLOSED && !timer) ask();
  });
}

// A page that nobody looks at holds no stream.
document.addEventListener("visibilitychange", follow);
follow();
