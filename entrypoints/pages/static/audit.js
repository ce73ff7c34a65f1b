// The slider of the history: it stops at the lines of the page, says what happened there, and shows that moment.

const form = document.getElementById("slider");
const slider = document.getElementById("at");
const stop = document.getElementById("stop");
const stops = [...document.querySelectorAll("#stops option")].map((option) => ({
  position: Number(option.value),
  label: option.label,
}));

function nearest(position) {
  return stops.reduce((best, other) =>
    Math.abs(other.position - position) < Math.abs(best.position - position) ? other : best,
  );
}

if (form && stops.length > 1) {
  // Every line is one step, however many lines of other stories lie between.
  const before = stops.indexOf(nearest(Number(slider.value)));
  slider.removeAttribute("list");
  slider.removeAttribute("name");
  slider.min = 0;
  slider.max = stops.length - 1;
  slider.step = 1;
  slider.value = before;
  slider.setAttribute("aria-valuetext", stops[before].label);
  const chosen = document.createElement("input");
  chosen.type = "hidden";
  chosen.name = "at";
  chosen.value = stops[before].position;
  form.append(chosen);

  slider.addEventListener("input", () => {
    const { position, label } = stops[Number(slider.value)];
    chosen.value = position;
    stop.textContent = label;
    slider.setAttribute("aria-valuetext", label);
    for (const line of document.querySelectorAll(".timeline > li")) {
      line.classList.toggle("later", Number(line.id.slice(1)) > position);
      line.classList.toggle("here", line.id === `p${position}`);
    }
  });
}
