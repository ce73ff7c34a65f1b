// Shows only the operations that have all the words that are typed.

const words = document.getElementById("words");
const count = document.getElementById("count");
const articles = [...document.querySelectorAll("article")].map((article) => ({
  article,
  entry: document.querySelector(`li[data-of="${article.id}"]`),
  text: article.textContent.toLowerCase(),
}));

function search() {
  const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const { article, entry, text } of articles) {
    const matches = wanted.every((word) => text.includes(word));
    article.hidden = entry.hidden = !matches;
    shown += matches;
  }
  for (const section of document.querySelectorAll("section[aria-labelledby^='tag-']")) {
    section.hidden = !section.querySelector("article:not([hidden])");
  }
  for (const [index, group] of document.querySelectorAll("nav > details").entries()) {
    group.hidden = !group.querySelector("li:not([hidden])");
    group.open = wanted.length > 0 ? !group.hidden : index === 0;
  }
  count.textContent = wanted.length ? `${shown} of ${articles.length}` : "";
}

words.addEventListener("input", search);
