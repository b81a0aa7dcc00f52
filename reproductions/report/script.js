"use strict";
const form = document.querySelector(".filters");
const rows = [...document.querySelectorAll("#verdicts tbody tr")];
const count = document.querySelector("#count");

function filter() {
  const words = new FormData(form);
  const text = words.get("text").trim().toLowerCase();
  const kind = words.get("kind");
  const verdicts = words.getAll("verdict");
  for (const row of rows) {
    const fits = verdicts.includes(row.dataset.verdict)
      && (!kind || row.dataset.kind === kind)
      && (!text || row.textContent.toLowerCase().includes(text));
    row.classList.toggle("hidden", !fits);
  }
  const shown = rows.filter(row => !row.classList.contains("hidden")).length;
  count.textContent = `${shown} of ${rows.length} statements`;
}

form.addEventListener("input", filter);
form.addEventListener("submit", event => event.preventDefault());
form.addEventListener("reset", () => setTimeout(filter));
form.classList.remove("hidden");
filter();

// What is folded away is printed, too.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  folded.forEach(part => { part.open = true; });
});
addEventListener("afterprint", () => folded.forEach(part => { part.open = false; }));
