// Shows only the operations that have all the words that are typed, while they are typed.

const words = document.getElementById("words");
const count = document.getElementById("count");
const entries = [...document.querySelectorAll("li[data-words]")].map((entry) => ({
  entry,
  text: `${entry.textContent} ${entry.closest("details").querySelector("summary").textContent} ${entry.dataset.words}`.toLowerCase(),
}));
const areas = [...document.querySelectorAll("nav details:has(li[data-words])")];

function search() {
  const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const { entry, text } of entries) {
    entry.hidden = !wanted.every((word) => text.includes(word));
    shown += !entry.hidden;
  }
  for (const area of areas) {
    area.hidden = !area.querySelector("li:not([hidden])");
    area.open = wanted.length > 0 && !area.hidden;
  }
  count.textContent = wanted.length ? count.dataset.text.replace("{shown}", shown) : "";
}

// A page that shows the answer to a search has only its operations; the search for others asks the service.
if (!words.defaultValue) words.addEventListener("input", search);
