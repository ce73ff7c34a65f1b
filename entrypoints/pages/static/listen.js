// The review by ear. Each part is played when it is shown: the recording, or a voice of this device. A press shows the
// next part in this page, because browsers let a page play only what a press began.

import { equip, stop } from "./hear.js";

const VOICES_WAIT = 1500;
const place = () => document.getElementById("listen");
const speech = window.speechSynthesis;

// Only voices of the device itself: the words must not go to the maker of the browser.
function voiceFor(language) {
  const wanted = language.toLowerCase().split("-")[0];
  const voices = speech?.getVoices().filter((voice) => voice.localService && voice.lang.toLowerCase().split(/[-_]/)[0] === wanted) ?? [];
  return voices.find((voice) => voice.default) ?? voices[0];
}

function say(words) {
  stop();
  speech.cancel();
  const utterance = new SpeechSynthesisUtterance(words.textContent.trim());
  utterance.voice = voiceFor(words.lang);
  utterance.lang = utterance.voice.lang;
  utterance.rate = 0.9;
  speech.speak(utterance);
}

function offerVoices() {
  let mute = false;
  for (const button of place().querySelectorAll("[data-say]")) {
    button.hidden = !voiceFor(document.querySelector(button.dataset.say).lang);
    mute ||= button.hidden;
  }
  for (const note of place().querySelectorAll("[data-mute]")) note.hidden = !mute;
}

function prepare() {
  equip(place());
  for (const button of place().querySelectorAll(".hear")) button.addEventListener("click", () => speech?.cancel());
  for (const button of place().querySelectorAll("[data-say]")) {
    button.addEventListener("click", () => say(document.querySelector(button.dataset.say)));
  }
  offerVoices();
  place().querySelector("[data-play] button:not([hidden])")?.click();
}

// Shows the answer in place of this part; anything else than the next part is opened as its own page.
async function show(request) {
  stop();
  speech?.cancel();
  const answer = await fetch(request);
  const address = new URL(answer.url);
  if (address.pathname !== location.pathname || !answer.ok) {
    location.assign(answer.url);
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  place().replaceWith(document.adoptNode(page.getElementById("listen")));
  history.pushState(null, "", address);
  scrollTo(0, 0);
  place().querySelector("h1").focus();
  prepare();
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!place().contains(form)) return;
  event.preventDefault();
  const fields = new URLSearchParams(new FormData(form));
  const isGet = form.method === "get";
  try {
    await show(isGet ? new Request(`${form.action}?${fields}`) : new Request(form.action, { method: "POST", body: fields }));
  } catch {
    // No network: the browser says so itself.
    form.submit();
  }
});

addEventListener("popstate", () => location.reload());
speech?.addEventListener?.("voiceschanged", offerVoices);
setTimeout(offerVoices, VOICES_WAIT);
prepare();
