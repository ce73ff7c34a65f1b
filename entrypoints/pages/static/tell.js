// The page on which a person records a story: record, pause, hear, send. Every second of sound is kept in the browser.

import * as store from "./tell-store.js";

const KINDS = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus"];
const BITS_PER_SECOND = 32000;
const LONGEST_SECONDS = 59 * 60;
const PART_BYTES = 512 * 1024;
const PAUSES = [0, 1000, 3000, 5000, 10000, 20000];
const SILENT_TICKS = 40;
const QUIET = 0.02;

const root = document.querySelector("#recorder");
const $ = (name) => document.getElementById(name);
const word = (name) => {
  const words = $("words").content;
  return (words.querySelector(`[data-word="${name}"]`) ?? words.querySelector('[data-word="other"]')).textContent;
};
const page = root.dataset.ticket || "new";
const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

// What is known of the recording, and its sound. `key` makes a repeated request for the ticket the same request.
let recording = null;
let parts = [];
let recorder, stream, audioContext, analyser, ticking, saving, lock;
let quietTicks = 0;

function show(step) {
  for (const section of root.querySelectorAll("[data-step]")) section.hidden = section.dataset.step !== step;
  root.querySelector(`[data-step="${step}"] h1`).focus();
}

function notice(name) {
  $("notice").textContent = name ? word(name) : "";
  $("notice").hidden = !name;
}

// Storage may be missing or full; the sound is in memory then, and can be sent all the same.
const kept = (promise) => promise.catch(() => undefined);

async function start() {
  notice("");
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
  } catch {
    notice("denied");
    return;
  }
  const type = KINDS.find((kind) => MediaRecorder.isTypeSupported(kind)) ?? "";
  recorder = new MediaRecorder(stream, { mimeType: type, audioBitsPerSecond: BITS_PER_SECOND });
  recording = { type: recorder.mimeType || type, seconds: 0, key: crypto.randomUUID(), sending: false };
  parts = [];
  saving = kept(store.remove(page)).then(() => kept(store.save(page, recording)));
  recorder.ondataavailable = (event) => {
    if (event.data.size) keep(event.data);
  };
  recorder.onstop = stopped;
  for (const track of stream.getAudioTracks()) {
    track.onended = () => finish("interrupted");
    track.onmute = () => pause("interrupted");
  }
  recorder.start(1000);
  watchLevel();
  ticking = setInterval(tick, 100);
  lock = await navigator.wakeLock?.request("screen").catch(() => undefined);
  show("recording");
}

function keep(blob) {
  const number = parts.push(blob) - 1;
  saving = saving.then(async () => {
    await kept(store.addChunk(page, number, await blob.arrayBuffer()));
    await kept(store.save(page, recording));
  });
}

function watchLevel() {
  audioContext = new AudioContext();
  analyser = audioContext.createAnalyser();
  analyser.fftSize = 1024;
  audioContext.createMediaStreamSource(stream).connect(analyser);
}

function tick() {
  if (recorder.state !== "recording") return;
  recording.seconds += 0.1;
  $("time").textContent = clock(recording.seconds);
  const samples = new Float32Array(analyser.fftSize);
  analyser.getFloatTimeDomainData(samples);
  const level = Math.max(...samples.map(Math.abs));
  $("level").value = Math.min(1, level * 1.5);
  quietTicks = level < QUIET ? quietTicks + 1 : 0;
  const sentence = quietTicks > SILENT_TICKS ? word("silent") : "";
  if ($("silent").textContent !== sentence) $("silent").textContent = sentence;
  if (recording.seconds > LONGEST_SECONDS) finish();
}

function pause(name) {
  if (recorder?.state !== "recording") return;
  recorder.requestData();
  recorder.pause();
  const button = $("pause");
  button.dataset.pause ??= button.textContent;
  button.textContent = button.dataset.resume;
  $("level").value = 0;
  $("silent").textContent = word("paused");
  if (name) notice(name);
}

function pauseOrResume() {
  if (recorder.state === "recording") {
    pause();
    return;
  }
  notice("");
  recorder.resume();
  $("silent").textContent = "";
  $("pause").textContent = $("pause").dataset.pause;
}

function finish(name) {
  if (recorder && recorder.state !== "inactive") recorder.stop();
  if (name) notice(name);
}

async function stopped() {
  clearInterval(ticking);
  for (const track of stream.getTracks()) {
    track.onended = track.onmute = null;
    track.stop();
  }
  audioContext.close();
  lock?.release();
  if ($("pause").dataset.pause) $("pause").textContent = $("pause").dataset.pause;
  await saving;
  review();
}

const sound = () => new Blob(parts, { type: recording.type.split(";")[0] });

function review() {
  $("playback").src = URL.createObjectURL(sound());
  $("length").textContent = clock(recording.seconds);
  show("review");
}

async function again() {
  if (!window.confirm(word("again"))) return;
  await kept(store.remove(page));
  await start();
}

function showFaults(names) {
  const box = $("send-errors");
  const items = names.map((name) => {
    const link = Object.assign(document.createElement("a"), { href: `#${$(name) ? name : "send-form"}` });
    link.textContent = word(name);
    $(name)?.setAttribute("aria-invalid", "true");
    const item = document.createElement("li");
    item.append(link);
    return item;
  });
  box.querySelector("ul").replaceChildren(...items);
  box.hidden = names.length === 0;
  if (names.length) box.focus();
}

const faultOf = (status) => ({ 413: "long", 415: "audio", 422: "contact", 429: "quota", 503: "busy" })[status] ?? "other";

async function openTicket() {
  const form = new FormData($("send-form"));
  const faults = [
    ...((form.get("contact") ?? "").trim() ? [] : ["contact"]),
    ...(form.get("consent") ? [] : ["consent"]),
  ];
  if (faults.length) return faults;
  const body = { contact: form.get("contact").trim(), name: form.get("name").trim() || null, consent: true };
  Object.assign(body, { textVersion: form.get("textVersion"), textLanguage: form.get("textLanguage") });
  const answer = await fetch("/tell", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json", "Idempotency-Key": recording.key },
    body: JSON.stringify(body),
  });
  if (!answer.ok) {
    // Another contact makes another request.
    recording.key = crypto.randomUUID();
    const { errors } = await answer.json().catch(() => ({}));
    const names = (errors ?? []).map((error) => error.pointer.slice(1).replace("contactValue", "contact"));
    return names.length ? names : [faultOf(answer.status)];
  }
  recording.ticket = (await answer.json()).ticketId;
  return [];
}

async function send() {
  let faults = [];
  try {
    recording.ticket ??= root.dataset.ticket || undefined;
    if (!recording.ticket) faults = await openTicket();
  } catch {
    faults = ["lost"];
  }
  showFaults(faults);
  if (faults.length) return;
  recording.sending = true;
  await kept(store.save(page, recording));
  await upload();
}

function loadTus() {
  return new Promise((resolve, reject) => {
    if (window.tus) {
      resolve(window.tus);
      return;
    }
    const script = Object.assign(document.createElement("script"), { src: root.dataset.tus });
    script.onload = () => resolve(window.tus);
    script.onerror = reject;
    document.head.append(script);
  });
}

async function upload() {
  show("sending");
  $("retry").hidden = true;
  $("sent").textContent = "";
  let tus;
  try {
    tus = await loadTus();
  } catch {
    failed();
    return;
  }
  const extension = recording.type.includes("mp4") ? "m4a" : recording.type.includes("ogg") ? "ogg" : "webm";
  const job = new tus.Upload(sound(), {
    endpoint: "/api/uploads",
    uploadUrl: recording.uploadUrl ?? null,
    chunkSize: PART_BYTES,
    retryDelays: PAUSES,
    storeFingerprintForResuming: false,
    metadata: { ticket: recording.ticket, filename: `story.${extension}` },
    onUploadUrlAvailable: () => {
      recording.uploadUrl = job.url;
      kept(store.save(page, recording));
    },
    onProgress: (sent, all) => {
      $("progress").value = (100 * sent) / all;
    },
    onSuccess: () => sent(),
    onError: (error) => failed(error.originalResponse?.getStatus()),
  });
  job.start();
}

async function sent() {
  $("progress").value = 100;
  $("sent").textContent = word("done");
  // An earlier recording may still be in work: the next page says so.
  const answer = await fetch(`/api/tickets/${recording.ticket}/process`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: "{}",
  }).catch(() => undefined);
  if (!answer) {
    failed();
    return;
  }
  await kept(store.remove(page));
  location.assign(`/t/${recording.ticket}`);
}

function failed(status) {
  if (status === 415 || status === 413 || status === 429) {
    // The server has deleted what it refused; the person may record again.
    recording.sending = false;
    recording.uploadUrl = null;
    kept(store.save(page, recording));
    review();
    showFaults([faultOf(status)]);
    return;
  }
  $("sent").textContent = word("lost");
  $("retry").hidden = false;
}

async function resume() {
  const stored = await kept(store.load(page));
  const chunks = stored ? await kept(store.chunks(page)) : [];
  if (!stored || !chunks?.length) return;
  recording = stored;
  parts = chunks.map((chunk) => new Blob([chunk]));
  if (recording.sending) {
    await upload();
    return;
  }
  notice("kept");
  review();
}

let spoken;

function silence() {
  window.speechSynthesis?.cancel();
  spoken?.pause();
}

function readAloud() {
  if (root.dataset.aloud) {
    spoken ??= new Audio(root.dataset.aloud);
    spoken.onended = () => (spoken.currentTime = 0);
    // It may be silenced before it begins.
    if (spoken.paused) spoken.play().catch(() => undefined);
    else spoken.pause();
    return;
  }
  const speech = window.speechSynthesis;
  if (speech.speaking) {
    speech.cancel();
    return;
  }
  const sentences = [...root.querySelectorAll('[data-step="start"] h1, [data-step="start"] .lead, .ideas li, .promise p')];
  for (const sentence of sentences.filter((element) => element.closest('[data-step="start"]'))) {
    const words = new SpeechSynthesisUtterance(sentence.textContent);
    words.lang = root.lang;
    speech.speak(words);
  }
}

if (!root.dataset.aloud && !window.speechSynthesis) {
  $("aloud-choice").hidden = true;
} else {
  $("aloud").addEventListener("click", readAloud);
}
if (navigator.mediaDevices?.getUserMedia && window.MediaRecorder) {
  $("record").setAttribute("role", "button");
  $("record").addEventListener("click", (event) => {
    event.preventDefault();
    silence();
    start();
  });
  $("pause").addEventListener("click", pauseOrResume);
  $("finish").addEventListener("click", () => finish());
  $("again").addEventListener("click", again);
  $("retry").addEventListener("click", upload);
  $("send-form").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  window.addEventListener("online", () => {
    if (!$("retry").hidden) upload();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && recorder?.state === "recording") recorder.requestData();
  });
  resume();
}
