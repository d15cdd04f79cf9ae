"use strict";
// The page is whole without this: it adds sorting, larger figures, and a way back from where a number comes from.
const value = (cell) => {
  const text = cell.textContent.trim();
  if (cell.tagName === "TH") return text;
  const number = parseFloat(text.replace(/\u2212/g, "-").replace(/^F\s*\([^)]*\)/, "").replace(/^[<>=F\s]+/, ""));
  return Number.isNaN(number) ? text : number - (text.startsWith("<") ? 1e-9 : 0);
};
const compare = (one, other, way) => {
  if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1; // what has no number comes last
  return way * (typeof one === "number" ? one - other : one.localeCompare(other, "en", { numeric: true }));
};
const sort = (table, column, direction) => {
  const body = table.tBodies[0];
  const groups = [];
  for (const row of body.rows) {
    if (row.classList.contains("group") || !groups.length) groups.push([]);
    groups[groups.length - 1].push(row);
  }
  for (const group of groups) {
    const head = group[0].classList.contains("group") ? [group.shift()] : [];
    group.forEach((row) => { row.dataset.place ??= [...body.rows].indexOf(row); });
    group.sort((one, other) => direction === "none"
      ? one.dataset.place - other.dataset.place
      : compare(value(one.cells[column]), value(other.cells[column]), direction === "ascending" ? 1 : -1));
    body.append(...head, ...group);
  }
};
const next = { none: "ascending", ascending: "descending", descending: "none" };
for (const table of document.querySelectorAll("main table")) {
  if (table.tBodies[0].rows.length < 3) continue;
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    if (!head.textContent) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const direction = next[head.getAttribute("aria-sort") ?? "none"];
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      if (direction !== "none") head.setAttribute("aria-sort", direction);
      sort(table, column, direction);
    });
  });
}
const dialog = document.createElement("dialog");
dialog.setAttribute("aria-label", "Figure, larger");
const shut = document.createElement("button");
shut.type = "button";
shut.textContent = "Close";
shut.addEventListener("click", () => dialog.close());
document.body.append(dialog);
for (const image of document.querySelectorAll("figure img")) {
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-label", `Larger: ${image.closest("figure").querySelector("strong").textContent}`);
  image.replaceWith(button);
  button.append(image);
  button.addEventListener("click", () => {
    dialog.classList.toggle("tall", button.closest("figure").classList.contains("narrow"));
    dialog.replaceChildren(shut, image.cloneNode());
    dialog.showModal();
  });
}
let from = null;
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  if (link && link.closest("main") && document.querySelector(`#traces > [id="${CSS.escape(link.hash.slice(1))}"]`)) from = link;
});
const close = () => {
  if (!document.querySelector(".trace:target")) return;
  location.hash = "#closed";
  from?.focus({ preventScroll: true });
};
document.addEventListener("keydown", (event) => { if (event.key === "Escape" && !dialog.open) close(); });
document.querySelector(".close a")?.addEventListener("click", (event) => { event.preventDefault(); close(); });
