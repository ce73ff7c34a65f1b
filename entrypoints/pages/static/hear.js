// Plays passages of recordings, one at a time, and stops at the end of each.

const player = new Audio();
let present = null;
let watching = 0;

export function stop() {
  clearInterval(watching);
  player.pause();
  const ended = present;
  present = null;
  ended?.done();
}

// Recordings of a browser do not say how long they are, and one without a length cannot be entered in the middle.
function findLength() {
  return new Promise((resolve) => {
    player.addEventListener("durationchange", () => Number.isFinite(player.duration) && resolve());
    player.currentTime = 1e9;
  });
}

// Is called in answer to a press: browsers do not play otherwise.
export function play(recording, start, end) {
  stop();
  return new Promise((resolve, reject) => {
    const passage = { done: resolve };
    present = passage;
    const watch = () => {
      clearInterval(watching);
      watching = setInterval(() => {
        if (player.ended || player.currentTime >= end) stop();
      }, 40);
    };
    const begin = async () => {
      if (!Number.isFinite(player.duration)) {
        player.pause();
        await findLength();
        if (present !== passage) return;
        player.currentTime = start;
        await player.play();
      } else if (Math.abs(player.currentTime - start) > 0.3) player.currentTime = start;
      watch();
    };
    const fail = (error) => {
      if (present !== passage || error?.name === "AbortError") return;
      present = null;
      clearInterval(watching);
      reject(error);
    };
    if (player.dataset.recording === recording && player.readyState > 0) {
      player.currentTime = start;
      watch();
    } else {
      player.dataset.recording = recording;
      player.src = `${recording}#t=${start},${end}`;
      player.onloadedmetadata = () => begin().catch(fail);
      player.onerror = () => fail(player.error);
    }
    player.play().catch(fail);
  });
}

// Makes the buttons of the page play; pressed again, a button stops.
export function equip(root = document) {
  for (const button of root.querySelectorAll("[data-recording]")) {
    button.addEventListener("click", async () => {
      if (button.classList.contains("playing")) return stop();
      const { recording, start, end } = button.dataset;
      const playing = play(recording, Number(start), Number(end));
      button.classList.add("playing");
      try {
        await playing;
      } catch (error) {
        // A browser may refuse to play before the first press.
        button.classList.toggle("failed", error?.name !== "NotAllowedError");
      }
      button.classList.remove("playing");
    });
  }
}
