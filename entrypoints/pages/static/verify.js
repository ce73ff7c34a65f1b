// Checks exports and codes of printed pages in the browser, as `checker.py` does; the form asks the service as well.

const { subtle } = globalThis.crypto ?? {};
const utf8 = new TextEncoder();
const HEADER = "format,ticket,key,checkpoint,statement,events";
const EVENT = "position,stream,version,topic,ticket,recordedAt,state,previous,proof";

class Refused extends Error {}

function require(condition, reason) {
  if (!condition) throw new Refused(reason);
}

// Bytes.

function decoded(text, length) {
  require(typeof text === "string" && /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0, "not Base64");
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  require(length === undefined || bytes.length === length, "wrong length");
  return bytes;
}

function joined(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((offset, part) => (all.set(part, offset), offset + part.length), 0);
  return all;
}

const equal = (a, b) => a.length === b.length && a.every((byte, index) => byte === b[index]);
const sha256 = async (...parts) => new Uint8Array(await subtle.digest("SHA-256", joined(...parts)));
const leafHash = (data) => sha256([0], data);
const nodeHash = (left, right) => sha256([1], left, right);

function int32(value) {
  const bytes = new DataView(new ArrayBuffer(4));
  bytes.setInt32(0, value);
  return new Uint8Array(bytes.buffer);
}

function int64(value) {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setBigInt64(0, BigInt(value));
  return new Uint8Array(bytes.buffer);
}

function uuid(text) {
  require(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text), "not an id");
  return Uint8Array.from(text.replaceAll("-", "").match(/../g), (pair) => parseInt(pair, 16));
}

// The tree (RFC 9162, section 2.1).

async function rootAbove(leaf, index, size, path) {
  require(index >= 0 && index < size, "the leaf is outside the tree");
  let [here, last, root] = [BigInt(index), BigInt(size - 1), leaf];
  for (const sibling of path) {
    require(last !== 0n, "the path is too long");
    if (here & 1n || here === last) {
      root = await nodeHash(sibling, root);
      while (!(here & 1n) && here) [here, last] = [here >> 1n, last >> 1n];
    } else {
      root = await nodeHash(root, sibling);
    }
    [here, last] = [here >> 1n, last >> 1n];
  }
  require(last === 0n, "the path is too short");
  return root;
}

async function checkConsistency(old, now, path) {
  require(old.size <= now.size, "the log has fewer events than before");
  if (old.size === now.size) return require(!path.length && equal(old.root, now.root), "the log was changed");
  require(old.size > 0, "the older log is empty");
  const nodes = Math.log2(old.size) % 1 === 0 ? [old.root, ...path] : path;
  require(nodes.length, "the proof has no nodes");
  let [here, last] = [BigInt(old.size - 1), BigInt(now.size - 1)];
  while (here & 1n) [here, last] = [here >> 1n, last >> 1n];
  let [before, after] = [nodes[0], nodes[0]];
  for (const node of nodes.slice(1)) {
    require(last !== 0n, "the proof is too long");
    if (here & 1n || here === last) {
      [before, after] = [await nodeHash(node, before), await nodeHash(node, after)];
      while (!(here & 1n) && here) [here, last] = [here >> 1n, last >> 1n];
    } else {
      after = await nodeHash(after, node);
    }
    [here, last] = [here >> 1n, last >> 1n];
  }
  require(last === 0n && equal(before, old.root) && equal(after, now.root), "the log was changed");
}

// Signed notes. `signature.checked` becomes false if this browser cannot check signatures.

async function parsedKey(text) {
  const [, name, id, code] = text.match(/^([^\s+]+)\+([0-9a-f]{8})\+(\S+)$/) ?? [];
  require(name, "not a key");
  const data = decoded(code, 33);
  const hash = await sha256(utf8.encode(`${name}\n`), data);
  require(data[0] === 1 && [...hash.slice(0, 4)].map((byte) => byte.toString(16).padStart(2, "0")).join("") === id, "not a key");
  return { name, data };
}

async function isSigned(key, signature, text) {
  let imported;
  try {
    imported = await subtle.importKey("raw", key, "Ed25519", false, ["verify"]);
  } catch {
    return null;
  }
  return subtle.verify("Ed25519", imported, signature, utf8.encode(text));
}

async function signedText(note, keys, signature) {
  const end = note.lastIndexOf("\n\n");
  require(end > 0 && note.endsWith("\n"), "not a signed note");
  const text = note.slice(0, end + 1);
  let signed = false;
  for (const line of note.slice(end + 2, -1).split("\n")) {
    const [, name, code] = line.match(/^\u2014 (\S+) (\S+)$/) ?? [];
    require(name, "not a signed note");
    const data = decoded(code);
    for (const key of keys) {
      // A log that moved signed under another name, with the same key.
      const id = (await sha256(utf8.encode(`${name}\n`), key.data)).slice(0, 4);
      if (!equal(id, data.slice(0, 4))) continue;
      const valid = await isSigned(key.data.slice(1), data.slice(4), text);
      require(valid !== false, "the signature is wrong");
      if (valid === null) signature.checked = false;
      signed = true;
    }
  }
  require(signed, "not signed with the key of this service");
  return text;
}

async function checkpoint(note, keys, signature) {
  const [origin, size, root] = (await signedText(note, keys, signature)).split("\n");
  require(/^(0|[1-9][0-9]{0,14})$/.test(size), "not a checkpoint");
  return { origin, size: Number(size), root: decoded(root, 32) };
}

// Exports.

async function link(event) {
  require(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(event.recordedAt), "not a time");
  const milliseconds = Date.parse(`${event.recordedAt.slice(0, 19)}Z`) - Date.UTC(2000, 0, 1);
  const micros = BigInt(milliseconds) * 1000n + BigInt(event.recordedAt.slice(20, 26));
  const topic = utf8.encode(event.topic);
  return sha256(
    decoded(event.previous, 32), int64(event.position), uuid(event.stream), int32(event.version), uuid(event.ticket),
    int64(micros), int32(topic.length), topic, utf8.encode(event.state),
  );
}

async function checkExport(text, keys, signature) {
  const lines = text.trim().split("\n").map((line) => line.trim());
  require(lines.pop() === "]}", "the file ends too early");
  const header = JSON.parse(`${lines.shift()}]}`);
  require(Object.keys(header).join() === HEADER && header.format === "storyledger audit 1", "not an export");
  const key = await parsedKey(header.key);
  require(keys.some((known) => equal(known.data, key.data)), "signed with another key than that of this service");
  const log = await checkpoint(header.checkpoint, [key], signature);
  const streams = new Map();
  let last = 0;
  for (const line of lines) {
    const event = JSON.parse(line.replace(/,$/, ""));
    require(Object.keys(event).join() === EVENT && event.position > last, "not an event, or out of order");
    const leaf = await leafHash(await link(event));
    const root = await rootAbove(leaf, event.position - 1, log.size, event.proof.map((node) => decoded(node, 32)));
    require(equal(root, log.root), `event ${event.position} is not in the log with these contents`);
    require(event.ticket === header.ticket, `event ${event.position} belongs to another ticket`);
    require(event.version === (streams.get(event.stream) ?? 0) + 1, `an event before ${event.position} is missing`);
    streams.set(event.stream, event.version);
    last = event.position;
  }
  const statement = await signedText(header.statement, [key], signature);
  const claimed = `storyledger ticket history\n${log.origin}\n${header.ticket}\n${lines.length}\n${log.size}\n`;
  require(statement === claimed, "the signed statement says otherwise");
}

async function checkPaper(text, keys, signature) {
  const old = await checkpoint(`${text.replaceAll("\r\n", "\n").trim()}\n`, keys, signature);
  const answer = await fetch(`/checkpoint/consistency?from=${old.size}`);
  require(answer.ok, "the log has fewer events than the page says");
  const { checkpoint: note, proof } = await answer.json();
  await checkConsistency(old, await checkpoint(note, keys, signature), proof.map((node) => decoded(node, 32)));
}

/** Return the name of the sentence that says what this browser found, and the reason if it refused. */
export async function checked(text) {
  if (!subtle) return { words: "unable" };
  const signature = { checked: true };
  try {
    const answer = await fetch("/checkpoint/key");
    const keys = await Promise.all((await answer.text()).trim().split("\n").map(parsedKey));
    await (text.trimStart().startsWith("{") ? checkExport : checkPaper)(text, keys, signature);
  } catch (error) {
    if (error instanceof Refused || error instanceof SyntaxError) return { words: "bad", reason: error.message };
    return { words: "unable" };
  }
  return { words: signature.checked ? "good" : "unsigned" };
}

// The page.

const form = document.getElementById("check");
const result = document.getElementById("result");
const field = document.getElementById("text");
const file = document.getElementById("file");
const words = document.getElementById("words").dataset;

function say(sentence, kind, reason = "") {
  const note = document.createElement("p");
  note.className = `notice ${kind}`;
  note.id = "own";
  note.textContent = `${sentence} ${reason}`.trim();
  document.getElementById("own")?.remove();
  result.append(note);
}

form.addEventListener("submit", async (submitted) => {
  const text = file.files[0] ? file.files[0].text() : Promise.resolve(field.value);
  submitted.preventDefault();
  result.replaceChildren();
  say(words.checking, "");
  try {
    const [own, answer] = await Promise.all([
      text.then((content) => (content.trim() ? checked(content) : { words: "" })),
      fetch(form.action, { method: "POST", body: new FormData(form), headers: { Accept: "text/html" } }),
    ]);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const shown = page.getElementById("result");
    if (!shown || !shown.children.length) {
      say(page.querySelector(".error-summary li, h1")?.textContent.trim() ?? words.failed, "bad");
      return;
    }
    result.replaceChildren(...shown.children);
    if (own.words) say(words[own.words], { good: "good", bad: "bad" }[own.words] ?? "warn", own.reason);
  } catch {
    say(words.failed, "bad");
  }
  result.scrollIntoView({ block: "nearest" });
});

const drop = document.getElementById("drop");
drop.addEventListener("dragover", (dragged) => dragged.preventDefault());
drop.addEventListener("drop", (dropped) => {
  dropped.preventDefault();
  if (!dropped.dataTransfer.files.length) return;
  file.files = dropped.dataTransfer.files;
  form.requestSubmit();
});

if ("BarcodeDetector" in globalThis && (await BarcodeDetector.getSupportedFormats()).includes("qr_code")) {
  document.getElementById("scan").hidden = false;
  document.getElementById("photo").addEventListener("change", async ({ target }) => {
    if (!target.files[0]) return;
    const codes = await new BarcodeDetector({ formats: ["qr_code"] }).detect(await createImageBitmap(target.files[0]));
    // The other codes of a page are links.
    const code = codes.map(({ rawValue }) => rawValue).find((value) => !value.startsWith("http"));
    field.value = code ?? "";
    result.replaceChildren();
    say(code ? words.read : words.noCode, code ? "good" : "warn");
  });
}
