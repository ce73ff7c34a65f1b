// The campaign page: totals that update themselves, one amount at a time, and the link to share.

const FIRST_PAUSE = 3000;
const LONGEST_PAUSE = 60000;

function choose(form) {
  const other = form.elements.amount;
  const choices = [...form.querySelectorAll('input[name="choice"]')];
  other.addEventListener("input", () => {
    if (other.value.trim()) choices.forEach((choice) => { choice.checked = false; });
  });
  choices.forEach((choice) => choice.addEventListener("change", () => { other.value = ""; }));
}

function show(total) {
  for (const element of document.querySelectorAll("[data-total]")) {
    const value = total[element.dataset.total];
    if (value === null || value === undefined) continue;
    if (element.tagName === "PROGRESS") element.value = value;
    else element.textContent = value;
  }
  const thanks = document.querySelector("[data-gift]");
  if (!thanks || thanks.dataset.gift === total.gift) return;
  // A failed gift is explained by the page itself.
  if (["failed", "returned"].includes(total.gift)) location.reload();
  thanks.dataset.gift = total.gift;
  for (const element of thanks.querySelectorAll("[data-when]")) element.classList.toggle("later", element.dataset.when !== total.gift);
}

function follow() {
  const query = new URLSearchParams(location.search);
  const language = document.documentElement.lang;
  const address = new URL(`${location.pathname}/total`, location.origin);
  address.searchParams.set("lang", language);
  if (query.get("session_id")) address.searchParams.set("session_id", query.get("session_id"));
  let pause = FIRST_PAUSE;
  const ask = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch(address, { headers: { Accept: "application/json" } });
        if (answer.ok) show(await answer.json());
      } catch {
        // The network is away; the next attempt may succeed.
      }
    }
    const waits = document.querySelector('[data-gift="waiting"], [data-gift="unknown"]');
    pause = waits ? FIRST_PAUSE : Math.min(LONGEST_PAUSE, pause * 2);
    setTimeout(ask, pause);
  };
  setTimeout(ask, pause);
}

function share() {
  const link = document.getElementById("link");
  const copied = document.querySelector("[data-copied]");
  const copy = document.querySelector("[data-copy]");
  if (navigator.clipboard) {
    copy.hidden = false;
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(link.value);
      copied.textContent = copied.dataset.done;
    });
  }
  const others = document.querySelector("[data-share]");
  if (navigator.share) {
    others.hidden = false;
    others.addEventListener("click", () => {
      // Who closes the list of programs has not shared, and needs no message.
      navigator.share({ title: link.dataset.title, url: link.value }).catch(() => {});
    });
  }
}

// While the button of the form is in sight, the bar at the foot of the screen is not needed.
function hideBar(form) {
  const bar = document.querySelector(".give-bar");
  const button = form.querySelector("button[type=submit]");
  new IntersectionObserver(([entry]) => { bar.classList.toggle("away", entry.isIntersecting); }).observe(button);
}

const form = document.querySelector("form.give");
choose(form);
hideBar(form);
share();
follow();
