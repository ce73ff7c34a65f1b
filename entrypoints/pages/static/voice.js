// Plays one sentence of a recording. Without this script the whole recording can be heard with its own controls.
let stop = () => {};

for (const button of document.querySelectorAll("[data-hear]")) {
  button.hidden = false;
  button.addEventListener("click", () => play(button));
}

function play(button) {
  stop();
  const sound = document.getElementById(button.dataset.hear);
  const end = button.dataset.end / 1000;
  const check = () => {
    if (sound.currentTime >= end) {
      sound.pause();
      stop();
    }
  };
  stop = () => sound.removeEventListener("timeupdate", check);
  const begin = () => {
    sound.currentTime = button.dataset.start / 1000;
    sound.addEventListener("timeupdate", check);
    sound.play();
  };
  if (sound.readyState > 0) {
    begin();
  } else {
    sound.addEventListener("loadedmetadata", begin, { once: true });
    sound.load();
  }
}
