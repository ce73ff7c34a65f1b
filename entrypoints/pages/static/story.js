// Saves the text of the page while it is written. What could not be saved stays in the storage of the tab, which is
// gone when the tab is closed: the phone may be borrowed. A page that is public is saved by its button only.

import { equip } from "./hear.js";

const PAUSE = 2500;
const RETRIES = [3000, 8000, 20000, 60000];
const LONGEST_WAIT = 4000;
// Browsers refuse longer bodies of requests that outlive their page.
const KEPT_ALIVE = 60000;

const form = document.getElementById("texts");
const state = document.getElementById("state");
const word = (name) => document.querySelector("#words").content.querySelector(`[data-word="${name}"]`).textContent;
const key = `story ${form.dataset.ticket}`;
const isPublic = "public" in form.dataset;
// The server shows what it did not save: the button decides what comes next.
const again = "again" in form.dataset;
// Not the buttons: one of them would leave a sentence out.
const fields = [...form.elements].filter((field) => field.name && !["hidden", "submit"].includes(field.type));

// The texts that the server has, as far as this page knows.
const known = Object.fromEntries(fields.map((field) => [field.name, initial(field)]));
let version = form.elements.version.getAttribute("value");
let saving = null;
let timer = 0;
let failures = 0;
let conflict = false;

function initial(field) {
  return field.options ? [...field.options].find((option) => option.defaultSelected)?.value ?? field.value : field.defaultValue;
}

function changed() {
  return Object.fromEntries(fields.filter((field) => field.value !== known[field.name]).map((field) => [field.name, field.value]));
}

const savesItself = () => !isPublic && !again && !conflict;
const isChanged = () => Object.keys(changed()).length > 0;

function say(text, name) {
  if (state.textContent !== text) state.textContent = text;
  state.dataset.state = name;
}

// Private windows may have no storage; the text is on the page all the same.
function stored(act) {
  try {
    return act(sessionStorage);
  } catch {
    return null;
  }
}

function remember(sent = false) {
  const texts = changed();
  stored((storage) => (Object.keys(texts).length ? storage.setItem(key, JSON.stringify({ version, texts, sent })) : storage.removeItem(key)));
}

const forget = () => stored((storage) => storage.removeItem(key));

// Brings back what an earlier load of this page could not save.
function bringBack() {
  const kept = JSON.parse(stored((storage) => storage.getItem(key)) ?? "null");
  if (!kept) return;
  if (again || (kept.sent && new URLSearchParams(location.search).has("done"))) {
    forget();
    return;
  }
  for (const field of fields) if (field.name in kept.texts) field.value = kept.texts[field.name];
  // The server compares with the draft that these texts were written over.
  if (isChanged()) version = kept.version;
  setVersion(version);
}

function setVersion(number) {
  version = String(number);
  for (const input of document.querySelectorAll('input[name="version"]')) input.value = version;
}

function later(pause) {
  clearTimeout(timer);
  timer = setTimeout(save, pause);
}

async function send() {
  const texts = changed();
  const body = new URLSearchParams({ version, ...texts });
  let answer;
  try {
    answer = await fetch(form.action, { method: "PUT", body, keepalive: body.toString().length < KEPT_ALIVE });
    if (answer.status === 401 || answer.status === 404) return say(word("signed-out"), "bad");
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    take(await answer.json(), texts);
  } catch {
    say(word("offline"), "bad");
    later(RETRIES[Math.min(failures++, RETRIES.length - 1)]);
  }
}

function take(kept, texts) {
  failures = 0;
  conflict = kept.conflicts.length > 0;
  if (conflict) return say(word("conflict"), "bad");
  for (const [name, text] of Object.entries(texts)) if (!(name in kept.errors)) known[name] = text;
  const others = Object.entries(kept.theirs).filter(([name]) => !(name in texts));
  const untouched = others.filter(([name]) => form.elements[name].value === known[name]);
  for (const [name, text] of untouched) form.elements[name].value = known[name] = text;
  // A field that was begun meanwhile is compared with the draft that it was written over.
  if (untouched.length === others.length) setVersion(kept.version);
  remember();
  const [fault] = Object.entries(kept.errors);
  if (fault) say(`${word("fault")} ${fault[1]}`, "bad");
  else if (isChanged()) later(PAUSE);
  else say(word("saved"), "good");
}

async function save() {
  clearTimeout(timer);
  await saving;
  if (!savesItself() || !isChanged()) return;
  saving = send().finally(() => (saving = null));
  await saving;
}

// Before another page or form of the ticket: at most for a moment, because the text is in the tab's storage anyway.
const saved = () => Promise.race([save(), new Promise((resolve) => setTimeout(resolve, LONGEST_WAIT))]);

function typed() {
  remember();
  if (!isChanged()) say("", "");
  else if (isPublic) say(word("public"), "");
  else if (!conflict && !again) {
    if (state.dataset.state !== "bad") say("", "");
    later(PAUSE);
  }
}

form.addEventListener("input", typed);
form.addEventListener("submit", () => remember(true));
document.addEventListener("visibilitychange", () => document.hidden && save());
addEventListener("pagehide", save);
addEventListener("online", save);

document.addEventListener("submit", async (event) => {
  const { target, submitter } = event;
  if (target === form) return;
  const leaves = target.getAttribute("action") === "/sign-out";
  if (savesItself() && isChanged()) {
    event.preventDefault();
    await saved();
    if (leaves) forget();
    const { name, value } = submitter ?? {};
    if (name) target.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
    target.submit();
  } else if (leaves) forget();
});

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[href]");
  const elsewhere = link && !link.getAttribute("href").startsWith("#") && !link.target && event.button === 0;
  if (!elsewhere || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  if (!savesItself() || !isChanged()) return;
  event.preventDefault();
  await saved();
  location.assign(link.href);
});

// Marks a sentence in the text, to correct a word of it.
for (const button of form.querySelectorAll("[data-fix]")) {
  button.addEventListener("click", () => {
    const { story } = form.elements;
    const start = story.value.indexOf(button.dataset.fix);
    story.focus();
    if (start >= 0) story.setSelectionRange(start, start + button.dataset.fix.length);
  });
}

equip();
bringBack();
if (again || isChanged()) typed();
